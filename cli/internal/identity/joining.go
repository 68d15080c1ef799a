package identity

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// joining is a join that was begun: the broker may have taken the key in, and
// its answer been lost. It knows a repeat by the key.
type joining struct {
	Token     string `json:"token"`
	Link      string `json:"link,omitempty"` // the short link, where that was the one followed
	ExpiresAt int64  `json:"expiresAt"`      // of the invite, in seconds; a repeat is in vain from then on
	PublicKey string `json:"pubkey"`
	SecretKey string `json:"secretKey"`
}

type joiningFile struct {
	Joins []joining `json:"joins"`
}

// BeginJoin returns the member key to join with by an invite: the one of a join
// by it that was begun and not ended, else a new one, which is on disk then.
// Link is the short link to the invite, if that is how it was found.
func (s *Store) BeginJoin(token, link string, expires time.Time) (key ed25519.PrivateKey, err error) {
	err = s.updateJoining(func(f *joiningFile) error {
		if i := slices.IndexFunc(f.Joins, func(j joining) bool { return j.Token == token }); i >= 0 {
			key, err = parseSecret(f.Joins[i].SecretKey, f.Joins[i].PublicKey)
			return err
		}
		if key, err = NewKey(); err != nil {
			return err
		}
		j := joining{Token: token, Link: link, ExpiresAt: expires.Unix()}
		j.PublicKey, j.SecretKey = EncodeKey(key)
		f.Joins = append(f.Joins, j)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// EndJoin forgets a join that was begun: it was answered.
func (s *Store) EndJoin(token string) error {
	return s.updateJoining(func(f *joiningFile) error {
		f.Joins = slices.DeleteFunc(f.Joins, func(j joining) bool { return j.Token == token })
		return nil
	})
}

// Joining returns the token of a join by a short link that was begun and not
// ended, or "". A broker shows an invite that is used up to nobody, also not to
// the one who has used it up.
func (s *Store) Joining(link string) (string, error) {
	f, err := s.loadJoining()
	if err != nil {
		return "", err
	}
	for _, j := range f.Joins {
		if j.Link == link {
			return j.Token, nil
		}
	}
	return "", nil
}

func (s *Store) joiningPath() string { return filepath.Join(s.dir, "joining.json") }

func (s *Store) loadJoining() (*joiningFile, error) {
	f := new(joiningFile)
	data, err := readSecret(s.joiningPath())
	if missing(err) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, s.joiningPath(), err)
	}
	return f, nil
}

// updateJoining changes the joins that were begun. Without any there is no file.
func (s *Store) updateJoining(change func(*joiningFile) error) error {
	return s.locked(func() error {
		f, err := s.loadJoining()
		if err != nil {
			return err
		}
		now := time.Now().Unix()
		f.Joins = slices.DeleteFunc(f.Joins, func(j joining) bool { return j.ExpiresAt <= now })
		if err := change(f); err != nil {
			return err
		}
		if len(f.Joins) == 0 {
			if err := os.Remove(s.joiningPath()); err != nil && !missing(err) {
				return fmt.Errorf("identity: %w", err)
			}
			return nil
		}
		data, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return fmt.Errorf("identity: joins: %w", err)
		}
		return writeSecret(s.joiningPath(), append(data, '\n'))
	})
}
