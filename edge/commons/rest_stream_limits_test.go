package commons

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAStreamOutlivesTheLimitsOfARequestAndShowsThatItIsAlive(t *testing.T) {
	t.Parallel()
	const limit = 50 * time.Millisecond
	beats := make(chan time.Time)
	s := &Commons{audiences: newAudiences(), log: slog.New(slog.DiscardHandler)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := &sse{s: s, call: &apiCall{w: w, r: r}, topic: &topic{id: "t"}, out: http.NewResponseController(w)}
		if err := st.open(r.Context(), ""); err != nil {
			t.Error(err)
			return
		}
		st.follow(r.Context(), nil, beats, nil)
	}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
	server.Start()
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for range 2 {
		<-time.After(3 * limit)
		select {
		case beats <- time.Now():
		case <-time.After(10 * time.Second):
			t.Fatal("nobody serves the stream any more")
		}
		for lines.Scan() && !strings.HasPrefix(lines.Text(), `data: {"at":`) {
		}
		if lines.Err() != nil || lines.Text() == "" {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
	}
	s.EndStreams()
	var last string
	for lines.Scan() {
		last += lines.Text() + "\n"
	}
	if !strings.Contains(last, "event: error\ndata: {\"error\":\"unavailable\"") {
		t.Errorf("ended with %q", last)
	}
}
