// Package pack builds the functions for Lambda and puts each into the zip that
// Lambda takes: one file, bootstrap, which may be executed.
//
// The same source gives the same bytes, whoever packs it and when: an entry has
// no time of its own and no owner, and the compiler is told to leave out where
// the source lay and which commit it was. So an unchanged function is not
// deployed again.
package pack
