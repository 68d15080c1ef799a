package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newTopic(a *app) *cobra.Command {
	return family("topic", "Talk where it is kept, and can be read later",
		"Talk where it is kept, and can be read later. Members join a topic, not sessions; who joined hears at once what\n"+
			"is said. A topic has a key, made here, of which every member who joins is sealed a copy by somebody who has\n"+
			"one: a listener that runs, or the next of its members who says or reads something.",
		newTopicCreate(a), newTopicList(a), newTopicJoin(a), newTopicLeave(a), newTopicMembers(a), newTopicHistory(a),
		newTopicSend(a), newTopicRead(a), newTopicDelete(a))
}

type topicCreateOptions struct {
	sharing
	description, visibility string
}

func newTopicCreate(a *app) *cobra.Command {
	o := &topicCreateOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "create NAME", short: "Make a topic, and join it",
		long: "Make a topic, and join it. Its key is made here and the broker never sees it; with --clear it has none, and\n" +
			"the broker reads what is said.",
		example: `claudemesh topic create builds --description "what the machines say"`, args: exactly("NAME"), writes: true,
		run: func(ctx context.Context, m *share.Mesh, args []string) error { return o.create(ctx, m, args[0]) },
	})
	c.Flags().StringVar(&o.description, "description", "", "what it is about, in `WORDS` that the broker can read")
	c.Flags().StringVar(&o.visibility, "visibility", string(wire.TopicPublic), "for `WHOM` it is meant: public, private or dm")
	return c
}

type topicAnswer struct {
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	Visibility wire.TopicVisibility `json:"visibility,omitempty"`
	Created    bool                 `json:"created"`
}

func (o *topicCreateOptions) create(ctx context.Context, m *share.Mesh, name string) error {
	visibility := wire.TopicVisibility(o.visibility)
	if !visibility.Valid() {
		return ui.Usagef("there is no visibility %q", o.visibility).Hinted("--visibility public, private or dm")
	}
	made, err := m.CreateTopic(ctx, name, o.description, visibility)
	if err != nil {
		return err
	}
	if !made.Created {
		o.out.Say("#%s was there already", ui.CleanLine(made.Topic.Name))
	}
	return o.wrote(m, topicAnswer{made.Topic.ID, made.Topic.Name, made.Topic.Visibility, made.Created}, made.Topic.ID)
}

func newTopicList(a *app) *cobra.Command {
	o, all := &sharing{app: a}, false
	c := o.verb(shareVerb{
		use: "list", short: "Show the topics",
		long:    "Show the topics of the mesh that you may read. An admin sees with --all which others there are, by their names.",
		example: "claudemesh topic list --json",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return a.topicList(ctx, m, all) },
	})
	c.Flags().BoolVar(&all, "all", false, "name those of others too that are not public; for admins")
	return c
}

func (a *app) topicList(ctx context.Context, m *share.Mesh, all bool) error {
	answer, err := share.Ask[*wire.TopicListResponse](ctx, m, &wire.TopicList{All: all})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Topics []wire.Topic `json:"topics"`
		}{notNone(answer.Topics)})
	}
	if len(answer.Topics) == 0 {
		a.out.Say("there is no topic yet; claudemesh topic create NAME")
		return nil
	}
	var rows [][]string
	for _, t := range answer.Topics {
		key := "clear"
		if t.Sealed {
			key = "sealed"
		}
		rows = append(rows, []string{
			ui.CleanLine(t.Name), strconv.Itoa(t.MemberCount), key, a.usual(ui.CleanLine(string(t.Visibility)), string(wire.TopicPublic)),
			a.day(t.CreatedAt.Time), text(t.Description),
		})
	}
	return a.table([]string{"TOPIC", "MEMBERS", "KEY", "FOR", "SINCE", "ABOUT"}, rows)
}

type topicJoinOptions struct {
	sharing
	role string
}

