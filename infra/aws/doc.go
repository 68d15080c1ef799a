// Package aws is one CloudFormation template, template.yaml, and the tests that
// hold it to the code; infra/README.md is the guide to it. Package sidecar
// beside it is the little code that runs on AWS only.
//
// A template is code that nobody compiles: a variable that no process reads, a
// health check on a path that is not served or a stop time-out below the drain
// shows itself in an outage. So the tests read the template as CloudFormation
// does and compare it with the real things: the variables with edge.Config, the
// paths with a running edge, the Redis settings with infra/redis/redis.conf,
// the metrics with package sidecar. Where cfn-lint is installed it has a say
// too; it knows the properties of every AWS resource, which the tests do not.
//
// The template uses no transform, no macro and no YAML alias (CloudFormation
// knows none), so what is written there is what is made.
package aws
