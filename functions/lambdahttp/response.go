package lambdahttp

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// maxAnswer is what is handed on of an answer, as the JSON it is encoded in: by
// Lambda 6 MB, by a balancer 1 MB. Of more its caller would get none of it.
var maxAnswer = map[source]int{gateway: 6_000_000, balancer: 1_000_000, balancerMulti: 1_000_000}

var errAnswerTooLarge = errors.New("lambdahttp: answer too large")

// A response collects what a handler writes.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool // more was written than any source takes
}

func newResponse() *response { return &response{header: make(http.Header)} }

// Header is part of http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader is part of http.ResponseWriter. The first call counts.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write is part of http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(b) > maxAnswer[gateway] {
		w.cut = true
		return 0, errAnswerTooLarge
	}
	return w.body.Write(b)
}

// refusal is an answer that no handler gave.
func refusal(status int, why string) *response {
	w := newResponse()
	http.Error(w, why, status)
	return w
}

// compress makes a long list fit, for a client that reads gzip.
func (w *response) compress() {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := w.body.WriteTo(z)
	if errors.Join(err, z.Close()) != nil {
		panic("lambdahttp: a buffer takes everything")
	}
	w.body = b
	w.header.Set("Content-Encoding", "gzip")
	w.header.Add("Vary", "Accept-Encoding")
}

// encode writes the answer in the shape that the event's source reads.
func (w *response) encode(to source) ([]byte, error) {
	text, err := w.shaped(to)
	if err == nil && (w.cut || len(text) > maxAnswer[to]) {
		return nil, errAnswerTooLarge
	}
	return text, err
}

func (w *response) shaped(to source) ([]byte, error) {
	w.WriteHeader(http.StatusOK)
	body, encoded := w.body.String(), false
	if !utf8.ValidString(body) {
		body, encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	if to == gateway {
		return json.Marshal(events.APIGatewayV2HTTPResponse{
			StatusCode: w.status, Headers: w.joined(), Body: body, IsBase64Encoded: encoded,
		})
	}
	answer := events.ALBTargetGroupResponse{
		StatusCode: w.status, StatusDescription: strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		Body: body, IsBase64Encoded: encoded,
	}
	if to == balancerMulti {
		answer.MultiValueHeaders = w.header
	} else {
		answer.Headers = w.joined()
	}
	return json.Marshal(answer)
}

// joined are the headers with one value each. We set no cookies, the one kind
// of header that cannot be joined.
func (w *response) joined() map[string]string {
	out := make(map[string]string, len(w.header))
	for name, values := range w.header {
		out[name] = strings.Join(values, ", ")
	}
	return out
}
