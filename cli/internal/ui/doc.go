// Package ui is how the command line speaks: the answer on stdout, talk on
// stderr; tables for a terminal, tab-separated lines for a pipe, one JSON
// object a line for programs.
//
// A refusal is two lines on stderr, without capital or full stop:
//
//	claudemesh: no mesh joined yet
//	hint: claudemesh join LINK
//
// Whatever other peers wrote passes through [Clean] before a person sees it.
package ui
