package bolt

import (
	"context"
	"slices"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	clientRows   table[storage.Client]   = "clients"
	resourceRows table[storage.Resource] = "resources"
)

func stringKey(id string) []byte { return []byte(id) }

// resourceKey is never empty, as the id of the default resource is.
func resourceKey(id string) []byte { return append([]byte{0}, id...) }

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	c, err := lookUp(ctx, s, s.clients, id)
	return cloneClient(c), err
}

// lookUp returns a row of a cached table, without a transaction where the cache has it.
func lookUp[R any](ctx context.Context, s *Store, rows *cached[R], key string) (record R, err error) {
	if err := s.refusing(); err != nil {
		return record, err
	}
	if record, ok := rows.recent(key); ok {
		return record, nil
	}
	err = s.view(ctx, func(t *tx) (err error) {
		record, err = found(rows.get(t, key))
		return err
	})
	return record, err
}

// found turns the second result of a look-up into the error that contracts name.
func found[R any](record R, ok bool) (R, error) {
	if !ok {
		return record, storage.ErrNotFound
	}
	return record, nil
}

// Clients implements [storage.Clients].
func (s *Store) Clients(ctx context.Context) (clients []storage.Client, err error) {
	err = s.view(ctx, func(t *tx) error {
		clients = clientRows.all(t)
		return nil
	})
	return clients, err
}

// SaveClient implements [storage.Clients].
func (s *Store) SaveClient(ctx context.Context, c storage.Client, o storage.Change) (saved storage.Client, err error) {
	err = s.do(ctx, func(t *tx) (err error) {
		saved, err = s.saveClient(t, c, o)
		return err
	})
	return saved, err
}

func (s *Store) saveClient(t *tx, c storage.Client, o storage.Change) (storage.Client, error) {
	old, exists := s.clients.get(t, c.ID)
	if err := decide.Revise(exists || t.removed(removedClient, c.ID), exists, old.Revision, c.Revision); err != nil {
		return storage.Client{}, err
	}
	s.clients.put(t, c.ID, t.numberClient(old, decide.SaveClient(old, c), o))
	saved, _ := s.clients.get(t, c.ID)
	t.record(audit.Entry{Time: o.Now, Event: audit.ClientSaved, Origin: o.Origin, Client: c.ID, Detail: o.Detail})
	return saved, nil
}

// RemoveClient implements [storage.Clients].
func (s *Store) RemoveClient(ctx context.Context, id string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		c, ok := s.clients.get(t, id)
		if !ok {
			return storage.ErrNotFound
		}
		t.mark(o.Now, c.ServiceStatus) // its users' families are dead for whoever asks, and their access tokens soon by themselves
		s.clients.delete(t, id)
		t.remove(removedClient, id, o.Now)
		t.record(audit.Entry{Time: o.Now, Event: audit.ClientRemoved, Origin: o.Origin, Client: id, Detail: o.Detail})
		return nil
	})
}

// EndService implements [storage.Clients].
func (s *Store) EndService(ctx context.Context, id string, series uint32, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		old, ok := s.clients.get(t, id)
		var c storage.Client
		if ok {
			c, ok = decide.EndService(old, series)
		}
		if ok {
			s.clients.put(t, id, t.numberClient(old, c, o))
			t.record(audit.Entry{Time: o.Now, Event: audit.AccessEnded, Origin: o.Origin, Client: id, Detail: o.Detail})
		}
		return nil
	})
}

// Resource implements [storage.Resources].
func (s *Store) Resource(ctx context.Context, id string) (storage.Resource, error) {
	r, err := lookUp(ctx, s, s.resources, id)
	return cloneResource(r), err
}

// Resources implements [storage.Resources].
func (s *Store) Resources(ctx context.Context) (resources []storage.Resource, err error) {
	err = s.view(ctx, func(t *tx) error {
		resources = resourceRows.all(t)
		return nil
	})
	return resources, err
}

// SaveResource implements [storage.Resources].
func (s *Store) SaveResource(ctx context.Context, r storage.Resource, o storage.Change) (saved storage.Resource, err error) {
	err = s.do(ctx, func(t *tx) error {
		old, exists := s.resources.get(t, r.ID)
		if err := decide.Revise(exists, exists, old.Revision, r.Revision); err != nil {
			return err
		}
		r := r
		r.Revision = old.Revision + 1
		s.resources.put(t, r.ID, r)
		saved, _ = s.resources.get(t, r.ID)
		t.record(audit.Entry{Time: o.Now, Event: audit.ResourceSaved, Origin: o.Origin, Detail: decide.Join(r.ID, o.Detail)})
		return nil
	})
	return saved, err
}

// RemoveResource implements [storage.Resources].
func (s *Store) RemoveResource(ctx context.Context, id string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		if _, ok := s.resources.get(t, id); !ok {
			return storage.ErrNotFound
		}
		s.resources.delete(t, id)
		t.record(audit.Entry{Time: o.Now, Event: audit.ResourceRemoved, Origin: o.Origin, Detail: decide.Join(id, o.Detail)})
		return nil
	})
}

func cloneResource(r storage.Resource) storage.Resource {
	r.Scopes, r.Claims = slices.Clone(r.Scopes), slices.Clone(r.Claims)
	r.Permissions = slices.Clone(r.Permissions)
	for i, p := range r.Permissions {
		r.Permissions[i].Roles, r.Permissions[i].Groups = slices.Clone(p.Roles), slices.Clone(p.Groups)
	}
	return r
}

func cloneClient(c storage.Client) storage.Client {
	c.SealedSecret = slices.Clone(c.SealedSecret)
	c.JWKS = slices.Clone(c.JWKS)
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.PostLogoutRedirectURIs = slices.Clone(c.PostLogoutRedirectURIs)
	c.GrantTypes = slices.Clone(c.GrantTypes)
	c.ResponseTypes = slices.Clone(c.ResponseTypes)
	c.Scopes = slices.Clone(c.Scopes)
	c.Access = slices.Clone(c.Access)
	for i, a := range c.Access {
		c.Access[i].Scopes = slices.Clone(a.Scopes)
	}
	c.Resources = slices.Clone(c.Resources)
	c.RequestURIs = slices.Clone(c.RequestURIs)
	c.DefaultACRValues = slices.Clone(c.DefaultACRValues)
	c.AllowedScopes = slices.Clone(c.AllowedScopes)
	c.AllowedGrantTypes = slices.Clone(c.AllowedGrantTypes)
	c.RegistrationTokens = slices.Clone(c.RegistrationTokens)
	c.Contacts = slices.Clone(c.Contacts)
	c.DefaultMaxAge = clonePointer(c.DefaultMaxAge)
	return c
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
