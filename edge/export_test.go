package edge

import (
	"time"

	"golang.org/x/time/rate"
)

// SetWorkingTTL shortens how long working lasts without a new word.
func (s *Server) SetWorkingTTL(d time.Duration) { s.timing.workingTTL = d }

// SetReportEvery shortens how often the edge tells the fleet of itself.
func (s *Server) SetReportEvery(d time.Duration) { s.reporter.every = d }

// Sockets counts the sockets here, those of strangers included.
func (s *Server) Sockets() int { return len(s.socketsHere()) }

// MetricsURL is where the counts are served alone.
func (s *Server) MetricsURL() string { return "http://" + s.metricsAt.Addr().String() + "/metrics" }

// SetRequests sets how many requests a second one socket may make.
func (s *Server) SetRequests(perSecond float64) { s.timing.requests = rate.Limit(perSecond) }

// RequestsLeft is how many requests the socket of a peer may make at once. It
// reports false if the peer is not here.
func (s *Server) RequestsLeft(peer string) (float64, bool) {
	for _, c := range s.peers() {
		if c.peer.ID == peer {
			return c.socket.limit.bucket.Tokens(), true
		}
	}
	return 0, false
}
