package bolt

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cached is a table whose decoded rows are remembered, a bounded number of them.
//
// What it promises: a row from the cache is the row of the caller's snapshot. Each remembered row carries the id of the
// commit that it was read from. A commit takes the rows it changes out of the cache before it becomes visible, and notes its
// id; a fill from an older snapshot comes too late from then on and is dropped. So a row that is found, and is not newer
// than the caller's snapshot, was not changed in between. (One number for the table stands for "the key was changed since":
// rows of these tables change seldom, and a fill that was dropped needlessly costs one more read. A commit that fails after
// the note keeps fills out until the next one succeeds; it costs the same.)
//
// Remembered rows are immutable: nobody changes what their slices and pointers lead to.
type cached[R any] struct {
	table table[R]
	key   func(string) []byte

	mu   sync.Mutex
	rows *simplelru.LRU[string, cachedRow[R]]
	last uint64 // id of the last commit that changed a row of the table
}

type cachedRow[R any] struct {
	record R
	read   uint64 // id of the commit it was read from
}

// change is a row of a cached table that a transaction changed.
type change struct {
	cache forgetter
	key   string
}

type forgetter interface {
	forget(key string, commit uint64)
}

func newCached[R any](b table[R], size int, key func(string) []byte) *cached[R] {
	rows, err := simplelru.NewLRU[string, cachedRow[R]](size, nil)
	if err != nil { // a size of nothing
		panic(err)
	}
	return &cached[R]{table: b, key: key, rows: rows}
}

// recent returns the row as the last commit left it, if it is remembered.
func (c *cached[R]) recent(key string) (R, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows.Get(key)
	return row.record, ok
}

// get returns the row as t sees it.
func (c *cached[R]) get(t *tx, key string) (R, bool) {
	if _, changed := t.changed[change{c, key}]; changed {
		return c.table.get(t, c.key(key))
	}
	if record, ok := c.at(key, t.snapshot); ok {
		return record, true
	}
	record, ok := c.table.get(t, c.key(key))
	if ok {
		c.fill(key, cachedRow[R]{record, t.snapshot})
	}
	return record, ok
}

func (c *cached[R]) at(key string, snapshot uint64) (record R, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows.Get(key)
	if !ok || row.read > snapshot {
		return record, false
	}
	return row.record, true
}

func (c *cached[R]) fill(key string, row cachedRow[R]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if row.read >= c.last {
		c.rows.Add(key, row)
	}
}

func (c *cached[R]) put(t *tx, key string, record R) {
	c.table.put(t, c.key(key), record)
	c.change(t, key)
}

func (c *cached[R]) delete(t *tx, key string) {
	c.table.delete(t, c.key(key))
	c.change(t, key)
}

func (c *cached[R]) change(t *tx, key string) {
	if t.changed == nil {
		t.changed = make(map[change]struct{})
	}
	t.changed[change{c, key}] = struct{}{}
}

func (c *cached[R]) forget(key string, commit uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows.Remove(key)
	c.last = max(c.last, commit)
}
