package clientdocs

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"signet/clients"
	"signet/storage"
)

// attempts bounds how often the row is read again because another was faster.
const attempts = 5

// ErrRemoved: the operator removed the client. An id is never given twice.
var ErrRemoved = errors.New("the client was removed by the operator")

// Keep stores what the document of c says, if the row says something else or there is none yet. A user has agreed to c: one of
// [Clients.Client], which it returns as it is stored. Any other client it returns as it is.
func (d *Clients) Keep(ctx context.Context, c storage.Client, change storage.Change) (storage.Client, error) {
	if !clients.Documented(c) {
		return c, nil
	}
	for n := 0; ; n++ {
		row, err := d.Store.Client(ctx, c.ID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return c, err
		}
		next := over(row, c)
		if row.Revision > 0 && says(row, next) {
			return row, nil
		}
		next.Updated = change.Now
		saved, err := d.Store.SaveClient(ctx, next, change)
		switch {
		case errors.Is(err, storage.ErrExists) && n > 0: // it was not there a moment ago, twice
			return c, ErrRemoved
		case n < attempts && (errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrNotFound)):
			continue
		}
		return saved, err
	}
}

// over is what a document says, over what is stored of it; a row of revision 0 is none. What the operator set is the row's, and bounds what
// the document can ask for.
func over(row, doc storage.Client) storage.Client {
	c := doc
	if row.Revision == 0 {
		return c
	}
	c.Revision, c.Created, c.Updated = row.Revision, row.Created, row.Updated
	c.Access, c.DefaultResource, c.Resources, c.Exchange = row.Access, row.DefaultResource, row.Resources, row.Exchange
	c.ServiceSeries, c.ServiceStatus = row.ServiceSeries, row.ServiceStatus
	c.AllowedScopes, c.AllowedGrantTypes = row.AllowedScopes, row.AllowedGrantTypes
	if len(row.AllowedScopes) > 0 {
		c.Scopes = only(c.Scopes, row.AllowedScopes...)
	}
	if len(row.AllowedGrantTypes) > 0 {
		c.GrantTypes = only(c.GrantTypes, row.AllowedGrantTypes...)
	}
	if sameFace(row, doc) {
		c.DocumentSince = row.DocumentSince
	}
	return c
}

// sameFace reports whether a user who allowed row would know doc for the same: the name is, and answers go nowhere else.
func sameFace(row, doc storage.Client) bool {
	known := clients.AnswerHosts(row)
	return row.Name == doc.Name && !slices.ContainsFunc(clients.AnswerHosts(doc), func(h string) bool { return !slices.Contains(known, h) })
}

// says reports whether a row says what c does. When it was fetched does not matter: a document that stays as it is, is no change.
func says(row, c storage.Client) bool {
	c.DocumentFresh = row.DocumentFresh
	return reflect.DeepEqual(normal(row), normal(c))
}

// normal takes no list for an empty one, as the store does.
func normal(c storage.Client) storage.Client {
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
	return c
}
