// Package serve runs a function: on Lambda where AWS_LAMBDA_RUNTIME_API says
// so, else as a plain HTTP server.
//
// The Redis client is made once for each process, at the first request that
// needs it. When that fails the request is answered 503 with Retry-After, and
// the next one tries again: a process that gave up at its start would be
// answered for by Lambda, with an error that tells the caller nothing.
package serve
