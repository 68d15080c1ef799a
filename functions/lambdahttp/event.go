package lambdahttp

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// ErrEvent says that an event is no HTTP request. Lambda reports it to whoever
// invoked the function.
var ErrEvent = errors.New("lambdahttp: event is no HTTP request")

// errRequest says that a request is none that a web server would take. Who made
// it is told so; nothing is wrong with the function.
var errRequest = errors.New("lambdahttp: malformed request")

// source is where an event came from, hence the shape of its answer.
type source int

const (
	gateway       source = iota // function URL or HTTP API
	balancer                    // target group without multi-value headers
	balancerMulti               // target group with them
)

// request makes an HTTP request of an event. Proxies is how many hops of
// X-Forwarded-For our own balancers and edges have written.
func request(ctx context.Context, payload []byte, proxies int) (*http.Request, source, error) {
	var kind struct {
		Version        string `json:"version"`
		RequestContext struct {
			HTTP json.RawMessage `json:"http"`
			ELB  json.RawMessage `json:"elb"`
		} `json:"requestContext"`
	}
	switch err := json.Unmarshal(payload, &kind); {
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrEvent, err)
	case kind.RequestContext.ELB != nil:
		return fromBalancer(ctx, payload, proxies)
	case kind.RequestContext.HTTP != nil:
		r, err := fromGateway(ctx, payload)
		return r, gateway, err
	}
	return nil, 0, ErrEvent
}

func fromGateway(ctx context.Context, payload []byte) (*http.Request, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	target := e.RawPath
	if e.RawQueryString != "" {
		target += "?" + e.RawQueryString
	}
	headers := make(http.Header, len(e.Headers))
	for name, value := range e.Headers {
		headers.Set(name, value)
	}
	http := e.RequestContext.HTTP
	return newRequest(ctx, http.Method, target, headers, http.SourceIP, e.Body, e.IsBase64Encoded)
}

func fromBalancer(ctx context.Context, payload []byte, proxies int) (*http.Request, source, error) {
	var e events.ALBTargetGroupRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	headers, from := make(http.Header), balancer
	for name, value := range e.Headers {
		headers.Set(name, value)
	}
	if e.MultiValueHeaders != nil {
		from = balancerMulti
	}
	for name, values := range e.MultiValueHeaders {
		headers[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	r, err := newRequest(ctx, e.HTTPMethod, e.Path+query(&e), headers,
		hop(headers, max(1, proxies)), e.Body, e.IsBase64Encoded)
	return r, from, err
}

// query puts a balancer's query together again, in the order of names: the
// event does not tell the order of arrival. Names and values are still as the
// client escaped them.
func query(e *events.ALBTargetGroupRequest) string {
	parts := make([]string, 0, len(e.QueryStringParameters)+len(e.MultiValueQueryStringParameters))
	for name, value := range e.QueryStringParameters {
		parts = append(parts, name+"="+value)
	}
	for name, values := range e.MultiValueQueryStringParameters {
		for _, value := range values {
			parts = append(parts, name+"="+value)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.SortStableFunc(parts, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return cmp.Compare(a, b)
	})
	return "?" + strings.Join(parts, "&")
}

// hop is the nth address from the right of X-Forwarded-For. What stands further
// left was written by a stranger.
func hop(h http.Header, n int) string {
	hops := strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ",")
	if len(hops) < n {
		return ""
	}
	return strings.TrimSpace(hops[len(hops)-n])
}

func newRequest(ctx context.Context, method, target string, h http.Header, from, body string, encoded bool) (*http.Request, error) {
	if encoded {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return nil, fmt.Errorf("%w: body: %w", errRequest, err)
		}
		body = string(raw)
	}
	at, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	r.URL, r.RequestURI, r.RemoteAddr = at, target, from
	r.Header, r.Host = h, h.Get("Host")
	return r, nil
}
