// Package admin asks a broker over HTTP for what needs no connection: enrolment,
// and everything about a mesh that its owner, its admins and its members may
// know or change.
//
// [Call] makes one request. [Client] signs with a key and decodes the answer; a
// refusal is a [peer.RefusedError], no answer [peer.ErrUnreachable], an answer
// of something else a [StatusError]. [Mesh] has a method for each thing that can
// be done to one mesh. Who may do it, the broker says: the owner's key anything,
// others by the role of their member key.
//
// Nothing here opens or seals anything, and no secret is sent: a signature goes
// out, the key stays.
package admin
