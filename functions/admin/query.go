package admin

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/functions/signed"
)

// maxPage bounds one answer of a list that has pages.
const maxPage = 200

// intQuery reads a number of the query, from 1 to most.
func intQuery(r *signed.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, invalid(fmt.Errorf("%s must be 1 to %d", name, most))
	}
	return n, nil
}

// isStreamID reports whether s is "MS-N", the id of an audit entry.
func isStreamID(s string) bool {
	ms, n, ok := strings.Cut(s, "-")
	_, err := strconv.ParseUint(ms, 10, 64)
	_, err2 := strconv.ParseUint(n, 10, 64)
	return ok && err == nil && err2 == nil
}
