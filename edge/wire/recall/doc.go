// Package recall is how texts are searched. It is part of the protocol, for
// clear texts are searched by the broker and sealed ones by the clients, and
// both should find the same.
//
// A text is taken apart into words: runs of letters and digits, in lowercase,
// reduced to their English stems (Porter2, as of snowballstem.org). Stop words
// do not count. A text is found when it has at least one word of the query;
// the order is by how many different words it has, then by the sum of
// tf·idf over them, then as given.
package recall
