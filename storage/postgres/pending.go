package postgres

import (
	"context"
	"errors"
	"time"

	"signet/audit"
	"signet/storage"
)

var errPending = errors.New("this act is not there yet")

func (s *Store) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (storage.Ended, error) {
	for _, id := range ids {
		if err := s.EndSession(ctx, id, o); err != nil {
			return storage.Ended{}, err
		}
	}
	return storage.Ended{}, nil
}

func (s *Store) EndUser(context.Context, string, storage.Change) (storage.Ended, error) {
	return storage.Ended{}, errPending
}

func (s *Store) Withdraw(context.Context, string, string, storage.Change) (storage.Ended, error) {
	return storage.Ended{}, errPending
}

func (s *Store) Sessions(context.Context, string, time.Time) ([]storage.Session, error) {
	return nil, errPending
}

func (s *Store) Families(context.Context, string, time.Time) ([]storage.Family, error) {
	return nil, errPending
}

func (s *Store) Consents(context.Context, string) ([]storage.Consent, error) { return nil, errPending }

func (s *Store) Session(context.Context, storage.ID) (storage.SessionUser, error) {
	return storage.SessionUser{}, errPending
}

func (s *Store) SelectSession(context.Context, storage.Handle, storage.Handle, storage.ID, time.Time) error {
	return errPending
}

func (s *Store) ClaimNotices(context.Context, time.Time, time.Time, int) ([]storage.Notice, error) {
	return nil, nil
}

func (s *Store) SettleNotice(context.Context, storage.Notice, storage.Change) error { return errPending }

func (s *Store) Notices(context.Context, storage.ID) ([]storage.Notice, error) { return nil, nil }

func (s *Store) Owed(context.Context, int) (int, time.Time, []storage.Notice, error) {
	return 0, time.Time{}, nil, nil
}

func (s *Store) Marked(context.Context, time.Time) (storage.Marks, error) {
	return storage.Marks{}, nil
}

func (s *Store) History(context.Context, string) (storage.History, error) {
	return storage.History{}, nil
}

func (s *Store) SignInFailed(ctx context.Context, _ string, _ storage.SignInNote, entries ...audit.Entry) error {
	return s.Record(ctx, entries...)
}
