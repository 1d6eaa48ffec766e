package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"signet/audit"
	"signet/storage"
)

// Options say how to open a store. Path alone is required.
type Options struct {
	Path    string        // of the file; made if it is missing, its folder is not
	Timeout time.Duration // how long to wait for another process to let go of the file; 2 s by default
	Queue   int           // how many acts may wait; 1024 by default
	Now     func() time.Time
	Log     *slog.Logger

	// Fatal is called once a commit failed in a way that leaves unknown what is on the disk. The default logs it and ends
	// the process with status 1. When it returns, the store refuses everything.
	Fatal func(error)
}

func (o *Options) setDefaults() {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Fatal == nil {
		log := o.Log
		o.Fatal = func(err error) {
			log.Error("storage: a commit failed and what is on the disk is unknown; the process ends, check the disk and start it again", "error", err)
			os.Exit(1)
		}
	}
}

// Store is a [storage.Store] in one file. Make it with [Open]. It is safe for concurrent use.
type Store struct {
	db    *bbolt.DB
	path  string
	now   func() time.Time
	log   *slog.Logger
	fatal func(error)

	queue   chan *act
	idle    chan struct{} // closed when the committer has ended
	closing sync.RWMutex  // held for reading while something is put in the queue
	closed  atomic.Bool
	stopped atomic.Bool // after a failed commit
	full    atomic.Bool // the last commit found no space

	measured measured

	commitTx func(*bbolt.Tx) error // (*bbolt.Tx).Commit; tests make it fail

	clients   *cached[storage.Client]
	resources *cached[storage.Resource]
	users     *cached[storage.User]

	head audit.Link // the end of the audit log as of the last commit; the committer's

	sweeping sync.Mutex
	walked   position // how far the sweeper came; under sweeping
}

var _ storage.Store = (*Store)(nil)

// How many rows are remembered: a few MiB of users at most, and in most installations all of the other two.
const (
	cachedClients   = 4096
	cachedResources = 1024
	cachedUsers     = 8192
)

// Open opens the store at o.Path and makes it if there is none. A file that cannot be used is refused with [ErrDamaged],
// [ErrForeign], [ErrNewer] or [ErrLocked] and a sentence that says what to do. A new store that finds no space is
// [storage.ErrNoSpace], and leaves no file behind.
func Open(o Options) (*Store, error) {
	o.setDefaults()
	found, err := inspect(o.Path)
	if err != nil {
		return nil, err
	}
	s, err := open(o, found)
	if errors.Is(err, errReplaced) {
		return Open(o)
	}
	if err != nil && !found && outOfSpace(err) {
		err = fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		if removed := os.Remove(o.Path); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
		return nil, err
	}
	return s, err
}

// outOfSpace says whether the making of a store found no space, at whichever step: it is undone by removing the file.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || errors.Is(err, storage.ErrNoSpace)
}

func open(o Options, found bool) (*Store, error) {
	db, err := openBolt(o)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db:        db,
		path:      o.Path,
		now:       o.Now,
		log:       o.Log,
		fatal:     o.Fatal,
		queue:     make(chan *act, o.Queue),
		idle:      make(chan struct{}),
		measured:  newMeasured(),
		commitTx:  (*bbolt.Tx).Commit,
		clients:   newCached(clientRows, cachedClients, stringKey),
		resources: newCached(resourceRows, cachedResources, resourceKey),
		users:     newCached(userRows, cachedUsers, stringKey),
	}
	if err := s.prepare(found); err != nil {
		db.Close()
		return nil, err
	}
	if err := s.chainLoose(); err != nil {
		db.Close()
		return nil, err
	}
	if err := s.indexOld(); err != nil {
		db.Close()
		return nil, err
	}
	go s.committer()
	return s, nil
}

