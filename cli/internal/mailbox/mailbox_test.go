package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
)

func open(t *testing.T, path string) *Box {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func place(t *testing.T) string { return filepath.Join(t.TempDir(), "box") }

func message(n int) Message {
	return Message{Key: fmt.Sprint("k", n), ID: receipt.NewID(), From: "sender", To: "us", Text: fmt.Sprint("text ", n), Verified: true}
}

func add(t *testing.T, b *Box, m Message) {
	t.Helper()
	if ok, err := b.Add(t.Context(), m); err != nil || !ok {
		t.Fatalf("added %v, %v", ok, err)
	}
}

func texts(messages []Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return strings.Join(all, ",")
}

func TestEachMessageIsShownOnceAcrossDoorsAndRestarts(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	for n := range 3 {
		add(t, b, message(n))
	}
	first, left := b.Claim(1, 1<<20)
	if texts(first) != "text 0" || left != 2 {
		t.Fatalf("claimed %q, %d left", texts(first), left)
	}
	other, _ := b.Claim(10, 1<<20)
	if texts(other) != "text 1,text 2" {
		t.Fatalf("another door got %q", texts(other))
	}
	b.Release(other)
	if err := b.Shown(first); err != nil {
		t.Fatal(err)
	}
	again := open(t, path) // as after a crash: other was claimed, but not shown
	if got, _ := again.Claim(10, 1<<20); texts(got) != "text 1,text 2" {
		t.Errorf("after a restart: %q", texts(got))
	}
	if ok, err := again.Add(t.Context(), message(0)); ok || err != nil {
		t.Errorf("took a repeat: %v, %v", ok, err)
	}
}

func TestTheFileIsForItsOwnerAndForgetsTextsThatWereShown(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	add(t, b, message(1))
	got, _ := b.Claim(1, 1)
	if err := b.Shown(got); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "text 1") {
		t.Errorf("%s, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestALineThatACrashCutOffIsLeftOut(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	add(t, b, message(1))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"add":{"key":"k2","te`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := open(t, path)
	if again.Unread() != 1 {
		t.Errorf("%d messages", again.Unread())
	}
	add(t, again, message(2))
	if open(t, path).Unread() != 2 {
		t.Error("what came after it is lost")
	}
}

func TestAFullBoxWaitsForItsReader(t *testing.T) {
	t.Parallel()
	b := open(t, place(t))
	for n := range maxUnread {
		add(t, b, message(n))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := b.Add(ctx, message(maxUnread)); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("took one more: %v, %v", ok, err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := b.Add(t.Context(), message(maxUnread))
		done <- err
	}()
	got, _ := b.Claim(1, 1)
	if err := b.Shown(got); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnAskedReceiptIsOwedUntilItWasSentThroughRestarts(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	add(t, b, message(1))
	unasked := message(2)
	unasked.ID = "01J"
	add(t, b, unasked)
	forged := message(3)
	forged.Verified = false
	add(t, b, forged)
	owed := open(t, path).Owed()
	if len(owed) != 1 || owed[0].State != receipt.Delivered || owed[0].Digest != receipt.Digest("text 1") {
		t.Fatalf("owes %+v", owed)
	}
	b = open(t, path)
	if err := b.Told(owed); err != nil {
		t.Fatal(err)
	}
	if len(b.Owed()) != 0 {
		t.Error("owes it still")
	}
	got, _ := b.Claim(9, 1<<20)
	if err := b.Shown(got); err != nil {
		t.Fatal(err)
	}
	owed = open(t, path).Owed()
	if len(owed) != 1 || owed[0].State != receipt.Surfaced {
		t.Errorf("owes %+v", owed)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	for n := range maxKnown + 50 {
		add(t, b, message(n))
		got, _ := b.Claim(1, 1<<20)
		if err := b.Shown(got); err != nil {
			t.Fatal(err)
		}
	}
	if again := open(t, path); len(again.items) != maxKnown {
		t.Errorf("%d are remembered", len(again.items))
	}
}

func TestALineThatWasCutOffCostsOnlyItself(t *testing.T) {
	t.Parallel()
	path := place(t)
	b := open(t, path)
	add(t, b, message(0))
	disk := &full{b.log.f, 10} // so many bytes fit, and then there is no space left
	b.log.f = disk
	if ok, err := b.Add(t.Context(), message(1)); err == nil {
		t.Fatalf("added %v to a full disk", ok)
	}
	b.log.f = disk.file
	add(t, b, message(2))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	all, _ := open(t, path).Claim(10, 1<<20)
	if texts(all) != "text 0,text 2" {
		t.Errorf("a restart finds %q", texts(all))
	}
}

// full is a file on a disk with little space left.
type full struct {
	file
	left int
}

func (f *full) Write(b []byte) (int, error) {
	n, err := f.file.Write(b[:min(f.left, len(b))])
	return n, errors.Join(err, syscall.ENOSPC)
}
