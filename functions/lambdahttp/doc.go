// Package lambdahttp serves an http.Handler on AWS Lambda.
//
// It understands the events of a function URL, of an HTTP API (payload 2.0)
// and of an Application Load Balancer, and answers each in its own shape. The
// handler sees an ordinary request: its target as on the request line, since
// signatures cover it, and as RemoteAddr the address the event came from.
//
// A handler is given less time than the invocation has. One that is not done
// by then is answered for with 503 and Retry-After, because an invocation that
// Lambda cuts off tells its caller nothing.
package lambdahttp
