package wire

import (
	"cmp"
	"encoding/json"
	"time"
)

// AuditGenesis stands for the hash before a log's first entry.
const AuditGenesis = "genesis"

// noActor stands for the actor of an entry that has none.
const noActor = "null"

// AuditHash chains an entry of a mesh's audit log to the hash of the one before.
// Keys of the payload are sorted as plain texts here, numbers too.
func AuditHash(prev, meshID, event, actor string, payload json.RawMessage, at time.Time) (string, error) {
	text, err := canonicalJSON(payload, compareUnits)
	if err != nil {
		return "", err
	}
	return hashText(string(canonical(prev, meshID, event, cmp.Or(actor, noActor), string(text), at.UTC().Format(timeFormat)))), nil
}
