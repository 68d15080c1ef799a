package edge

import "time"

// SetWorkingTTL shortens how long working lasts without a new word.
func (s *Server) SetWorkingTTL(d time.Duration) { s.timing.workingTTL = d }

// SetReportEvery shortens how often the edge tells the fleet of itself.
func (s *Server) SetReportEvery(d time.Duration) { s.reporter.every = d }

// Sockets counts the sockets here, those of strangers included.
func (s *Server) Sockets() int { return len(s.socketsHere()) }

// MetricsURL is where the counts are served alone.
func (s *Server) MetricsURL() string { return "http://" + s.metricsAt.Addr().String() + "/metrics" }
