// Package npm packs the command line for those who install programs with npm.
//
//	claudemesh                  a small wrapper, which finds the binary and runs it
//	@claudemesh/linux-x64 …     one static binary each, for one platform
//
// The wrapper names the others as optional dependencies, each with the os and
// cpu it is for, so that npm fetches the one that fits. Nothing is downloaded by
// a script at installation: that would fail behind a proxy, and run code that
// nobody has looked at.
//
// claudemesh install registers the binary itself, not the wrapper: hooks run at
// each turn of a session, and should not start a Node process each time.
package npm
