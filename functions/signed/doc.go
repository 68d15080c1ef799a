// Package signed serves requests that are signed by a key: the one place that
// believes a signature, and the one that says what comes of it.
//
// A request under /v1 passes these steps, each of which may end it:
//
//	body ≤ 64 KiB      413 too_large
//	shape, ±60 s, signature over method, target, body, time and nonce
//	                   401 malformed, timestamp_skew, bad_signature
//	mesh exists        404 mesh_not_found
//	key may do this    403 forbidden, revoked
//	the gates          403, 429: a limit of all routes, then an operator's choice or a limit of the one
//	nonce is new       401 replayed
//	the work itself    400, 403, 404, 409, 429
//	Redis is away      503 unavailable, with Retry-After
//
// The signature comes before every look-up, so that a stranger cannot tell by
// time what the registry holds. The nonce comes after them, so that a stranger
// cannot fill Redis with nonces: not without a mesh, and where any key may ask,
// not beyond what the gate lets through. Who may ask for what is a table in the
// function that offers it: each [Route] names the [Role]s.
//
// The key travels in a header of its own, never in Authorization, which
// proxies and redirects drop or rewrite.
package signed
