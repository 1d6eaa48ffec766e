package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
	"signet/storage/rows"
)

var _ storage.Moving = (*Store)(nil)

// exports select a record for each row of a kind, after its key. Where the record is not in the row as it is, exportOdd makes it.
var exports = map[storage.Kind]string{
	storage.KindClient:   `SELECT convert_to(id, 'UTF8'), record FROM signet.clients WHERE record IS NOT NULL ORDER BY id`,
	storage.KindResource: `SELECT convert_to(id, 'UTF8'), record FROM signet.resources ORDER BY id`,
	storage.KindUser:     `SELECT convert_to(sub, 'UTF8'), record FROM signet.users WHERE record IS NOT NULL ORDER BY sub`,
	storage.KindRing:     `SELECT ''::bytea, record FROM signet.ring`,
	storage.KindBrowser:  `SELECT id, record FROM signet.browsers ORDER BY id`,
	storage.KindSession:  `SELECT id, record FROM signet.sessions ORDER BY id`,
	storage.KindConsent: `SELECT convert_to(sub || ' ' || client, 'UTF8'), record FROM signet.consents
		ORDER BY octet_length(sub), sub, client`,
	storage.KindInitial:     `SELECT id, record FROM signet.initial ORDER BY id`,
	storage.KindCode:        `SELECT id, record FROM signet.codes ORDER BY id`,
	storage.KindDevice:      `SELECT id, record FROM signet.devices ORDER BY id`,
	storage.KindInteraction: `SELECT id, record FROM signet.interactions WHERE counts ORDER BY id`,
	storage.KindAnswered:    `SELECT id, record FROM signet.interactions WHERE NOT counts ORDER BY id`,
	storage.KindKept:        `SELECT id, record FROM signet.kept ORDER BY id`,
	storage.KindHistory:     `SELECT convert_to(sub, 'UTF8'), record FROM signet.histories ORDER BY sub`,
	storage.KindRecord:      `SELECT convert_to(sequence::text, 'UTF8'), record FROM signet.records WHERE sequence >= ` + firstKept + ` ORDER BY sequence`,
	storage.KindCheckpoint:  `SELECT convert_to(sequence::text, 'UTF8'), record FROM signet.checkpoints WHERE sequence >= ` + firstKept + ` - 1 ORDER BY sequence`,
	storage.KindEntry:       `SELECT convert_to(sequence::text, 'UTF8'), record FROM signet.audit ORDER BY sequence`,
}

const (
	exportRemoved = `SELECT $1::text, id FROM signet.clients WHERE record IS NULL
		UNION ALL SELECT $2::text, sub FROM signet.users WHERE record IS NULL ORDER BY 1, 2`
	exportFamilies = `SELECT id, record, status FROM signet.families ORDER BY id`
	exportNotices  = `SELECT ending, number, record, attempts, next FROM signet.outbox ORDER BY ending, number`
	exportMarks    = `SELECT number, forgotten FROM signet.marks ORDER BY number`

	exportAssertions = `SELECT client, jti, expires, replayed FROM signet.assertions ORDER BY expires, client, jti`
	exportDenied     = `SELECT jti, expires FROM signet.denied ORDER BY jti`
)

// Export implements [storage.Moving]. It is one transaction at REPEATABLE READ: while it lasts, VACUUM cannot take away what is
// deleted or changed.
func (s *Store) Export(ctx context.Context) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		err := s.snapshot(ctx, func(tx pgx.Tx) error {
			return exporter{ctx, tx, func(row storage.Row) error {
				if !yield(row, nil) {
					return errEnough
				}
				return nil
			}, func(f storage.Fault) error { return fmt.Errorf("%w: %s %s: %s", ErrDamaged, f.Kind, f.Key, f.Problem) }, nil}.all()
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(storage.Row{}, err)
		}
	}
}

// errEnough ends an export that nobody reads any more.
var errEnough = errors.New("enough rows")

