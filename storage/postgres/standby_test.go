package postgres

import (
	"errors"
	"sync"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// TestStandby: what was answered is on the standby, also where the answer is that it was done before. When the standby takes over, the
// node that is told of both goes on with it.
func TestStandby(t *testing.T) {
	t.Parallel()
	primary := postgrestest.Start(t)
	standby := primary.Standby(t)
	url := postgrestest.URLs("signet", primary, standby)
	node := openTest(t, url)
	impatient := openTest(t, url, func(o *Options) { o.Timeout = 3 * time.Second })
	families := plant(t, node, 3)
	issue := plantSession(t, node, "bob")
	for generation := range uint32(20) {
		if _, _, err := node.RotateFamily(t.Context(), rotation(families[0], generation)); err != nil {
			t.Fatal(err)
		}
	}
	service, err := node.SaveClient(t.Context(), storage.Client{ID: clientID}, change)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]func(s *Store) error{
		"EndFamily":  func(s *Store) error { return s.EndFamily(t.Context(), families[1].ID, clientID, change) },
		"EndAccess":  func(s *Store) error { return s.EndAccess(t.Context(), families[2].ID, 0, clientID, change) },
		"EndService": func(s *Store) error { return s.EndService(t.Context(), clientID, service.ServiceSeries, change) },
		"EndSessions": func(s *Store) error {
			_, err := s.EndSessions(t.Context(), []storage.ID{issue.Authorization.Session}, change)
			return err
		},
	}
	standby.Kill(t)
	var all sync.WaitGroup
	for name, end := range ends {
		all.Go(func() {
			for range 2 { // the second one finds it done
				if err := end(impatient); !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("without the standby %s says %v", name, err)
				}
			}
		})
	}
	all.Wait()
	if state, err := node.Family(t.Context(), families[1].ID); err != nil || state.Family.Ended.IsZero() {
		t.Errorf("the family is not seen as ended, so this tests nothing: %v", err)
	}
	if err := standby.Restart(); err != nil {
		t.Fatal(err)
	}
	for name, end := range ends {
		if err := end(node); err != nil {
			t.Errorf("with the standby %s says %v", name, err)
		}
	}

	primary.Kill(t)
	if err := node.Ready(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("while a standby alone is left, Ready says %v", err)
	}
	standby.Promote(t)
	if err := node.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	row, _, err := node.RotateFamily(t.Context(), rotation(families[0], 20))
	if err != nil || row.Generation != 21 {
		t.Errorf("the family is at %d: %v", row.Generation, err)
	}
	for i, series := range []uint32{0, 1} {
		state, err := node.Family(t.Context(), families[i+1].ID)
		if err != nil || (i == 0) == state.Family.Ended.IsZero() || state.Family.Series != series {
			t.Errorf("the family is %+v: %v", state.Family, err)
		}
	}
}