func newTopicJoin(a *app) *cobra.Command {
	o := &topicJoinOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "join TOPIC", short: "Join a topic",
		long: "Join a topic, with all your sessions. Until somebody who has its key has sealed you a copy, what is said there\n" +
			"cannot be read here.",
		example: "claudemesh topic join builds", args: exactly("TOPIC"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return o.join(ctx, m, share.TopicName(args[0]))
		},
	})
	c.Flags().StringVar(&o.role, "role", string(wire.TopicMember), "your `PART`: member, observer or lead")
	return c
}

func (o *topicJoinOptions) join(ctx context.Context, m *share.Mesh, topic string) error {
	role := wire.TopicRole(o.role)
	if !role.Valid() {
		return ui.Usagef("there is no part %q", o.role).Hinted("--role member, observer or lead")
	}
	if err := share.Do(ctx, m, &wire.TopicJoin{Topic: topic, Role: role}); err != nil {
		return err
	}
	return o.didTopic(topic, "you are in #%s")
}

// didTopic says that something was done with a topic.
func (o *sharing) didTopic(topic, words string) error {
	if o.out.JSON {
		return o.out.Answer(struct {
			Topic string `json:"topic"`
		}{topic})
	}
	o.out.Say(words, ui.CleanLine(topic))
	return nil
}

func newTopicLeave(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "leave TOPIC", short: "Leave a topic", long: "Leave a topic, with all your sessions.",
		example: "claudemesh topic leave builds", args: exactly("TOPIC"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			topic := share.TopicName(args[0])
			if err := share.Do(ctx, m, &wire.TopicLeave{Topic: topic}); err != nil {
				return err
			}
			return o.didTopic(topic, "you are not in #%s any more")
		},
	})
}

func newTopicDelete(a *app) *cobra.Command {
	o, yes := &sharing{app: a}, false
	c := o.sub(&cobra.Command{
		Use: "delete TOPIC", Short: "End a topic, with all that was said",
		Long: "End a topic for everybody, with all that was said in it. Whoever made it may do so, and admins. Those who\n" +
			"joined are told.",
		Example: "  claudemesh topic delete builds", Args: exactly("TOPIC"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.deleteTopic(c.Context(), yes, share.TopicName(args[0]))
		},
	}, false)
	addYesFlag(c, &yes)
	return c
}

func (o *sharing) deleteTopic(ctx context.Context, yes bool, topic string) error {
	if err := o.sure(ctx, yes, "this ends #%s for everybody, with all that was said, and nothing brings it back", ui.CleanLine(topic)); err != nil {
		return err
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		if err := share.Do(ctx, m, &wire.TopicDelete{Topic: topic}); err != nil {
			return err
		}
		return o.didTopic(topic, "#%s is no more")
	})
}

func newTopicRead(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "read TOPIC", short: "Say that you have read all there is",
		long:    "Say that you have read all there is in a topic. Others see it, and its mentions of you count as read.",
		example: "claudemesh topic read builds", args: exactly("TOPIC"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			topic := share.TopicName(args[0])
			if err := share.Do(ctx, m, &wire.TopicMarkRead{Topic: topic}); err != nil {
				return err
			}
			return o.didTopic(topic, "#%s is read")
		},
	})
}

func newTopicMembers(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "members TOPIC", short: "Show who is in a topic", long: "Show who is in a topic, and when they last read it.",
		example: "claudemesh topic members builds", args: exactly("TOPIC"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return a.topicMembers(ctx, m, share.TopicName(args[0]))
		},
	})
}

func (a *app) topicMembers(ctx context.Context, m *share.Mesh, topic string) error {
	answer, err := share.Ask[*wire.TopicMembersResponse](ctx, m, &wire.TopicMembers{Topic: topic})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Members []wire.TopicPart `json:"members"`
		}{notNone(answer.Members)})
	}
	var rows [][]string
	for _, p := range answer.Members {
		rows = append(rows, []string{
			ui.CleanLine(p.DisplayName), a.usual(ui.CleanLine(string(p.Role)), string(wire.TopicMember)), a.when(p.JoinedAt.Time),
			a.moment(p.LastReadAt), a.key(strings.ToLower(p.Pubkey)),
		})
	}
	return a.table([]string{"MEMBER", "PART", "SINCE", "READ", "KEY"}, rows)
}
