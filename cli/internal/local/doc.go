// Package local is how one-shot commands speak to the session that runs in
// their directory: over a Unix socket of this user, and nobody else.
//
// Three things keep others out. The socket has mode 0600 and lies in a private
// directory. Each side asks the kernel who is at the other end, where the
// kernel tells (Linux). And a request carries a token that the session wrote
// into a file of mode 0600 beside the socket, so that a program which can
// connect but not read our files gets nowhere.
//
// An exchange is one JSON line each way:
//
//	{"token":"…","op":"peers","args":{…}}
//	{"ok":true,"result":{…}}   or   {"ok":false,"error":"…","hint":"…","code":4}
package local
