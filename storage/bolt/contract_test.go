package bolt

import (
	"path/filepath"
	"testing"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) storage.Store { return openTest(t) })
	storagetest.Moving(t, func(t *testing.T) storage.Store { return openTest(t) })
	storagetest.Reopen(t, func(t *testing.T) func() storage.Store {
		path := filepath.Join(t.TempDir(), "signet.db")
		return func() storage.Store { return openTest(t, func(o *Options) { o.Path = path }) }
	})
}
