package queue

import "context"

// Empty reports whether nothing waits in these inboxes, in whatever lane. It
// is one question where [Queue.Read] takes one for each lane, and most inboxes
// of those who connect are empty. A lane without messages does not exist.
func (q *Queue) Empty(ctx context.Context, mesh string, inboxes []string) (bool, error) {
	args := make([]any, 1, 1+len(inboxes)*len(Lanes()))
	args[0] = "EXISTS"
	for _, inbox := range inboxes {
		for _, lane := range Lanes() {
			if err := checkLane(mesh, inbox, lane); err != nil {
				return false, err
			}
			args = append(args, q.at(mesh).inbox(inbox, lane))
		}
	}
	n, err := q.c.Do(ctx, args...).Int()
	if err != nil {
		return false, wrap("empty", err)
	}
	return n == 0, nil
}