// openBolt opens the file with bbolt.
//
// Page size: fixed, so that a file can move between machines whose systems use different pages. Small, since a commit copies a
// whole page for each row that it changes, and that is what limits rotations.
//
// Free pages: as a map, since an array is searched from its start for each page. Their list is written with each commit (8
// bytes for each free page), although bbolt could do without: it would then have to read the whole file at each start and
// after each rollback, and it does that in a goroutine of its own, where a damaged page ends the process and no recover
// helps.
//
// Growth: each step costs one more fsync, and the last one is what a small store is too large by.
//
// Initial map: address space, not memory. Growing the map waits for all readers and keeps new ones out; with this much of it
// most stores never do.
func openBolt(o Options) (db *bbolt.DB, err error) {
	var file *os.File
	defer func() {
		if err != nil && file != nil {
			file.Close() // bbolt has not, if it panicked, and with it the lock would stay
		}
	}()
	options := &bbolt.Options{
		// Each commit writes the list of free pages. As a sorted array it is copied; as a map, it would be gathered and sorted anew each
		// time, which with ten thousand free pages is most of a commit.
		FreelistType: bbolt.FreelistArrayType,

		Timeout:         o.Timeout,
		PageSize:        pageSize,
		InitialMmapSize: initialMap,
		NoStatistics:    true,
		OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(path, flag, mode)
			return file, err
		},
	}
	err = guard(func() (err error) {
		db, err = bbolt.Open(o.Path, 0o600, options)
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s holds %s; stop it, or let it do the work", ErrLocked, lockHolder(o.Path), o.Path)
	case errors.Is(err, ErrDamaged):
		return nil, err
	case errors.Is(err, syscall.EROFS):
		return nil, fmt.Errorf("%w; the store must be where it may be written to: look why the file system became so, its disk may be failing", err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	if !inPlace(file, o.Path) {
		db.Close()
		return nil, errReplaced
	}
	db.AllocSize = growth
	return db, nil
}

// errReplaced is a file that another one took the place of while we waited for its lock: what is written to it nobody would find again.
var errReplaced = errors.New("the file was replaced")

// inPlace says whether a file is the one that its path leads to.
func inPlace(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(ours, there)
}

const (
	pageSize = 4096
	growth   = 4 << 20
)

// initialMap is 1 GiB where addresses are plentiful.
const initialMap = 1 << (20 + 10*(strconv.IntSize/64))

// guard runs f so that what damage does to it (a fault in the map, a failed assertion of bbolt) is an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return f()
}

// storeVersion counts the layouts of the file; see the package comment.
const storeVersion = 5

const metaBucket = "meta"

var (
	metaFormat  = []byte("format")
	metaVersion = []byte("version")
	metaProbe   = []byte("probe") // written by Ready to see whether the disk takes something

	format = []byte("signet")
)

// buckets are those of the top level.
var buckets = []string{
	metaBucket, string(clientRows), string(resourceRows), string(userRows), loginBucket, declaredBucket, removedBucket, string(ringRows),
	string(browserRows), string(sessionRows), string(consentRows), string(familyRows),
	string(codeRows), string(interactionRows), string(openRows), string(keptRows), string(assertionRows), string(initialRows), auditBucket,
	checkpointBucket,
	begunBucket, marksBucket, string(noticeRows), outboxBucket, string(historyRows),
	string(deviceRows), string(userCodeRows), string(deniedRows),
}

// bucketsSince are those that files of an earlier version lack, by the version that brought them.
var bucketsSince = map[uint32][]string{
	2: {string(assertionRows), string(initialRows)},
	3: {declaredBucket},
	4: {checkpointBucket, begunBucket, marksBucket, string(noticeRows), outboxBucket, string(historyRows)},
	5: {string(deviceRows), string(userCodeRows), string(deniedRows)},
}

// prepare makes the store of an empty file, and checks that any other one is ours and readable at its upper levels.
func (s *Store) prepare(found bool) error {
	return guard(func() error {
		bolt, err := s.db.Begin(true)
		if err != nil {
			return fmt.Errorf("open %s: %w", s.path, err)
		}
		defer bolt.Rollback()
		if first, _ := bolt.Cursor().First(); first == nil {
			return s.create(newTx(bolt, s.log))
		}
		version, err := checkMeta(bolt, s.path)
		if err != nil {
			return err
		}
		if bolt.Bucket([]byte(metaBucket)).Get(metaUnfinished) != nil {
			return fmt.Errorf("%w: %s is what an interrupted restore or migration left behind; remove it and begin again", ErrUnfinished, s.path)
		}
		if version < storeVersion {
			return s.migrate(newTx(bolt, s.log), version)
		}
		for _, name := range buckets {
			b := bolt.Bucket([]byte(name))
			if b == nil {
				return damaged("%s lacks its bucket %s", s.path, name)
			}
			b.Cursor().First()
			b.Cursor().Last()
		}
		return s.tighten(found)
	})
}

// migrate makes a file of an earlier version one of this version, in one commit, and checks it as any other.
func (s *Store) migrate(t *tx, version uint32) error {
	for since, names := range bucketsSince {
		for _, name := range names {
			if since <= version {
				continue
			}
			if _, err := t.bolt.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("migrate %s: %w", s.path, err)
			}
		}
	}
	if users := t.bucket([]byte(userRows)); version < 3 && users != nil { // without them it is damaged, as is about to be found
		for _, u := range userRows.all(t) {
			t.declare(u)
		}
	}
	if version < 4 {
		t.put(t.bucket([]byte(metaBucket)), metaUnchained, sequenceKey(0)) // chainLoose does it, next
		t.put(t.bucket([]byte(metaBucket)), metaUnindexed, []byte{0})      // indexOld does it, next
	}
	t.put(t.bucket([]byte(metaBucket)), metaVersion, binary.BigEndian.AppendUint32(nil, storeVersion))
	if t.failed != nil {
		return fmt.Errorf("migrate %s: %w", s.path, t.failed)
	}
	if err := t.bolt.Commit(); err != nil {
		return fmt.Errorf("migrate %s: %w", s.path, err)
	}
	return s.prepare(true)
}

