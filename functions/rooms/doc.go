// Package rooms shows presence and queue to the admin function, which asks for
// interfaces of its own: package admin depends on neither room, and whoever
// runs it decides whether they are there.
package rooms