// snapshot runs f with one moment of the database.
func (s *Store) snapshot(ctx context.Context, f func(pgx.Tx) error) error {
	conn, err := s.acquire(ctx, time.Now().Add(s.timeout))
	if err != nil {
		return s.explain(err)
	}
	defer conn.Release()
	return s.explainMove(pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f))
}

// explainMove explains the failures of PostgreSQL and leaves all others as they are.
func (s *Store) explainMove(err error) error {
	if err == nil || sqlState(err) == "" && !isConnectError(err) {
		return err
	}
	return s.explain(err)
}

// exporter gives out the rows of a transaction. look is called with the key beside each record, if it is not nil.
type exporter struct {
	ctx  context.Context
	tx   pgx.Tx
	give func(storage.Row) error
	bad  func(storage.Fault) error
	look func(kind storage.Kind, key, record []byte)
}

func (e exporter) all() error {
	for _, kind := range storage.Kinds {
		var err error
		switch kind {
		case storage.KindRemoved:
			err = e.removed()
		case storage.KindAssertion:
			err = e.assertions()
		case storage.KindDenied:
			err = e.denied()
		case storage.KindFamily:
			err = e.families()
		case storage.KindNotice:
			err = e.notices()
		case storage.KindMark:
			err = e.marks()
		default:
			err = e.records(kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e exporter) records(kind storage.Kind) error {
	var key, record pgtype.DriverBytes
	found, err := e.tx.Query(e.ctx, exports[kind])
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&key, &record}, func() error {
		if e.look != nil {
			e.look(kind, key, record)
		}
		if kind == storage.KindEntry { // anew: other backends have entries in rows of several
			return e.entry(key, record)
		}
		return e.give(storage.Row{Kind: kind, Record: record})
	})
	return err
}

func (e exporter) entry(key, record []byte) error {
	var entry audit.Entry
	if err := codec.Decode(record, &entry); err != nil {
		return e.bad(storage.Fault{Kind: storage.KindEntry, Key: string(key), Problem: err.Error()})
	}
	return e.record(storage.KindEntry, entry)
}

func (e exporter) record(kind storage.Kind, record any) error {
	row, err := rows.Encode(kind, record)
	if err != nil {
		return err
	}
	return e.give(row)
}

func (e exporter) removed() error {
	var id storage.RemovedID
	found, err := e.tx.Query(e.ctx, exportRemoved, string(storage.KindClient), string(storage.KindUser))
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{(*string)(&id.Kind), &id.ID}, func() error { return e.record(storage.KindRemoved, id) })
	return err
}

func (e exporter) assertions() error {
	var a storage.SpentAssertion
	var jti pgtype.DriverBytes
	found, err := e.tx.Query(e.ctx, exportAssertions)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&a.Client, &jti, &a.Expires, &a.Replayed}, func() error {
		if copy(a.JTI[:], jti) != len(jti) || len(jti) != len(a.JTI) {
			return e.bad(storage.Fault{Kind: storage.KindAssertion, Key: a.Client, Problem: "its jti is no SHA-256"})
		}
		a.Expires = codec.UTC(a.Expires)
		return e.record(storage.KindAssertion, a)
	})
	return err
}

func (e exporter) denied() error {
	var d storage.DeniedToken
	var jti pgtype.DriverBytes
	found, err := e.tx.Query(e.ctx, exportDenied)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&jti, &d.Expires}, func() error {
		if copy(d.JTI[:], jti) != len(jti) || len(jti) != len(d.JTI) {
			return e.bad(storage.Fault{Kind: storage.KindDenied, Key: printable(jti), Problem: "its jti is no SHA-256"})
		}
		d.Expires = codec.UTC(d.Expires)
		return e.record(storage.KindDenied, d)
	})
	return err
}

// families gives out families with the numbers of their columns.
func (e exporter) families() error {
	var key, record pgtype.DriverBytes
	var status int64
	found, err := e.tx.Query(e.ctx, exportFamilies)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&key, &record, &status}, func() error {
		return correct(e, storage.KindFamily, key, record, func(f storage.Family) (storage.Family, bool) {
			same := f.Status == uint64(status)
			f.Status = uint64(status)
			return f, same
		})
	})
	return err
}

