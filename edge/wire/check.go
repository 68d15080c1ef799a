package wire

import (
	"cmp"
	"encoding/json"
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

// checkRequired bounds a text that must not be empty.
func checkRequired(field, s string, limit int) error {
	if s == "" {
		return errors.New(field + " is missing")
	}
	return checkText(field, s, limit)
}

// checkName bounds a text by which something is found again.
func checkName(field, s string, limit int) error {
	if s == "" {
		return errors.New(field + " is missing")
	}
	return checkLabel(field, s, limit)
}

// checkID bounds an id that was given out before. What was not is found out by
// looking it up.
func checkID(field, s string) error { return checkName(field, s, MaxCorrelationID) }

// checkNewID checks an id that the peer has made for something new.
func checkNewID(field, s string) error {
	if s != "" && (len(s) != RecordID || !isBase62(s)) {
		return fmt.Errorf("%s must be %d base62 characters", field, RecordID)
	}
	return nil
}

func checkNames(field string, names []string, most, limit int) error {
	if len(names) > most {
		return fmt.Errorf("more than %d %s", most, field)
	}
	for _, name := range names {
		if err := checkName(field, name, limit); err != nil {
			return err
		}
	}
	return nil
}

func checkTexts(field string, texts []string, most, limit int) error {
	if len(texts) > most {
		return fmt.Errorf("more than %d %s", most, field)
	}
	for _, s := range texts {
		if err := checkText(field, s, limit); err != nil {
			return err
		}
	}
	return nil
}

func checkTags(tags []string) error { return checkTexts("tags", tags, MaxTags, MaxTag) }

// checkJSON bounds a value that is opaque here.
func checkJSON(field string, value json.RawMessage, limit int) error {
	if len(value) > limit {
		return tooLong(field, limit)
	}
	return nil
}

func checkGiven(field string, value json.RawMessage) error {
	if value == nil {
		return errors.New(field + " is missing")
	}
	return nil
}

// page is how many entries of a list to answer with.
func page(asked, usual, most int) int { return min(max(cmp.Or(asked, usual), 1), most) }
