package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"

	"signet/storage/codec"
)

// Why a file cannot be used.
var (
	ErrDamaged = codec.ErrDamaged
	ErrForeign = errors.New("not a store of Signet")
	ErrNewer   = codec.ErrNewer
	ErrLocked  = errors.New("the store is in use")
)

// damaged wraps ErrDamaged with what was found and what to do about it.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w; restore a backup", ErrDamaged, fmt.Errorf(format, args...))
}

// The layout of bbolt's pages, version 2, as far as it decides whether the file can be mapped: internal/common in its source.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	headerSize = 16 // id uint64, flags uint16, count uint16, overflow uint32
	metaSize   = 64

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	noFreelist = ^uint64(0)
)

// bbolt writes in the byte order of the machine; all that Go runs on and Signet is built for are little-endian.
var order = binary.LittleEndian

// meta is what a meta page says.
type meta struct {
	pageSize int64
	root     uint64 // page of the root bucket
	freelist uint64 // page of the list of free pages
	pages    uint64 // how many the file has
	txid     uint64
}

// inspect reads the parts of a file that bbolt trusts when it opens it, and refuses the file if they cannot be true. It
// reports whether there is a file at all.
func inspect(path string) (found bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: %s is not a regular file", ErrForeign, path)
	case info.Size() == 0:
		return true, nil
	}
	m, err := readMeta(file, path)
	if err != nil {
		return true, err
	}
	if size := int64(m.pages) * m.pageSize; info.Size() < size {
		return true, damaged("%s was cut off: it has %d bytes of %d", path, info.Size(), size)
	}
	if err := checkRoot(file, m); err != nil {
		return true, damaged("%s: %w", path, err)
	}
	if err := checkFreelist(file, m); err != nil {
		return true, damaged("%s: %w", path, err)
	}
	return true, nil
}

// readMeta returns the meta page that bbolt will use: the later of the good ones.
func readMeta(file io.ReaderAt, path string) (meta, error) {
	var best meta
	var ours bool // one of the pages is at least a page of bbolt
	for _, at := range []int64{0, pageSize} {
		m, magic, err := parseMeta(file, at)
		ours = ours || magic
		if err == nil && (best.pages == 0 || m.txid > best.txid) {
			best = m
		}
	}
	switch {
	case best.pages != 0:
		return best, nil
	case ours:
		return best, damaged("%s has no good meta page", path)
	case blank(file):
		return best, damaged("%s begins with zeros where its meta pages should be", path)
	default:
		return best, fmt.Errorf("%w: %s is some other file; choose another data folder", ErrForeign, path)
	}
}

var errMeta = errors.New("not a good meta page")

// parseMeta reads the meta page at an offset and says whether it is one at all.
func parseMeta(file io.ReaderAt, at int64) (m meta, magic bool, err error) {
	var page [headerSize + metaSize]byte
	if _, err := file.ReadAt(page[:], at); err != nil {
		return m, false, errMeta
	}
	body := page[headerSize:]
	if order.Uint32(body) != boltMagic {
		return m, false, errMeta
	}
	sum := fnv.New64a()
	sum.Write(body[:metaSize-8])
	m = meta{
		pageSize: int64(order.Uint32(body[8:])),
		root:     order.Uint64(body[16:]),
		freelist: order.Uint64(body[32:]),
		pages:    order.Uint64(body[40:]),
		txid:     order.Uint64(body[48:]),
	}
	good := order.Uint32(body[4:]) == boltVersion && order.Uint64(body[56:]) == sum.Sum64() &&
		m.pageSize == pageSize && m.root < m.pages && m.pages < 1<<40
	if !good {
		return m, true, errMeta
	}
	return m, true, nil
}

// blank says whether the file begins with nothing but zeros.
func blank(file io.ReaderAt) bool {
	var page [pageSize]byte
	n, _ := file.ReadAt(page[:], 0)
	for _, b := range page[:n] {
		if b != 0 {
			return false
		}
	}
	return true
}

// header reads a page's header.
func header(file io.ReaderAt, m meta, page uint64) (flags, count uint16, overflow uint32, err error) {
	var h [headerSize]byte
	if page < 2 || page >= m.pages {
		return 0, 0, 0, fmt.Errorf("page %d is outside the file", page)
	}
	if _, err := file.ReadAt(h[:], int64(page)*m.pageSize); err != nil {
		return 0, 0, 0, err
	}
	if order.Uint64(h[:]) != page {
		return 0, 0, 0, fmt.Errorf("page %d says it is another", page)
	}
	return order.Uint16(h[8:]), order.Uint16(h[10:]), order.Uint32(h[12:]), nil
}

func checkRoot(file io.ReaderAt, m meta) error {
	flags, _, _, err := header(file, m, m.root)
	if err != nil {
		return err
	}
	if flags != branchPage && flags != leafPage {
		return fmt.Errorf("page %d is not the root of a tree", m.root)
	}
	return nil
}

var errFreelist = errors.New("the list of free pages is not one")

// freePages returns how many pages are free, and where in the file their numbers are.
func freePages(file io.ReaderAt, m meta) (n, at int64, err error) {
	flags, count, overflow, err := header(file, m, m.freelist)
	if err != nil {
		return 0, 0, err
	}
	room := (int64(overflow)+1)*m.pageSize - headerSize
	if flags != freelistPage || int64(m.freelist)+int64(overflow) >= int64(m.pages) {
		return 0, 0, errFreelist
	}
	at, n = int64(m.freelist)*m.pageSize+headerSize, int64(count)
	if count == 0xFFFF { // too many for the header: the first element is their number
		var first [8]byte
		if _, err := file.ReadAt(first[:], at); err != nil {
			return 0, 0, err
		}
		n, at, room = int64(order.Uint64(first[:])), at+8, room-8
	}
	if n < 0 || n > room/8 {
		return 0, 0, errFreelist
	}
	return n, at, nil
}

// checkFreelist reads the list of free pages. With a wrong one bbolt would write over pages that are in use.
func checkFreelist(file io.ReaderAt, m meta) error {
	if m.freelist == noFreelist { // bbolt would rebuild it where a panic cannot be caught; see openBolt
		return fmt.Errorf("%w: it was left out", errFreelist)
	}
	n, at, err := freePages(file, m)
	if err != nil {
		return err
	}
	ids := make([]byte, n*8)
	if _, err := file.ReadAt(ids, at); err != nil {
		return err
	}
	for before := uint64(1); len(ids) > 0; ids = ids[8:] {
		id := order.Uint64(ids)
		if id <= before || id >= m.pages || id == m.root {
			return errFreelist
		}
		before = id
	}
	return nil
}
