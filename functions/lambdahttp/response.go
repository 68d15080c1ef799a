package lambdahttp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// maxAnswer is below what Lambda hands on, 6 MB, however it is encoded.
const maxAnswer = 4 << 20

var errAnswerTooLarge = errors.New("lambdahttp: answer too large")

// A response collects what a handler writes.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
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
	if w.body.Len()+len(b) > maxAnswer {
		return 0, errAnswerTooLarge
	}
	return w.body.Write(b)
}

// encode writes the answer in the shape that the event's source reads.
func (w *response) encode(to source) ([]byte, error) {
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