// create writes the first commit. It is durable when the folder is as well.
func (s *Store) create(t *tx) error {
	for _, name := range buckets {
		if _, err := t.bolt.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("create %s: %w", s.path, err)
		}
	}
	meta := t.bucket([]byte(metaBucket))
	t.put(meta, metaFormat, format)
	t.put(meta, metaVersion, binary.BigEndian.AppendUint32(nil, storeVersion))
	t.record(audit.Entry{Time: s.now(), Event: audit.StoreInitialized})
	if err := t.writeEntries(); err != nil {
		return err
	}
	if err := t.bolt.Commit(); err != nil {
		if noSpace(err) { // bbolt flattens some of these to text
			err = fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		}
		return fmt.Errorf("create %s: %w", s.path, err)
	}
	return syncFolder(filepath.Dir(s.path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) { // some file systems cannot, and say so
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// checkMeta returns the version of a file and refuses those of other programs and of later versions of this one.
func checkMeta(bolt *bbolt.Tx, path string) (uint32, error) {
	meta := bolt.Bucket([]byte(metaBucket))
	if meta == nil || string(meta.Get(metaFormat)) != string(format) {
		return 0, fmt.Errorf("%w: %s is a bbolt file of another program; choose another data folder", ErrForeign, path)
	}
	version := meta.Get(metaVersion)
	if len(version) != 4 {
		return 0, damaged("%s has no version", path)
	}
	v := binary.BigEndian.Uint32(version)
	if v == 0 {
		return 0, damaged("%s says that it has version 0, which never was", path)
	}
	if v > storeVersion {
		return 0, fmt.Errorf("%w: %s has version %d, this program knows %d; use the newer program, or restore a backup made before it ran", ErrNewer, path, v, storeVersion)
	}
	return v, nil
}

// tighten takes the file away from everybody but its owner: it holds password hashes.
func (s *Store) tighten(found bool) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.path, err)
	}
	if !found || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	s.log.Warn("storage: the file could be read by others; now only by its owner", "path", s.path, "mode", info.Mode().Perm())
	return os.Chmod(s.path, 0o600)
}

// Close finishes the acts that wait, refuses new ones, and lets go of the file.
func (s *Store) Close() error {
	s.closing.Lock()
	first := !s.closed.Swap(true)
	if first {
		close(s.queue)
	}
	s.closing.Unlock()
	<-s.idle
	if !first {
		return nil
	}
	return s.db.Close()
}

// Ready reports whether acts can be done. After a commit that found no space it tries to write something.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.refusing(); err != nil {
		return err
	}
	if !s.full.Load() {
		return ctx.Err()
	}
	return s.do(ctx, func(t *tx) error {
		t.put(t.bucket([]byte(metaBucket)), metaProbe, binary.BigEndian.AppendUint64(nil, t.snapshot))
		return nil
	})
}