func (e exporter) notices() error {
	var ending, record pgtype.DriverBytes
	var number, attempts int64
	var next time.Time
	found, err := e.tx.Query(e.ctx, exportNotices)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&ending, &number, &record, &attempts, &next}, func() error {
		return correct(e, storage.KindNotice, noticeKey(ending, number), record, func(n storage.Notice) (storage.Notice, bool) {
			c := corrected(n, attempts, next)
			return c, c.Attempts == n.Attempts && c.Next.Equal(n.Next)
		})
	})
	return err
}

// noticeKey is a notice's key, for people.
func noticeKey(ending []byte, number int64) []byte {
	return fmt.Appendf(nil, "%s/%d", printable(ending), number)
}

// correct gives out a record as its columns have it: as it is where they agree with it, and where it cannot be read, which who is given it finds.
func correct[R any](e exporter, kind storage.Kind, key, row []byte, as func(R) (_ R, same bool)) error {
	if e.look != nil {
		e.look(kind, key, row)
	}
	var record R
	if codec.Decode(row, &record) == nil {
		if right, same := as(record); !same {
			return e.record(kind, right)
		}
	}
	return e.give(storage.Row{Kind: kind, Record: row})
}

func (e exporter) marks() error {
	var number int64
	var until time.Time
	found, err := e.tx.Query(e.ctx, exportMarks)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(found, []any{&number, &until}, func() error {
		return e.record(storage.KindMark, storage.Mark{Number: uint64(number), Until: codec.UTC(until)})
	})
	return err
}

// tables are those that rows are imported into.
var tables = []string{"clients", "resources", "users", "logins", "ring", "browsers", "sessions", "families", "consents", "codes", "devices", "interactions",
	"kept", "assertions", "denied", "initial", "outbox", "histories", "marks"}

var (
	// lockTables keeps every server from writing until the end of the transaction.
	lockTables = `LOCK TABLE signet.` + strings.Join(tables, `, signet.`) + `, signet.records, signet.checkpoints, signet.audit IN EXCLUSIVE MODE`
	isBlank    = `SELECT NOT EXISTS (SELECT FROM signet.` + strings.Join(tables, `) AND NOT EXISTS (SELECT FROM signet.`) + `)`
)

// importedAtOnce bounds the bytes of a COPY, which are in memory.
const importedAtOnce = 4 << 20

// Import implements [storage.Moving]. It is one transaction: if it does not come to its end, nothing happened.
func (s *Store) Import(ctx context.Context, all storage.Rows) error {
	conn, err := s.acquire(ctx, time.Now().Add(s.timeout))
	if err != nil {
		return s.explain(err)
	}
	defer conn.Release()
	return s.explainMove(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := beginImport(ctx, tx); err != nil {
			return err
		}
		var want, got rows.Tally
		i := importer{ctx: ctx, tx: tx}
		for row, err := range want.Through(all) {
			if err == nil {
				err = i.add(row)
			}
			if err != nil {
				return err
			}
		}
		if err := i.flush(); err != nil {
			return err
		}
		if err := i.goOn(); err != nil {
			return err
		}
		err := exporter{ctx, tx, func(row storage.Row) error { got.Add(row); return nil }, func(f storage.Fault) error { return errors.New(f.Problem) }, nil}.all()
		if err != nil {
			return err
		}
		if err := rows.Compare(want.Sums(), got.Sums()); err != nil {
			return fmt.Errorf("what was stored is not what came: %w", err)
		}
		return nil
	}))
}

func beginImport(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, lockTables); err != nil {
		return err
	}
	var blank bool
	if err := tx.QueryRow(ctx, isBlank).Scan(&blank); err != nil {
		return err
	}
	if !blank {
		return fmt.Errorf("%w: the store is not empty", storage.ErrExists)
	}
	for _, table := range []string{"audit", "records", "checkpoints"} {
		if _, err := tx.Exec(ctx, `DELETE FROM signet.`+table); err != nil {
			return err
		}
	}
	return nil
}

