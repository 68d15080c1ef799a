package presence

import (
	"embed"

	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// luaSource is the text of lua/NAME.lua.
func luaSource(name string) string {
	text, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // a misspelt name, which no test survives
	}
	return string(text)
}

// scripts are the verbs as Redis runs them.
type scripts struct {
	attach, renew, restore, detach, leave, settle, forget, update, status *redis.Script // about one peer
	beat                                                                  *redis.Script // about one edge
	look, touch, claim                                                    *redis.Script // about one partition
}

// newScripts takes the text of each file from source, since tests change it to
// show what a line is there for.
func newScripts(source func(name string) string, journalLua string) scripts {
	record, depart := source("record"), source("depart")
	return scripts{
		attach:  redis.NewScript(source("attach"), record, journalLua, depart, source("reach")),
		renew:   redis.NewScript(source("renew")),
		restore: redis.NewScript(source("restore"), record),
		detach:  redis.NewScript(source("detach"), record, journalLua, depart),
		leave:   redis.NewScript(source("leave"), record, journalLua, depart),
		settle:  redis.NewScript(source("settle"), record, journalLua, depart),
		forget:  redis.NewScript(source("forget"), record, journalLua, source("reach")),
		update:  redis.NewScript(source("update"), record, journalLua),
		status:  redis.NewScript(source("status"), record, source("rule")),
		beat:    redis.NewScript(source("beat")),
		look:    redis.NewScript(source("look")),
		touch:   redis.NewScript(source("touch")),
		claim:   redis.NewScript(source("claim")),
	}
}
