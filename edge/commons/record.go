package commons

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// moment is how the wire writes milliseconds.
func moment(ms int64) wire.Time { return wire.At(time.UnixMilli(ms)) }

// encodeRecord is a record as it is kept.
func encodeRecord(r any) (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("commons: encode record: %w", err)
	}
	return string(b), nil
}

// decodeRecord reads what encodeRecord wrote.
func decodeRecord[R any](text string) (R, error) {
	var r R
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("commons: decode record: %w", err)
	}
	return r, nil
}

// decodeAll reads every record of a shelf.
func decodeAll[R any](all map[string]string) (map[string]R, error) {
	out := make(map[string]R, len(all))
	for field, text := range all {
		r, err := decodeRecord[R](text)
		if err != nil {
			return nil, err
		}
		out[field] = r
	}
	return out, nil
}

func newID() string { return wire.NewID(wire.RecordID) }

// notNil makes a list that is sent as [] and not as null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// orNull makes a text that is sent as null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// oldestFirst orders the fields of a shelf by a time, then by name, so that two
// askers see the same order.
func oldestFirst[R any](records map[string]R, at func(R) int64) []string {
	ids := make([]string, 0, len(records))
	for id := range records {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(at(records[a]), at(records[b])), cmp.Compare(a, b))
	})
	return ids
}

// newestFirst is oldestFirst the other way around.
func newestFirst[R any](records map[string]R, at func(R) int64) []string {
	ids := oldestFirst(records, at)
	slices.Reverse(ids)
	return ids
}
