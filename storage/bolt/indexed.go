package bolt

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"signet/storage"
	"signet/storage/codec"
)

// Files of before version 4 lack the index of what was begun for whom, and numbers of the status list. Both are made once, at the first
// start of a program that knows them, in commits of some megabytes. The first commit of the migration notes in metaUnindexed that it has
// begun, each one how far it came; a start that was interrupted goes on from there, and nothing else is done before the end.

// metaUnindexed is where the walk goes on: a table ‖ the last key that is done; a zero byte at the start.
var metaUnindexed = []byte("unindexed")

// indexedTables are what is walked, each with the letter that stands for it in the note, in the order of the letters.
var indexedTables = []struct {
	letter byte
	table  string
}{{'c', string(clientRows)}, {'f', string(familyRows)}, {'s', string(sessionRows)}}

// indexedAtOnce bounds the bytes that are read for a commit.
const indexedAtOnce = 8 << 20

// indexOld does what is left of it.
func (s *Store) indexOld() error {
	return s.inPieces(metaUnindexed, "what was begun for whom", func(t *tx) bool { return s.indexSome(t, indexedAtOnce) })
}

// inPieces does the part of a migration that is too large for one commit, as long as its note in the meta bucket is there. Where there is none
// nothing is committed: a start would pay for it, and on a full disk fail by it.
func (s *Store) inPieces(note []byte, what string, some func(*tx) (more bool)) error {
	more := false
	err := guard(func() error {
		return s.db.View(func(bolt *bbolt.Tx) error {
			more = bolt.Bucket([]byte(metaBucket)).Get(note) != nil
			return nil
		})
	})
	for more && err == nil {
		err = guard(func() error {
			return s.db.Update(func(bolt *bbolt.Tx) error {
				t := newTx(bolt, s.log)
				more = some(t)
				return t.failed
			})
		})
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %s: %w", s.path, what, err)
	}
	return nil
}

// indexSome does rows of about so many bytes, and says whether there are more.
func (s *Store) indexSome(t *tx, limit int) (more bool) {
	meta := t.bucket([]byte(metaBucket))
	note := t.get(meta, metaUnindexed)
	if note == nil {
		return false
	}
	note = bytes.Clone(note)
	for _, it := range indexedTables {
		if it.letter < note[0] {
			continue
		}
		var after []byte
		if it.letter == note[0] {
			after = note[1:]
		}
		if last := s.indexTable(t, it.table, after, limit); last != nil {
			t.put(meta, metaUnindexed, append([]byte{it.letter}, last...))
			return t.failed == nil
		}
	}
	t.delete(meta, metaUnindexed)
	return false
}

// indexTable does the rows of a table after a key. It returns the last key that it did, or nil at the end of the table.
func (s *Store) indexTable(t *tx, table string, after []byte, limit int) (last []byte) {
	rows, done := t.someRows(table, after, limit)
	var keys [][]byte
	for _, row := range rows {
		key, err := s.indexRow(t, table, row)
		if err != nil { // it stays, for whoever repairs it: nothing finds it by its user, and nothing did before
			s.log.Error("storage: a row that cannot be read is not indexed", "table", table, "key", printable(row.key), "error", err)
			continue
		}
		if key != nil {
			keys = append(keys, key)
		}
	}
	t.indexBegun(keys)
	if done {
		return nil
	}
	return rows[len(rows)-1].key
}

type keyRow struct{ key, row []byte }

// someRows returns rows of a table after a key, and whether they are the last ones.
func (t *tx) someRows(table string, after []byte, limit int) (rows []keyRow, done bool) {
	c, size := t.bucket([]byte(table)).Cursor(), 0
	key, row := c.First()
	if after != nil {
		if key, row = c.Seek(after); bytes.Equal(key, after) {
			key, row = c.Next()
		}
	}
	for ; key != nil; key, row = c.Next() {
		if size > limit {
			return rows, false
		}
		rows = append(rows, keyRow{bytes.Clone(key), bytes.Clone(row)})
		size += len(row)
	}
	return rows, true
}

// indexRow gives a row its number, if it is one that wants one, and returns its key in the index.
func (s *Store) indexRow(t *tx, table string, at keyRow) (key []byte, err error) {
	switch table {
	case string(clientRows):
		var c storage.Client
		if err := codec.Decode(at.row, &c); err != nil {
			return nil, err
		}
		if numbered := t.numberClient(c, c, storage.Change{}); numbered.ServiceStatus != c.ServiceStatus {
			clientRows.put(t, at.key, numbered)
		}
	case string(familyRows):
		var f storage.Family
		if err := codec.Decode(at.row, &f); err != nil {
			return nil, err
		}
		if now := s.now(); f.Status == 0 && f.Ended.IsZero() && now.Before(f.Expires) && now.Before(f.IdleExpires) {
			f.Status = t.number()
			familyRows.put(t, at.key, f)
		}
		key = begunFamily(f)
	case string(sessionRows):
		var session storage.Session
		if err := codec.Decode(at.row, &session); err != nil {
			return nil, err
		}
		key = begunSession(session)
	}
	return key, nil
}
