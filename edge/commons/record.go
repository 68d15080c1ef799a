package commons

import (
	"encoding/json"
	"fmt"
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
