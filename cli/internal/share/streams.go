package share

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const purposeStream = "stream"

// Publish gives data to those who hear a stream now.
func (m *Mesh) Publish(ctx context.Context, stream string, data json.RawMessage) error {
	r := &wire.Publish{Stream: stream, Data: data}
	var clear string
	switch {
	case !m.Clear:
		text, err := m.wrap(purposeStream, stream, data, wire.MaxStreamData-2)
		if err != nil {
			return err
		}
		if r.Data, err = json.Marshal(text); err != nil {
			return err
		}
	case json.Unmarshal(data, &clear) == nil:
		if err := unmarked(clear); err != nil {
			return err
		}
	}
	return Do(ctx, m, r)
}

// OpenStream reads what came over a stream. Where the origin has a problem the
// data are null.
func (m *Mesh) OpenStream(d *wire.StreamData) (json.RawMessage, Origin) {
	var text string
	if json.Unmarshal(d.Data, &text) != nil {
		return d.Data, Origin{}
	}
	opened := json.RawMessage("null")
	o := m.unseal(purposeStream, d.Stream, text, &opened)
	if !o.Sealed {
		return d.Data, o
	}
	return opened, o
}
