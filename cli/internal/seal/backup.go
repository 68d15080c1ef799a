package seal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	backupMagic  = "CMB1"
	backupSalt   = 16
	backupNonce  = chacha20poly1305.NonceSizeX
	backupHeader = len(backupMagic) + backupSalt + backupNonce
	backupPasses = 2
	backupMemory = 64 << 10 // KiB
)

// MinPassphrase is how many characters a passphrase has at least.
const MinPassphrase = 12

// Backup seals a configuration file under a passphrase.
func Backup(passphrase string, config []byte) ([]byte, error) {
	if utf8.RuneCountInString(passphrase) < MinPassphrase {
		return nil, ErrPassphrase
	}
	var random [backupSalt + backupNonce]byte
	rand.Read(random[:])
	return backup(passphrase, random[:], config)
}

// backup takes salt and nonce in one piece.
func backup(passphrase string, random, config []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(backupKey(passphrase, random[:backupSalt]))
	if err != nil {
		return nil, fmt.Errorf("seal: backup: %w", err)
	}
	file := slices.Concat([]byte(backupMagic), random)
	return aead.Seal(file, random[backupSalt:], config, nil), nil
}

// OpenBackup opens what [Backup] sealed, which is never empty. It returns [ErrNotForUs] for a wrong
// passphrase or an altered file.
func OpenBackup(passphrase string, file []byte) ([]byte, error) {
	if len(file) <= backupHeader+chacha20poly1305.Overhead || !bytes.HasPrefix(file, []byte(backupMagic)) {
		return nil, ErrMalformed
	}
	random := file[len(backupMagic):backupHeader]
	aead, err := chacha20poly1305.NewX(backupKey(passphrase, random[:backupSalt]))
	if err != nil {
		return nil, fmt.Errorf("seal: backup: %w", err)
	}
	config, err := aead.Open(nil, random[backupSalt:], file[backupHeader:], nil)
	if err != nil {
		return nil, ErrNotForUs
	}
	return config, nil
}

func backupKey(passphrase string, salt []byte) []byte {
	return argon2.IDKey([]byte(passphrase), salt, backupPasses, backupMemory, 1, chacha20poly1305.KeySize)
}
