package commons

// WatchOptions says what URL watches may reach.
type WatchOptions struct {
	// Allow lists networks that may be watched although they are not public,
	// as CIDR blocks.
	Allow []string
}
