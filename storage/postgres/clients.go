package postgres

import (
	"context"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectClient = `SELECT revision, record FROM signet.clients WHERE id = $1`
	insertClient = `INSERT INTO signet.clients (id, revision, record) VALUES ($1, 1, $2)`

	selectResource = `SELECT revision, record FROM signet.resources WHERE id = $1`
	insertResource = `INSERT INTO signet.resources (id, revision, record) VALUES ($1, 1, $2)`
)

var (
	updateClient   = guarded(`UPDATE signet.clients SET revision = revision + 1, record = $3 WHERE id = $1 AND revision = $2`)
	updateResource = guarded(`UPDATE signet.resources SET revision = revision + 1, record = $3 WHERE id = $1 AND revision = $2`)
	deleteResource = guarded(`DELETE FROM signet.resources WHERE id = $1 AND revision = $2`)
)

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	return lookUp[storage.Client](ctx, s, selectClient, id)
}

// lookUp returns the record of a query that finds one by text.
func lookUp[R any](ctx context.Context, s *Store, sql string, keys ...string) (record R, err error) {
	args := make([]any, len(keys))
	for i, key := range keys {
		if !storable(key) {
			return record, storage.ErrNotFound
		}
		args[i] = key
	}
	err = s.do(ctx, func(a *act) (err error) {
		var row got[R]
		a.read(sql, args, &row)
		record, err = row.found()
		return err
	})
	return record, err
}

// Clients implements [storage.Clients].
func (s *Store) Clients(ctx context.Context) (clients []storage.Client, err error) {
	return list[storage.Client](ctx, s, `SELECT revision, record FROM signet.clients WHERE record IS NOT NULL ORDER BY id`)
}

// list returns the records of a query.
func list[R any](ctx context.Context, s *Store, sql string, args ...any) (records []R, err error) {
	err = s.do(ctx, func(a *act) error {
		var row got[R]
		records = nil
		a.each(sql, args, func() { records = append(records, row.Record) }, &row)
		return nil
	})
	return records, err
}

// SaveClient implements [storage.Clients].
func (s *Store) SaveClient(ctx context.Context, c storage.Client, o storage.Change) (saved storage.Client, err error) {
	err = s.do(ctx, func(a *act) (err error) {
		var old got[storage.Client]
		a.read(selectClient, []any{c.ID}, &old)
		saved, err = a.saveClient(old, c, o)
		return err
	})
	return saved, err
}

func (a *act) saveClient(old got[storage.Client], c storage.Client, o storage.Change) (storage.Client, error) {
	if err := decide.Revise(old.Taken, old.Found, old.Record.Revision, c.Revision); err != nil {
		return storage.Client{}, err
	}
	next, over := a.numbered(old.Record, decide.SaveClient(old.Record, c))
	row, saved := stored(a, next)
	if old.Found {
		a.write(updateClient, c.ID, old.Revision, row)
	} else {
		a.write(insertClient, c.ID, row)
	}
	a.mark(o.Now, over)
	a.record(audit.Entry{Time: o.Now, Event: audit.ClientSaved, Origin: o.Origin, Client: c.ID, Detail: o.Detail})
	return saved, nil
}

// numbered is a client with the number that its own access tokens carry from now on, and the one that is over with it.
func (a *act) numbered(old, c storage.Client) (next storage.Client, over uint64) {
	over, fresh := decide.ServiceNumber(old, c)
	if fresh {
		c.ServiceStatus = a.number()
	}
	return c, over
}

// RemoveClient implements [storage.Clients].
func (s *Store) RemoveClient(ctx context.Context, id string, o storage.Change) error {
	if !storable(id) {
		return storage.ErrNotFound
	}
	return s.do(ctx, func(a *act) error {
		var old got[storage.Client]
		a.read(selectClient, []any{id}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		a.write(updateClient, id, old.Revision, nil)
		a.mark(o.Now, old.Record.ServiceStatus)
		a.record(audit.Entry{Time: o.Now, Event: audit.ClientRemoved, Origin: o.Origin, Client: id, Detail: o.Detail})
		return nil
	})
}

// EndService implements [storage.Clients].
func (s *Store) EndService(ctx context.Context, id string, series uint32, o storage.Change) error {
	if !storable(id) {
		return nil
	}
	return s.do(ctx, func(a *act) error {
		var old got[storage.Client]
		a.read(selectClient, []any{id}, &old)
		if !old.Found {
			return nil
		}
		if c, ok := decide.EndService(old.Record, series); ok {
			next, over := a.numbered(old.Record, c)
			a.write(updateClient, id, old.Revision, a.row(next))
			a.markFor(o.Now, o.AccessLife, over)
			a.record(audit.Entry{Time: o.Now, Event: audit.AccessEnded, Origin: o.Origin, Client: id, Detail: o.Detail})
		} else {
			a.confirm()
		}
		return nil
	})
}

// Resource implements [storage.Resources].
func (s *Store) Resource(ctx context.Context, id string) (storage.Resource, error) {
	return lookUp[storage.Resource](ctx, s, selectResource, id)
}

// Resources implements [storage.Resources].
func (s *Store) Resources(ctx context.Context) (resources []storage.Resource, err error) {
	return list[storage.Resource](ctx, s, `SELECT revision, record FROM signet.resources ORDER BY id`)
}

// SaveResource implements [storage.Resources].
func (s *Store) SaveResource(ctx context.Context, r storage.Resource, o storage.Change) (saved storage.Resource, err error) {
	err = s.do(ctx, func(a *act) error {
		var old got[storage.Resource]
		a.read(selectResource, []any{r.ID}, &old)
		if err := decide.Revise(old.Found, old.Found, old.Record.Revision, r.Revision); err != nil {
			return err
		}
		next := r
		next.Revision = old.Record.Revision + 1
		var row []byte
		row, saved = stored(a, next)
		if old.Found {
			a.write(updateResource, r.ID, old.Revision, row)
		} else {
			a.write(insertResource, r.ID, row)
		}
		a.record(audit.Entry{Time: o.Now, Event: audit.ResourceSaved, Origin: o.Origin, Detail: decide.Join(r.ID, o.Detail)})
		return nil
	})
	return saved, err
}

// RemoveResource implements [storage.Resources].
func (s *Store) RemoveResource(ctx context.Context, id string, o storage.Change) error {
	if !storable(id) {
		return storage.ErrNotFound
	}
	return s.do(ctx, func(a *act) error {
		var old got[storage.Resource]
		a.read(selectResource, []any{id}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		a.write(deleteResource, id, old.Revision)
		a.record(audit.Entry{Time: o.Now, Event: audit.ResourceRemoved, Origin: o.Origin, Detail: decide.Join(id, o.Detail)})
		return nil
	})
}