// Blank says whether there is no row in the store but those of its log.
func (s *Store) Blank(ctx context.Context) (blank bool, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, isBlank).Scan(&blank) })
	return blank, err
}

// importer gathers rows of one kind, and copies them into their table.
type importer struct {
	ctx context.Context
	tx  pgx.Tx

	kind   storage.Kind
	lines  [][]any
	logins [][]any
	size   int
	number uint64 // of the status list, the highest that came

	first uint64   // of the records that came
	end   chainEnd // the last one
}

// columns are those of each kind's table, as line fills them.
var columns = map[storage.Kind]struct {
	table string
	names []string
}{
	storage.KindClient:      {"clients", []string{"id", "revision", "record"}},
	storage.KindResource:    {"resources", []string{"id", "revision", "record"}},
	storage.KindUser:        {"users", []string{"sub", "revision", "record"}},
	storage.KindRing:        {"ring", []string{"revision", "record"}},
	storage.KindBrowser:     {"browsers", []string{"id", "sessions", "expires", "record"}},
	storage.KindSession:     {"sessions", []string{"id", "sub", "expires", "record"}},
	storage.KindConsent:     {"consents", []string{"sub", "client", "record"}},
	storage.KindFamily:      {"families", []string{"id", "client", "sub", "session", "expires", "record", "status"}},
	storage.KindInitial:     {"initial", []string{"id", "expires", "record"}},
	storage.KindCode:        {"codes", []string{"id", "sub", "session", "record"}},
	storage.KindDevice:      {"devices", []string{"id", "user_code", "address", "counts", "expires", "sub", "session", "record"}},
	storage.KindInteraction: {"interactions", []string{"id", "address", "counts", "record"}},
	storage.KindAnswered:    {"interactions", []string{"id", "address", "counts", "record"}},
	storage.KindKept:        {"kept", []string{"id", "address", "created", "record"}},
	storage.KindAssertion:   {"assertions", []string{"client", "jti", "expires", "replayed"}},
	storage.KindDenied:      {"denied", []string{"jti", "expires"}},
	storage.KindNotice:      {"outbox", []string{"ending", "number", "attempts", "next", "created", "state", "settled", "record"}},
	storage.KindHistory:     {"histories", []string{"sub", "record"}},
	storage.KindMark:        {"marks", []string{"number", "forgotten"}},
	storage.KindRecord:      {"records", []string{"sequence", "day", "record"}},
	storage.KindCheckpoint:  {"checkpoints", []string{"sequence", "anchor", "record"}},
	storage.KindEntry:       {"audit", []string{"time", "record"}},
}

// line is a row as its columns have it.
func line(row storage.Row, record any) []any {
	switch r := record.(type) {
	case storage.Client:
		return []any{r.ID, int64(r.Revision), row.Record}
	case storage.Resource:
		return []any{r.ID, int64(r.Revision), row.Record}
	case storage.User:
		return []any{r.Sub, int64(r.Revision), row.Record}
	case storage.Ring:
		return []any{int64(r.Revision), row.Record}
	case storage.Browser:
		return []any{r.ID[:], idBytes(r.Sessions), r.Expires, row.Record}
	case storage.Session:
		return []any{r.ID[:], r.User, expiry(r.IdleExpires, r.Expires), row.Record}
	case storage.Consent:
		return []any{r.User, r.Client, row.Record}
	case storage.Family:
		return []any{r.ID[:], r.Authorization.Client, r.Authorization.User, r.Authorization.Session[:], expiry(r.IdleExpires, r.Expires), row.Record, int64(r.Status)}
	case storage.InitialToken:
		return []any{r.ID[:], expiry(r.Expires), row.Record}
	case storage.Code:
		return []any{r.ID[:], r.Authorization.User, r.Authorization.Session[:], row.Record}
	case storage.DeviceGrant:
		auth := r.Authorization
		return []any{r.ID[:], r.UserCode, r.Address, r.State == storage.DevicePending, r.Expires, auth.User, auth.Session[:], row.Record}
	case storage.Interaction:
		return []any{r.ID[:], r.Address, row.Kind == storage.KindInteraction, row.Record}
	case storage.KeptRequest:
		return []any{r.ID[:], r.Address, r.Created, row.Record}
	case storage.SpentAssertion:
		return []any{r.Client, r.JTI[:], r.Expires, r.Replayed}
	case storage.DeniedToken:
		return []any{r.JTI[:], r.Expires}
	case storage.Notice:
		return noticeLine(r, row.Record)
	case storage.History:
		return []any{r.User, row.Record}
	case storage.Mark:
		return []any{int64(r.Number), r.Until}
	case audit.Entry:
		return []any{r.Time, row.Record}
	}
	return nil
}

