// Package command is the claudemesh program: one file a verb.
//
// A verb is an options struct, a constructor that declares its flags, and a
// run method that works. What every verb needs comes from [app]: the
// environment, the printer, the identity store.
//
// Errors become words in one place, explain.go: message, hint and exit code.
//
//	0 done · 1 failed · 2 wrong usage · 3 not a member · 4 peer away or inbox full
//
// # The session of a directory
//
// listen speaks for the session of its working directory: a UUID derived from
// the absolute path, with a key kept on disk, so that a listener which comes
// back there is the same peer. While it runs it holds the session's lock and
// answers summary and status over a socket in the identity directory, because
// the presence is the listener's and nobody else's. One-shot commands connect
// transiently: nobody sees them come and go.
package command
