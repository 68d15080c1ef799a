package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// ErrNobody says that no session runs behind a socket.
var ErrNobody = errors.New("local: no session runs here")

// ErrGone says that the session ended before it answered.
var ErrGone = errors.New("local: the session went away")

// Call has the session behind a socket do something. The answer is decoded into
// result, unless that is nil.
func Call(ctx context.Context, path, op string, args, result any) error {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNobody, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := sameUser(conn.(*net.UnixConn)); err != nil {
		return err
	}
	token, err := os.ReadFile(tokenPath(path))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNobody, err)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(exchangeWait + time.Second)) // its failure shows in the read
	q := question{Token: string(token), Request: Request{Op: op, Args: raw}}
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	var a answer
	if err := json.NewDecoder(io.LimitReader(conn, 8*maxLine)).Decode(&a); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	switch {
	case !a.OK && a.Refusal != nil:
		return a.Refusal
	case !a.OK:
		return ErrGone
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("local: answer: %w", err)
	}
	return nil
}
