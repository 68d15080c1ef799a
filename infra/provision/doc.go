// Package provision makes sure that a machine has a Redis server to start: it
// finds redis-server or valkey-server, and installs one where there is none.
//
// It asks nothing: no password and no question, so that `make run` and
// `make test` are single commands on a fresh machine. It starts nothing
// either. The server is for us to run as a private child process, and a system
// service that nobody asked for would outlive us.
//
// # Where it looks
//
//  1. CLAUDEMESH_REDIS_SERVER, when set: this one or none
//  2. PATH, and the directories where servers live that PATH often lacks
//  3. the private copy that an earlier run unpacked into the user's cache
//
// # How it installs
//
//  1. apt: the packages are downloaded and unpacked into the user's cache.
//     That needs no root, and the package's own service never starts.
//  2. brew, as the user it belongs to
//  3. dnf, yum, apk, zypper, pacman or apt-get, as root or by `sudo -n`
//
// Each step is bounded in time and announced in one line. A file lock keeps
// processes that start together, such as the packages of one `go test`, from
// installing twice.
package provision