func (i *importer) add(row storage.Row) error {
	record, err := rows.Decode(row)
	if err != nil {
		return fmt.Errorf("a row of the kind %s: %w", row.Kind, err)
	}
	if removed, ok := record.(storage.RemovedID); ok {
		return i.remove(removed)
	}
	if row.Kind != i.kind || i.size > importedAtOnce {
		if err := i.flush(); err != nil {
			return err
		}
	}
	row.Record = bytes.Clone(row.Record)
	i.kind = row.Kind
	i.size += len(row.Record) + 64
	switch r := record.(type) {
	case audit.Record:
		i.lines = append(i.lines, i.chained(r, row))
	case audit.Checkpoint:
		i.lines = append(i.lines, []any{int64(r.Sequence), r.Sequence < i.first, row.Record})
	default:
		i.lines = append(i.lines, line(row, record))
	}
	if user, ok := record.(storage.User); ok {
		for _, key := range decide.LoginKeys(user) {
			i.logins = append(i.logins, []any{key, user.Sub})
		}
	}
	i.number = max(i.number, rows.Number(record))
	return nil
}

// goOn has the numbers of the status list go on after the highest that came.
func (i *importer) goOn() error {
	if i.number == 0 {
		return nil
	}
	_, err := i.tx.Exec(i.ctx, `SELECT setval('signet.numbers', $1)`, int64(i.number))
	return err
}

// chained is a record of the log as its columns have it.
func (i *importer) chained(r audit.Record, row storage.Row) []any {
	day := i.end.segment(r.Time())
	if i.first == 0 {
		i.first = r.Sequence
	}
	i.end = chainEnd{r.Link(), day}
	return []any{int64(r.Sequence), int64(day), row.Record}
}

// remove makes a row that has no record: they are few.
func (i *importer) remove(id storage.RemovedID) error {
	sql := `INSERT INTO signet.clients (id, revision) VALUES ($1, 1)`
	if id.Kind == storage.KindUser {
		sql = `INSERT INTO signet.users (sub, revision) VALUES ($1, 1)`
	}
	_, err := i.tx.Exec(i.ctx, sql, id.ID)
	return err
}

func (i *importer) flush() error {
	to := columns[i.kind]
	err := i.copy(to.table, to.names, i.lines)
	if err == nil {
		err = i.copy("logins", []string{"login", "sub"}, i.logins)
	}
	i.lines, i.logins, i.size = nil, nil, 0
	return err
}

func (i *importer) copy(table string, names []string, lines [][]any) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := i.tx.CopyFrom(i.ctx, pgx.Identifier{"signet", table}, names, pgx.CopyFromRows(lines))
	if err != nil {
		return fmt.Errorf("rows of the table %s: %w", table, err)
	}
	return nil
}

// Others counts the connections that servers have to the database, this store's own aside. Those are called signet, or as this
// store's URL says; who has another name is not seen.
func (s *Store) Others(ctx context.Context) (n int64, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name IN ($1, $2)`, applicationName, s.servers).Scan(&n)
	})
	return n, err
}
