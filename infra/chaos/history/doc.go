// Package history is what happened in a chaos run, a line of JSON for each
// thing that a client did or saw and for each fault. All processes of a run are
// on one machine, so that the times of all lines are of one clock.
//
// The lines of peers are written by the program cli/cmd/loadpeer, which cannot
// import this package; the names of the fields are their agreement.
package history
