package wire

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

func tooLong(field string, limit int) error {
	return fmt.Errorf("%s is longer than %d bytes", field, limit)
}

// checkText bounds a text that may have lines. NUL is refused everywhere: it
// ends texts in too many languages.
func checkText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return tooLong(field, limit)
	case strings.ContainsRune(s, 0):
		return errors.New(field + " contains NUL")
	}
	return nil
}

// checkLabel bounds a text that is shown or stored on one line.
func checkLabel(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return tooLong(field, limit)
	case !utf8.ValidString(s):
		return errors.New(field + " is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New(field + " contains control characters")
	}
	return nil
}

// CheckGroupName says what is wrong with a group's name, nil if nothing is.
// Quotes and apostrophes are as good as any other character.
func CheckGroupName(name string) error {
	if name == "" {
		return errors.New("group name is empty")
	}
	return checkLabel("group name", name, MaxGroupName)
}

// Check says what is wrong with a group, nil if nothing is.
func (g Group) Check() error {
	return cmp.Or(CheckGroupName(g.Name), checkLabel("group role", g.Role, MaxGroupRole))
}

// CheckGroups says what is wrong with a peer's groups, nil if nothing is.
func CheckGroups(groups []Group) error {
	if len(groups) > MaxGroups {
		return fmt.Errorf("more than %d groups", MaxGroups)
	}
	for _, g := range groups {
		if err := g.Check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckDisplayName says what is wrong with a name for people, nil if nothing is.
func CheckDisplayName(name string) error {
	return checkLabel("display name", name, MaxDisplayName)
}
