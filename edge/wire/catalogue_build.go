package wire

import (
	"cmp"
	"slices"
)

// families is the order of the catalogue.
var families = []Family{
	FamilyHandshake, FamilyPresence, FamilyMessages, FamilyConnection, FamilyState, FamilyMemory, FamilyContext,
	FamilyTasks, FamilyStreams, FamilySchedule, FamilyTopics, FamilyAPIKeys, FamilySkills, FamilyMCP, FamilyVault,
	FamilyWatches, FamilyWebhooks, FamilyAudit, FamilyClock, FamilyMesh, FamilyRelay, FamilyModeration, FamilyGrants,
	FamilyFiles, FamilyServices, FamilySQL, FamilyVectors, FamilyGraph,
}

// compareFrames sorts by family, what peers send before what edges send.
func compareFrames(a, b *FrameInfo) int {
	return cmp.Or(
		slices.Index(families, a.Family)-slices.Index(families, b.Family),
		sender(a)-sender(b),
		cmp.Compare(a.Type, b.Type),
	)
}

func sender(f *FrameInfo) int {
	if f.FromPeer {
		return 0
	}
	return 1
}

// framePointer is a frame struct's pointer, which is what is decoded into.
type framePointer[T any] interface {
	*T
	Message
}

// ask is a frame that a peer sends, with what answers it.
func ask[T any, P framePointer[T]](answers ...Type) FrameInfo {
	f := edge[T, P]()
	f.FromPeer, f.Answers = true, answers
	return f
}

// edge is a frame that an edge sends.
func edge[T any, P framePointer[T]]() FrameInfo {
	alloc := func() Message { return P(new(T)) }
	return FrameInfo{Type: alloc().FrameType(), alloc: alloc}
}

func (f FrameInfo) ours() FrameInfo {
	f.Ours = true
	return f
}

func (f FrameInfo) silent() FrameInfo {
	f.Silent = true
	return f
}

func (f FrameInfo) refusedWith(code Code) FrameInfo {
	f.refusal = code
	return f
}

func family(name Family, list ...FrameInfo) []FrameInfo {
	for i := range list {
		list[i].Family = name
	}
	return list
}

func forLater() []FrameInfo {
	list := make([]FrameInfo, 0, len(later))
	for t, l := range later {
		alloc := func() Message { return &Later{Type: t} }
		list = append(list, FrameInfo{
			Type: t, Family: l.family, FromPeer: true, Answers: []Type{TypeError}, Later: true, alloc: alloc,
		})
	}
	return list
}

// collect indexes the catalogue by type. Two frames of one type are a mistake
// in this package.
func collect(lists ...[]FrameInfo) map[Type]FrameInfo {
	index := map[Type]FrameInfo{}
	for _, list := range lists {
		for _, f := range list {
			if _, twice := index[f.Type]; twice {
				panic("wire: two frames of type " + string(f.Type))
			}
			index[f.Type] = f
		}
	}
	return index
}
