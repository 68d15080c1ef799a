package edge

import "time"

// SetWorkingTTL shortens how long working lasts without a new word.
func (s *Server) SetWorkingTTL(d time.Duration) { s.timing.workingTTL = d }
