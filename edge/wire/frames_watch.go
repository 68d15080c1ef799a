package wire

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// WatchMode is what of a page is compared.
type WatchMode string

// What can be compared.
const (
	WatchHash   WatchMode = "hash" // the first 16 hex of the body's SHA-256; the default
	WatchJSON   WatchMode = "json" // a value at the path in Extract
	WatchStatus WatchMode = "status"
)

// Valid reports whether m is one of the three.
func (m WatchMode) Valid() bool { return m == WatchHash || m == WatchJSON || m == WatchStatus }

// Bounds of a watch's interval, in seconds.
const (
	WatchInterval    = 30 // if none is asked for
	MinWatchInterval = 5
	MaxWatchInterval = 7 * 24 * 3600
)

// Words of Watch.NotifyOn. What is none of them means WatchChange, because
// existing clients send others.
const (
	WatchChange   = "change" // the default
	WatchMatch    = "match:"
	WatchNotMatch = "not_match:"
)

// Watch looks at an address every so often, for as long as the lease lasts, and
// tells this peer with EventWatchTriggered.
type Watch struct {
	URL      string            `json:"url"`
	Mode     WatchMode         `json:"mode,omitempty"`
	Extract  string            `json:"extract,omitempty"`  // path of names and numbers with dots
	Interval float64           `json:"interval,omitempty"` // seconds
	NotifyOn string            `json:"notify_on,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Label    string            `json:"label,omitempty"`
	ReqID    ReqID             `json:"_reqId,omitempty"`
}

// FrameType returns TypeWatch.
func (Watch) FrameType() Type { return TypeWatch }

// RequestID returns the _reqId.
func (m Watch) RequestID() ReqID { return m.ReqID }

func (m *Watch) validate() error {
	switch {
	case m.URL == "":
		return errors.New("url is missing")
	case m.Mode != "" && !m.Mode.Valid():
		return errors.New("mode must be hash, json or status")
	case m.Mode == WatchJSON && m.Extract == "":
		return errors.New("extract is missing")
	case len(m.Headers) > MaxWatchHeaders:
		return fmt.Errorf("more than %d headers", MaxWatchHeaders)
	}
	for name, value := range m.Headers {
		if err := cmp.Or(checkName("header", name, MaxName), checkLabel("header value", value, MaxURL)); err != nil {
			return err
		}
	}
	return cmp.Or(
		checkLabel("url", m.URL, MaxURL),
		checkLabel("extract", m.Extract, MaxURL),
		checkLabel("notify_on", m.NotifyOn, MaxURL),
		checkLabel("label", m.Label, MaxName),
	)
}

// Compares is the mode asked for, WatchHash when none was.
func (m *Watch) Compares() WatchMode { return cmp.Or(m.Mode, WatchHash) }

// Every is the interval, within its bounds.
func (m *Watch) Every() time.Duration {
	seconds := cmp.Or(m.Interval, WatchInterval)
	return time.Duration(min(max(seconds, MinWatchInterval), MaxWatchInterval) * float64(time.Second))
}

// WatchAck names a watch, with an interval of 0 if it was ended.
type WatchAck struct {
	WatchID  string    `json:"watchId"`
	URL      string    `json:"url"`
	Mode     WatchMode `json:"mode"`
	Interval float64   `json:"interval"`
	ReqID    ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeWatchAck.
func (WatchAck) FrameType() Type { return TypeWatchAck }

// InReplyTo returns the _reqId of what was asked.
func (m WatchAck) InReplyTo() ReqID { return m.ReqID }

// Unwatch ends a watch.
type Unwatch struct {
	WatchID string `json:"watchId"`
	ReqID   ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeUnwatch.
func (Unwatch) FrameType() Type { return TypeUnwatch }

// RequestID returns the _reqId.
func (m Unwatch) RequestID() ReqID { return m.ReqID }

func (m *Unwatch) validate() error { return checkID("watchId", m.WatchID) }

// WatchList asks for this peer's watches.
type WatchList struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeWatchList.
func (WatchList) FrameType() Type { return TypeWatchList }

// RequestID returns the _reqId.
func (m WatchList) RequestID() ReqID { return m.ReqID }

// WatchListResult has this peer's watches.
type WatchListResult struct {
	Watches []WatchInfo `json:"watches"`
	ReqID   ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeWatchListResult.
func (WatchListResult) FrameType() Type { return TypeWatchListResult }

// InReplyTo returns the _reqId of what was asked.
func (m WatchListResult) InReplyTo() ReqID { return m.ReqID }

// WatchInfo is one watch, with what was seen last.
type WatchInfo struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Mode      WatchMode `json:"mode"`
	Label     *string   `json:"label"`
	Interval  float64   `json:"interval"`
	LastHash  *string   `json:"lastHash"`
	LastValue *string   `json:"lastValue"`
	LastCheck *Time     `json:"lastCheck"`
	CreatedAt Time      `json:"createdAt"`
	LastError string    `json:"lastError,omitempty"` // ours: why the last look failed
}
