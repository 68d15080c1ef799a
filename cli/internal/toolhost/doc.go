// Package toolhost runs a local MCP server over stdio, and uses its tools for
// peers of the mesh.
//
// What a peer passes to a tool goes to the server as it is: who offers a server
// to the mesh decides by that what all members may do with it. Answers and
// their number at the same time are bounded.
package toolhost
