package presence_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
)

// noJournal takes no notes of what others should know.
const noJournal = "local function journal_append() return 0, '' end"

func Example() {
	server, _ := miniredis.Run() // any Redis will do
	defer server.Close()
	ctx := context.Background()
	rdb, err := redis.Open(ctx, redis.Options{URL: "redis://" + server.Addr()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rdb.Close()
	named := func(name string) func(string) string {
		return func(mesh string) string { return name + ":" + rdb.Tag(mesh) + ":" + mesh }
	}
	store := presence.New(rdb, presence.Options{
		JournalLua:  noJournal,
		JournalKeys: func(mesh string) []string { return []string{named("journal")(mesh), named("head")(mesh)} },
		MembersKey:  named("members"), BansKey: named("bans"),
	})
	rdb.Do(ctx, "HSET", named("members")("shop"), "ana-key", "{}")

	hello := presence.Attachment{
		Peer: presence.Peer{Mesh: "shop", ID: "laptop"}, Member: "ana-key", Key: "session-key",
		Kind: presence.KindSession, Edge: "edge1", Conn: "conn1", Announce: true, Record: []byte(`{}`),
	}
	first, _ := store.Attach(ctx, hello)
	fmt.Println(first.Outcome)

	_ = store.Detach(ctx, first.Held, first.Start.String()) // the socket is lost
	hello.Edge = "edge2"
	second, _ := store.Attach(ctx, hello)
	fmt.Println(second.Outcome)

	fmt.Println(store.Leave(ctx, first.Held)) // an older attachment has no say
	fmt.Println(store.Leave(ctx, second.Held))
	// Output:
	// joined
	// resumed
	// presence: lease lost
	// <nil>
}
