package history

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatIsWrittenIsReadInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Write(Record{At: 2, Kind: Surfaced, Peer: "ana", Run: 1, ID: "x"})
	w.Line([]byte(`{"at":1,"kind":"send","peer":"bob","to":"*"}`))
	if stamped := w.Write(Record{Kind: Quiet}); stamped.At == 0 {
		t.Error("a record without a time was given none")
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Kind != Send || got[0].To != "*" || got[1].ID != "x" || got[2].Kind != Quiet {
		t.Errorf("got %v", got)
	}
}

func TestALineThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := Read(strings.NewReader("{\"at\":1}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

func TestAHistoryIsBounded(t *testing.T) {
	t.Parallel()
	w := NewWriter(io.Discard)
	w.lines = MaxRecords
	w.Write(Record{Kind: Quiet})
	if err := w.Flush(); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v, want %v", err, ErrTooLong)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAFullDiskIsReported(t *testing.T) {
	t.Parallel()
	w := NewWriter(broken{})
	w.Write(Record{Kind: Quiet})
	if err := w.Flush(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want %v", err, io.ErrClosedPipe)
	}
}
