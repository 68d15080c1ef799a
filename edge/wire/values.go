package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// Millis is a moment in milliseconds since 1970, sent as a JSON number. It is
// NaN where a peer sent something that is no number: such a frame is refused
// for its time, not as unreadable.
type Millis float64

// MillisAt returns t as the wire carries it.
func MillisAt(t time.Time) Millis { return Millis(t.UnixMilli()) }

// notANumber stands for a moment that was left out or is no number.
func notANumber() Millis { return Millis(math.NaN()) }

// IsNumber reports whether m is a moment at all.
func (m Millis) IsNumber() bool {
	f := float64(m)
	return !math.IsNaN(f) && !math.IsInf(f, 0)
}

// Within reports whether m is at most d away from now, either way.
func (m Millis) Within(d time.Duration, now time.Time) bool {
	return m.IsNumber() && math.Abs(float64(m)-float64(now.UnixMilli())) <= float64(d.Milliseconds())
}

// String returns the decimal text that canonical texts contain.
func (m Millis) String() string { return formatNumber(float64(m)) }

// MarshalJSON writes a number, or null if m is none.
func (m Millis) MarshalJSON() ([]byte, error) {
	if !m.IsNumber() {
		return []byte("null"), nil
	}
	return []byte(m.String()), nil
}

// UnmarshalJSON accepts any JSON value. All but numbers become NaN.
func (m *Millis) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		*m = notANumber()
		return nil
	}
	*m = Millis(f)
	return nil
}

// timeFormat is ISO 8601 with milliseconds, in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

// Time is a moment that an edge reports, sent as ISO 8601 text.
type Time struct{ time.Time }

// At returns t as an edge reports it: in UTC, to the millisecond.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// MarshalJSON writes ISO 8601 text with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timeFormat + `"`)), nil
}

// UnmarshalJSON reads ISO 8601 text. Null leaves t alone.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	parsed, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return errors.New("not an ISO 8601 time")
	}
	*t = At(parsed)
	return nil
}

// TimeOrEmpty is a moment that may never have been. It is sent as empty text
// then.
type TimeOrEmpty struct{ Time }

// MarshalJSON writes ISO 8601 text, or empty text.
func (t TimeOrEmpty) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	return t.Time.MarshalJSON()
}

// UnmarshalJSON reads ISO 8601 text or empty text. Null leaves t alone.
func (t *TimeOrEmpty) UnmarshalJSON(b []byte) error {
	if string(b) == `""` {
		*t = TimeOrEmpty{}
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// Expiry is a moment that a peer names, in ISO 8601 text or in milliseconds.
type Expiry struct{ Time }

// UnmarshalJSON reads either form. Null leaves t alone.
func (t *Expiry) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseInt(string(b), 10, 53); err == nil {
		t.Time = At(time.UnixMilli(ms))
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// PID is a process id. Some peers send it as a decimal string.
type PID int64

// UnmarshalJSON accepts a whole number and its decimal text.
func (p *PID) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(bytes.Trim(b, `"`)), 10, 64)
	if err != nil {
		return errors.New("pid is not a whole number")
	}
	*p = PID(n)
	return nil
}

// ReqID correlates a request with its direct answer.
type ReqID string

// UnmarshalJSON accepts any JSON value. Only a text is a request id; anything
// else counts as none, because a request must not fail for its label.
func (r *ReqID) UnmarshalJSON(b []byte) error {
	var s looseText
	_ = s.UnmarshalJSON(b) // accepts everything
	if s.isText() && len(s) <= MaxCorrelationID {
		*r = ReqID(s)
	}
	return nil
}

// looseText is a field whose wrong kind must be reported by the check that
// looks at its value. What is not a text becomes one that no check accepts.
type looseText string

// notText opens a looseText that was some other kind of value. A text cannot
// contain it by accident: NUL is refused wherever a looseText is used.
const notText = "\x00"

func (s *looseText) UnmarshalJSON(b []byte) error {
	var text *string
	switch err := json.Unmarshal(b, &text); {
	case err != nil:
		*s = notText
	case text == nil:
		*s = ""
	default:
		*s = looseText(*text)
	}
	return nil
}

func (s looseText) isText() bool { return s == "" || s[0] != notText[0] }
