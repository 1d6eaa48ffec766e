package postgres

import (
	"fmt"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// TestManyMeetAtOneRow: acts that all have to change one row are let through one by one, and none is given up.
func TestManyMeetAtOneRow(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	nodes := [2]*Store{openTest(t, url), openTest(t, url)}
	h := storage.NewHandle(epoch)
	token := storage.InitialToken{ID: h.ID, SecretHash: h.Hash(), Uses: 30, Created: epoch, Expires: epoch.Add(time.Hour)}
	if err := nodes[0].SaveInitialToken(t.Context(), token, change); err != nil {
		t.Fatal(err)
	}
	for _, err := range race(nodes, func(s *Store, i int) error {
		_, err := s.RegisterClient(t.Context(), storage.Client{ID: fmt.Sprint("app", i)}, h, change)
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	left, err := nodes[1].InitialToken(t.Context(), h, epoch)
	if err != nil || left.Uses != 10 {
		t.Errorf("%d uses are left, %v", left.Uses, err)
	}
}
