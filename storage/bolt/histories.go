package bolt

import (
	"context"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

// historyRows has a row for each user who signed in, or at whose account somebody tried.
const historyRows table[storage.History] = "histories"

// History implements [storage.Histories].
func (s *Store) History(ctx context.Context, sub string) (h storage.History, err error) {
	err = s.view(ctx, func(t *tx) error {
		h, _ = historyRows.get(t, []byte(sub))
		return nil
	})
	return h, err
}

// SignInFailed implements [storage.Histories].
func (s *Store) SignInFailed(ctx context.Context, sub string, n storage.SignInNote, entries ...audit.Entry) error {
	return s.do(ctx, func(t *tx) error {
		if _, ok := s.users.get(t, sub); ok {
			history, _ := historyRows.get(t, []byte(sub))
			historyRows.put(t, []byte(sub), decide.Failed(history, sub, n))
		}
		t.recordAll(entries)
		return nil
	})
}
