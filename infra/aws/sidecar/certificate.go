package sidecar

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kelseyhightower/envconfig"
)

// Names of the files that [WriteCertificate] makes.
const (
	CertificateFile = "certificate.pem"
	KeyFile         = "key.pem"
)

// Certificate is a pair of PEM texts and where to put it. It comes from the
// environment: SIDECAR_CERTIFICATE, SIDECAR_KEY, SIDECAR_DIR, SIDECAR_OWNER.
type Certificate struct {
	Certificate string
	Key         string
	Dir         string
	Owner       int // user and group of the files
}

// ErrIncomplete says that a variable of the environment is missing.
var ErrIncomplete = errors.New("sidecar: SIDECAR_CERTIFICATE, SIDECAR_KEY and SIDECAR_DIR must be set")

// LoadCertificate reads the environment.
func LoadCertificate() (Certificate, error) {
	var c Certificate
	if err := envconfig.Process("sidecar", &c); err != nil {
		return Certificate{}, fmt.Errorf("sidecar: environment: %w", err)
	}
	if c.Certificate == "" || c.Key == "" || c.Dir == "" {
		return Certificate{}, ErrIncomplete
	}
	return c, nil
}

// WriteCertificate writes both files, readable by the owner alone.
func WriteCertificate(c Certificate) error {
	if _, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key)); err != nil {
		return fmt.Errorf("sidecar: the secret holds no usable pair of certificate and key: %w", err)
	}
	return errors.Join(
		c.write(CertificateFile, c.Certificate),
		c.write(KeyFile, c.Key),
	)
}

func (c Certificate) write(name, text string) error {
	path := filepath.Join(c.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	if err := os.Chown(path, c.Owner, c.Owner); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	return nil
}
