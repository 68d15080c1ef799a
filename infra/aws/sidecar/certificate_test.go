package sidecar_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/aws/sidecar"
)

// pair makes a certificate that signs itself.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mesh.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func TestAWrittenCertificateIsWhatAnEdgeLoads(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	c := sidecar.Certificate{Certificate: certificate, Key: key, Dir: t.TempDir(), Owner: os.Getuid()}
	if err := sidecar.WriteCertificate(c); err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile := filepath.Join(c.Dir, sidecar.CertificateFile), filepath.Join(c.Dir, sidecar.KeyFile)
	if _, err := tls.LoadX509KeyPair(certificateFile, keyFile); err != nil {
		t.Errorf("an edge could not start with it: %v", err)
	}
	for _, file := range []string{certificateFile, keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o400 {
			t.Errorf("%s has mode %v, want 0400", filepath.Base(file), got)
		}
	}
}

func TestAPairThatDoesNotBelongTogetherIsRefusedAndNotWritten(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	_, otherKey := pair(t)
	for name, c := range map[string]sidecar.Certificate{
		"another key":    {Certificate: certificate, Key: otherKey},
		"no certificate": {Certificate: "none", Key: key},
		"swapped":        {Certificate: key, Key: certificate},
	} {
		c.Dir, c.Owner = t.TempDir(), os.Getuid()
		if err := sidecar.WriteCertificate(c); err == nil {
			t.Errorf("%s: written", name)
		}
		if left, _ := os.ReadDir(c.Dir); len(left) > 0 {
			t.Errorf("%s: left %s behind", name, left[0].Name())
		}
	}
}

// The environment belongs to the process, so this test runs alone.
func TestTheCertificateComesFromTheEnvironment(t *testing.T) {
	if _, err := sidecar.LoadCertificate(); !errors.Is(err, sidecar.ErrIncomplete) {
		t.Errorf("with an empty environment: %v, want ErrIncomplete", err)
	}
	t.Setenv("SIDECAR_CERTIFICATE", "c")
	t.Setenv("SIDECAR_KEY", "k")
	t.Setenv("SIDECAR_DIR", "/tls")
	t.Setenv("SIDECAR_OWNER", "65532")
	got, err := sidecar.LoadCertificate()
	if want := (sidecar.Certificate{Certificate: "c", Key: "k", Dir: "/tls", Owner: 65532}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
