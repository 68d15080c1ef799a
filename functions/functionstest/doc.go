// Package functionstest makes meshes, keys and invites for tests of whatever
// stands on the registry.
package functionstest
