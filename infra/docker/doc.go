// Package docker is the image of an edge and a small fleet on one machine:
// Dockerfile, compose.yaml and the configuration of its balancer. It holds no
// code but the tests that keep these three true to the edge, because neither
// needs a Docker daemon to be wrong.
//
// The image is made from scratch: no shell, no package manager, no user but a
// number. It also carries the sidecar of infra/aws, which is of use on ECS only.
package docker
