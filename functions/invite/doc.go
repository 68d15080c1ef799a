// Package invite is the function by which people come in: POST /join.
//
// A newcomer shows an invite and gets a member id. It may hand over the token
// and its content, as existing clients do, or prove with a hash that it has the
// token, so that neither the token nor the root key inside ever reach a
// process of ours. Role and preset come from the invite as the registry holds
// it: nothing that the newcomer says can raise them.
//
// Joining again with the same key answers the same member and consumes no use,
// so a client that never heard the answer just repeats itself.
package invite
