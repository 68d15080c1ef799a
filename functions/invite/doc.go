// Package invite is the function by which people come in.
//
//	POST /join                  by a token, or by proof of one
//	POST /invites/{code}/claim  by a short link
//	GET  /v1/invites/{code}     what may be known of it before
//	GET  /i/{code}              the same for a person
//
// A newcomer shows an invite and gets a member id. It may hand over the token
// and its content, as existing clients do, or prove with a hash that it has the
// token, so that neither the token nor the root key inside ever reach a
// process of ours. Role and preset come from the invite as the registry holds
// it: nothing that the newcomer says can raise them.
//
// Joining again with the same key answers the same member and consumes no use,
// so a client that never heard the answer just repeats itself.
//
// # Short links
//
// A short link is an address with a code and, behind the #, a secret; see
// [wire.ShortLink]. The registry holds the invite's token as sealed under that
// secret. A client fetches it by the code, opens it, checks the owner's
// signature inside against the fingerprint in the link, and only then claims,
// with the same proof as for a token. So whoever sees the code alone, in a log
// or as this broker, can look at the invite but neither join by it nor read
// nor swap the key in it.
//
// The page holds no script: one could read the secret from the address.
package invite
