// Package sidecar is what an edge needs beside it on ECS, and what the edge
// itself should not know: a way to get its certificate from a secret, and a way
// to get its metrics into CloudWatch. Both are in the image of the edge, so a
// task is made of one image that we build.
//
// # Certificate
//
// ECS hands secrets over in the environment, the edge reads files.
// [WriteCertificate] runs before the edge and refuses a pair that does not
// belong together, so that a wrong secret fails a deploy at its first task
// rather than at the handshake of every peer.
//
// # Metrics
//
// [Reporter] reads /metrics of the edge once a minute and writes one line of
// JSON in CloudWatch's embedded metric format, which the log driver carries
// along with everything else. So a metric needs no agent, no permission and no
// way out of the network. Counters become the difference to the minute before.
// The names are the ones that scaling, alarms and the dashboard in
// template.yaml use; a test beside the template holds the two together.
package sidecar
