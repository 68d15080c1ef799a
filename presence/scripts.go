package presence

import (
	_ "embed"

	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/record.lua
var recordLua string

//go:embed lua/depart.lua
var departLua string

//go:embed lua/reach.lua
var reachLua string

//go:embed lua/rule.lua
var ruleLua string

//go:embed lua/attach.lua
var attachLua string

//go:embed lua/renew.lua
var renewLua string

//go:embed lua/restore.lua
var restoreLua string

//go:embed lua/detach.lua
var detachLua string

//go:embed lua/leave.lua
var leaveLua string

//go:embed lua/settle.lua
var settleLua string

//go:embed lua/update.lua
var updateLua string

//go:embed lua/status.lua
var statusLua string

//go:embed lua/beat.lua
var beatLua string

//go:embed lua/look.lua
var lookLua string

//go:embed lua/touch.lua
var touchLua string

//go:embed lua/claim.lua
var claimLua string

// scripts are the verbs as Redis runs them.
type scripts struct {
	attach, renew, restore, detach, leave, settle, update, status *redis.Script // about one peer
	beat                                                          *redis.Script // about one edge
	look, touch, claim                                            *redis.Script // about one partition
}

func newScripts(journalLua string) scripts {
	return scripts{
		attach:  redis.NewScript(attachLua, recordLua, journalLua, departLua, reachLua),
		renew:   redis.NewScript(renewLua),
		restore: redis.NewScript(restoreLua, recordLua),
		detach:  redis.NewScript(detachLua, recordLua, journalLua, departLua),
		leave:   redis.NewScript(leaveLua, recordLua, journalLua, departLua),
		settle:  redis.NewScript(settleLua, recordLua, journalLua, departLua),
		update:  redis.NewScript(updateLua, recordLua, journalLua),
		status:  redis.NewScript(statusLua, recordLua, ruleLua),
		beat:    redis.NewScript(beatLua),
		look:    redis.NewScript(lookLua),
		touch:   redis.NewScript(touchLua),
		claim:   redis.NewScript(claimLua),
	}
}
