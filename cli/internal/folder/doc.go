// Package folder shows one directory to other peers, and nothing else.
//
// What a peer asks for is a path inside it. Names that begin with a dot are not
// there, nor are links, devices and sockets, nor anything that a path with ..
// or through a link would reach: the directory is opened once, and the kernel
// keeps all paths inside (see [os.Root]).
package folder
