package commons_test

import (
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func webhookLines() []line {
	create := func(name string) *wire.CreateWebhook { return &wire.CreateWebhook{Name: name, ReqID: reqID()} }
	return []line{
		{
			frame: wire.TypeCreateWebhook, ask: func(*cast) wire.Request { return create(quoted) },
			reply: answered(func(_ *cast, r *wire.WebhookAck) error { return is(r.Secret != "") }),
			full:  func(*cast) wire.Request { return create("more") },
		},
		{frame: wire.TypeCreateWebhook, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeInvalidWebhook: create("a\nb"), wire.CodeWebhookExists: create(quoted),
		})},
		{
			frame: wire.TypeListWebhooks, by: byBob, ask: func(*cast) wire.Request { return &wire.ListWebhooks{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.WebhookList) error { return is(len(r.Webhooks) == 1 && r.Webhooks[0].URL == "") }),
		},
		{frame: wire.TypeDeleteWebhook, by: byBob, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeForbidden: &wire.DeleteWebhook{Name: quoted, ReqID: reqID()},
		})},
		{frame: wire.TypeDeleteWebhook, ask: func(*cast) wire.Request { return &wire.DeleteWebhook{Name: quoted, ReqID: reqID()} }},
	}
}

func auditLines() []line {
	return []line{
		{
			frame: wire.TypeAuditQuery, ask: func(*cast) wire.Request {
				return &wire.AuditQuery{EventType: "member_joined", Limit: 1, ReqID: reqID()}
			}, reply: answered(func(_ *cast, r *wire.AuditResult) error { return is(r.Total == 2 && len(r.Entries) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeAuditQueryError: &wire.AuditQuery{Offset: -1, ReqID: reqID()},
				wire.CodeInvalidArgument: &wire.AuditQuery{EventType: tooMuch, ReqID: reqID()},
			}),
		},
		{
			frame: wire.TypeAuditVerify, ask: func(*cast) wire.Request { return &wire.AuditVerify{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.AuditVerifyResult) error { return is(r.Valid && r.Entries > 0) }),
		},
	}
}

func infoLines() []line {
	return []line{{
		frame: wire.TypeMeshInfo, ask: func(*cast) wire.Request { return &wire.MeshInfo{ReqID: reqID()} },
		reply: answered(func(c *cast, r *wire.MeshInfoResult) error { return is(r.Mesh == c.m.ID && r.Peers == 3) }),
	}}
}

func moderationLines() []line {
	kick := func(s wire.Selector) *wire.Kick { return &wire.Kick{Selector: s, ReqID: reqID()} }
	send := func(s wire.Selector) *wire.Disconnect { return &wire.Disconnect{Selector: s, ReqID: reqID()} }
	eve := wire.Selector{Target: "eve"}
	return []line{
		{frame: wire.TypeKick, wrong: refuses(map[wire.Code]wire.Request{wire.CodeForbidden: kick(eve)})},
		{
			frame: wire.TypeKick, by: byBoss, ask: func(c *cast) wire.Request { c.m.Session(c.other, "eve"); return kick(eve) },
			reply: answered(func(_ *cast, r *wire.KickAck) error { return is(slices.Equal(r.Kicked, []string{"eve"})) }),
			told:  event(wire.EventPeerLeft), wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalid: kick(wire.Selector{})}),
		},
		{frame: wire.TypeDisconnect, wrong: refuses(map[wire.Code]wire.Request{wire.CodeForbidden: send(eve)})},
		{
			frame: wire.TypeDisconnect, by: byBoss, ask: func(c *cast) wire.Request { c.m.Session(c.other, "eve"); return send(eve) },
			reply: answered(func(_ *cast, r *wire.DisconnectAck) error { return is(slices.Equal(r.Affected, []string{"eve"})) }),
			told:  event(wire.EventPeerLeft), wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalid: send(wire.Selector{Target: tooMuch})}),
		},
		{frame: wire.TypeBan, wrong: refuses(map[wire.Code]wire.Request{wire.CodeForbidden: &wire.Ban{Target: "eve", ReqID: reqID()}})},
		{frame: wire.TypeBan, by: byBoss, ask: func(c *cast) wire.Request {
			c.m.Session(c.other, "eve")
			return &wire.Ban{Target: "eve", ReqID: reqID()}
		}, told: event(wire.EventPeerLeft), wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeInvalid: &wire.Ban{Target: founder, ReqID: reqID()}, wire.CodeNotFound: &wire.Ban{Target: "nobody", ReqID: reqID()},
		})},
		{
			frame: wire.TypeListBans, ask: func(*cast) wire.Request { return &wire.ListBans{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ListBansResult) error { return is(len(r.Bans) == 1 && r.Bans[0].Name == "eve") }),
		},
		{frame: wire.TypeUnban, wrong: refuses(map[wire.Code]wire.Request{wire.CodeForbidden: &wire.Unban{Target: "eve", ReqID: reqID()}})},
		{
			frame: wire.TypeUnban, by: byBoss, ask: func(*cast) wire.Request { return &wire.Unban{Target: "eve", ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeNotFound: &wire.Unban{Target: "eve", ReqID: reqID()}, wire.CodeInvalid: &wire.Unban{ReqID: reqID()},
			}),
		},
	}
}

func grantLines() []line {
	return []line{
		{
			frame: wire.TypeSetGrants, ask: func(c *cast) wire.Request {
				return &wire.SetGrants{SenderPubkey: c.bob.Member.Pub(), Capabilities: []wire.Capability{wire.CapDM}, ReqID: reqID()}
			}, reply: answered(func(_ *cast, r *wire.GrantsResult) error { return is(len(r.Grants) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.SetGrants{SenderPubkey: "bob", ReqID: reqID()}}),
		},
		{
			frame: wire.TypeGetGrants, ask: func(*cast) wire.Request { return &wire.GetGrants{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.GrantsResult) error { return is(len(r.Grants) == 1) }),
		},
	}
}
