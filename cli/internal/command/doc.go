// Package command is the claudemesh program: one file a verb.
//
// A verb is an options struct, a constructor that declares its flags, and a
// run method that works. What every verb needs comes from [app]: the
// environment, the printer, the identity store.
//
// Errors become words in one place, explain.go: message, hint and exit code.
//
//	0 done · 1 failed · 2 wrong usage · 3 not a member · 4 peer away or inbox full · 5 kept in the outbox
//
// # The session of a directory
//
// listen and mcp speak for a session of their working directory: a UUID derived
// from the absolute path (or named by the program around us), with a key kept on
// disk, so that whoever comes back there is the same peer. While one runs it
// holds the session's lock, and other commands of the directory act through it,
// over a socket (package local): they send with its key, see what it was sent
// and change its presence. Without one they connect transiently: nobody sees
// them come and go.
//
// keyring.go has the keys of topics for a session, and copies them for those who
// join; sharedfiles.go shows a directory to peers, if the user said so. What a
// lease owns (watches, subscriptions) needs a session; what is kept does not.
//
// host.go keeps a session, post.go what it sends and owes, control.go what it
// does for others. What arrives goes through one mailbox, what leaves through
// one outbox, both on disk; so nothing is shown twice, and nothing that was
// accepted is lost.
//
// Verbs about what a mesh shares build on sharing (shared.go): it asks through
// the session of the directory where one runs, else for the moment, and package
// share seals and opens.
package command
