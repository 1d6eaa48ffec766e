package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"signet/storage"
	"signet/storage/rows"
)

// Build makes the store at o.Path as a whole or not at all: fill has it under another name, and it takes its place once fill has returned
// nil. In the place there may be a store in which there is nothing yet; any other is [storage.ErrExists], and stays.
func Build(ctx context.Context, o Options, fill func(*Store) error) error {
	o.setDefaults()
	old, err := empty(ctx, o)
	if err != nil {
		return err
	}
	part, err := beside(o.Path)
	if err != nil {
		return err
	}
	defer os.Remove(part) // where it still is
	if err := build(o, part, fill); err != nil {
		return errors.Join(err, closeIf(old))
	}
	if err := compactPart(ctx, o, part); err != nil {
		return errors.Join(err, closeIf(old))
	}
	if old == nil { // a link, unlike a rename, fails where another has come meanwhile
		err = os.Link(part, o.Path)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: there is a store at %s meanwhile", storage.ErrExists, o.Path)
		}
	} else {
		err = os.Rename(part, o.Path)
	}
	return errors.Join(err, closeIf(old), syncFolder(filepath.Dir(o.Path)))
}

// empty opens the store that is to be replaced, if there is one, and with it keeps others out.
func empty(ctx context.Context, o Options) (*Store, error) {
	if _, err := os.Stat(o.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s, err := Open(o)
	if err != nil {
		return nil, err
	}
	blank, err := s.Blank(ctx)
	if err == nil && !blank {
		err = fmt.Errorf("%w: there is a store with data in %s", storage.ErrExists, o.Path)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func closeIf(s *Store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// beside makes an empty file of another name in the same folder. Those that interrupted runs left behind go.
func beside(path string) (string, error) {
	left, err := filepath.Glob(path + ".new-*")
	if err != nil {
		return "", err
	}
	for _, old := range left {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

func build(o Options, path string, fill func(*Store) error) error {
	o.Path = path
	s, err := Open(o)
	if err != nil {
		return err
	}
	return errors.Join(fill(s), s.Close())
}

// compactPart leaves out what was free while the store was filled. It is as much as the store itself, and the list of it would be written
// with every commit from then on.
func compactPart(ctx context.Context, o Options, path string) error {
	o.Path = path
	_, _, err := Compact(ctx, o)
	return err
}

// Compact writes the store at o.Path anew without the pages that are free, compares the two row by row, and puts the new one in the place of
// the old. It returns the sizes of both, in bytes. While it lasts both are on the disk, and nobody else can open the store.
func Compact(ctx context.Context, o Options) (before, after int64, err error) {
	o.setDefaults()
	s, err := Open(o)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }() // last: whoever waits for the old file must find the new one in its place
	part, err := beside(o.Path)
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(part)
	if err := s.copyTo(o, part); err != nil {
		if outOfSpace(err) {
			err = fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		}
		return 0, 0, err
	}
	if err := s.compare(ctx, o, part); err != nil {
		return 0, 0, err
	}
	if before, err = sizeOf(o.Path); err != nil {
		return 0, 0, err
	}
	if after, err = sizeOf(part); err != nil {
		return 0, 0, err
	}
	if err := os.Rename(part, o.Path); err != nil {
		return 0, 0, err
	}
	return before, after, syncFolder(filepath.Dir(o.Path))
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// compactedAtOnce bounds the bytes of a commit of the copy.
const compactedAtOnce = 8 << 20

func (s *Store) copyTo(o Options, path string) error {
	o.Path = path
	to, err := openBolt(o)
	if err != nil {
		return err
	}
	to.NoSync = true // once at the end is enough, in trim: nobody knows of it yet
	err = guard(func() error { return bbolt.Compact(to, s.db, compactedAtOnce) })
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return trim(path)
}

// trim cuts off what a file has grown beyond its pages, and makes it durable.
func trim(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	m, err := readMeta(file, path)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(int64(m.pages)*m.pageSize), file.Sync())
}

// compare reads the store at path and this one.
func (s *Store) compare(ctx context.Context, o Options, path string) error {
	return build(o, path, func(copied *Store) error {
		var want, got rows.Tally
		if err := errors.Join(want.Read(s.Export(ctx)), got.Read(copied.Export(ctx))); err != nil {
			return err
		}
		return rows.Compare(want.Sums(), got.Sums())
	})
}
