// Package share is the client's side of what a mesh shares: state, memory,
// contexts, tasks, skills and the vault.
//
// Whoever can ask, over a connection of its own or through the session that
// runs in this directory, is an [Asker]. [Ask] asks it for an answer of a kind;
// that is all that families need which have nothing to seal.
//
// # Sealed by default
//
// A [Mesh] seals what goes out, and opens what comes in. Values, texts, tags,
// titles, results and instructions leave as one sealed word, signed by the
// member, which stands in the field where existing clients keep the text; a
// record is sealed as a whole and for its key, name or id, so that a broker can
// neither mix two of them nor swap them. Keys of
// the state, names of skills and of vault entries, assignees, priorities and
// who wrote what when stay readable for the broker: it finds things by them.
//
// What stands there in clear was written by an older client or on purpose, and
// is marked: its [Origin] is not sealed. What does not open has a problem in
// its origin, and no text.
//
// Topics have keys of their own, in the format of existing clients. Whoever
// creates one makes the key; a member's copy is sealed by whoever has the key and
// looks at the topic. What is said under it is not signed: everybody who has the
// key can have written it, and only the broker says who did.
//
// A broker cannot search what it cannot read. So memories and contexts are
// fetched and searched here, by the rules of package recall, as are skills.
package share
