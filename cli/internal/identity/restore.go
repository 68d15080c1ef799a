package identity

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ConfigPath is where the config is.
func (s *Store) ConfigPath() string { return s.configPath() }

// Raw returns the config as its file holds it, which is what a backup seals. It
// returns [ErrNoMesh] where there is none.
func (s *Store) Raw() ([]byte, error) {
	data, err := readSecret(s.configPath())
	if missing(err) {
		return nil, ErrNoMesh
	}
	return data, err
}

// Replace puts a config in the place of the present one, which stays beside it
// under another name; Replace returns that name, empty if there was none. What
// is no config is [ErrCorrupt].
func (s *Store) Replace(data []byte, now time.Time) (kept string, err error) {
	var c Config
	if err := checkConfig(data, &c); err != nil {
		return "", err
	}
	err = s.locked(func() error {
		// Even one that is damaged, or that others can read, is somebody's keys.
		old, err := os.ReadFile(s.configPath())
		switch {
		case missing(err):
			return writeSecret(s.configPath(), data)
		case err != nil:
			return fmt.Errorf("identity: %w", err)
		}
		beside := s.configPath() + ".before-restore." + strconv.FormatInt(now.UnixMilli(), 10)
		if err := writeSecret(beside, old); err != nil {
			return err
		}
		kept = beside
		return writeSecret(s.configPath(), data)
	})
	return kept, err
}

// checkConfig reads data as a config and looks at the keys in it.
func checkConfig(data []byte, c *Config) error {
	if err := json.Unmarshal(data, c); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for _, m := range c.Meshes {
		if _, err := m.MemberKey(); err != nil {
			return err
		}
	}
	return nil
}
