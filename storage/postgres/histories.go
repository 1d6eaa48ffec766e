package postgres

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectHistory     = `SELECT revision, record FROM signet.histories WHERE sub = $1`
	selectUserHistory = `SELECT u.revision, u.record, h.revision, h.record
		FROM signet.users u LEFT JOIN signet.histories h ON h.sub = u.sub WHERE u.sub = $1`
	insertHistory = `INSERT INTO signet.histories (sub, record) VALUES ($1, $2)`
)

var updateHistory = guarded(`UPDATE signet.histories SET revision = revision + 1, record = $3 WHERE sub = $1 AND revision = $2`)

// noting lets the sign-ins of one user go one after the other on this node: all of them write the same row, and many at once, each finding it
// changed, would run out of attempts. Users share locks; that costs a moment and nothing else.
func (s *Store) noting(sub string) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(sub))
	return &s.notes[h.Sum32()%uint32(len(s.notes))]
}

// saveHistory stores a history that follows on old. The act holds the user until its commit: who is removed leaves none behind.
func (a *act) saveHistory(old got[storage.History], h storage.History) {
	if old.Found {
		a.write(updateHistory, h.User, old.Revision, a.row(h))
	} else {
		a.write(insertHistory, h.User, a.row(h))
	}
}

// History implements [storage.Histories].
func (s *Store) History(ctx context.Context, sub string) (storage.History, error) {
	h, err := lookUp[storage.History](ctx, s, selectHistory, sub)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.History{}, nil
	}
	return h, err
}

// SignInFailed implements [storage.Histories].
func (s *Store) SignInFailed(ctx context.Context, sub string, n storage.SignInNote, entries ...audit.Entry) error {
	if !storable(sub) {
		return s.Record(ctx, entries...)
	}
	if sub != "" { // unknown users have no row; in one queue their attempts would take longer than those of others
		one := s.noting(sub)
		one.Lock()
		defer one.Unlock()
	}
	return s.do(ctx, func(a *act) error {
		var user got[storage.User]
		var history got[storage.History]
		a.read(selectUserHistory, []any{sub}, &user, &history)
		if user.Found {
			a.write(sameUser, sub, user.Revision)
			a.saveHistory(history, decide.Failed(history.Record, sub, n))
		}
		a.record(entries...)
		return nil
	})
}
