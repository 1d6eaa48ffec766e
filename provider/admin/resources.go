package admin

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"signet/clients"
	"signet/resources"
	"signet/storage"
)

// NewResource asks for a resource.
type NewResource struct {
	ID     string `json:"resource"`
	Fields Fields `json:"fields,omitempty"`
}

// Resource is a resource as programs read it: with the lifetime in seconds, as tokens have it.
type Resource struct {
	storage.Resource
	Seconds int64 `json:"access_token_lifetime"`
}

func readable(r storage.Resource) Resource { return Resource{r, int64(r.Lifetime / time.Second)} }

// Record is the resource as it is stored.
func (r Resource) Record() storage.Resource {
	r.Lifetime = time.Duration(r.Seconds) * time.Second
	return r.Resource
}

// RemovedResource is a resource that is gone, and the clients that still name it.
type RemovedResource struct {
	Resource
	Clients []string `json:"clients"`
}

// listResources leaves out the built-in one, which follows from the settings.
func (a *api) listResources(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Store.Resources(r.Context())
	if err != nil {
		return err
	}
	list := []Resource{}
	for _, res := range all {
		if res.ID != storage.DefaultResource {
			list = append(list, readable(res))
		}
	}
	return write(w, list)
}

func (a *api) showResource(w http.ResponseWriter, r *http.Request) error {
	res, err := a.resource(r)
	if err != nil {
		return err
	}
	return write(w, readable(res))
}

func (a *api) resource(r *http.Request) (storage.Resource, error) {
	id := param(r, "id")
	res, err := a.Store.Resource(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) || id == storage.DefaultResource {
		return res, refuse(http.StatusNotFound, "there is no resource %q; signet resource list shows all", id)
	}
	return res, err
}

func (a *api) addResource(w http.ResponseWriter, r *http.Request) error {
	var n NewResource
	if err := read(r, &n); err != nil {
		return err
	}
	if n.ID == storage.DefaultResource {
		return &Error{http.StatusUnprocessableEntity, []Problem{{"resource", "is missing; it is the API's URL"}}}
	}
	res := resources.New(n.ID, a.BuiltIn, a.Now())
	if err := errors.Join(setFields(n.Fields, &res), a.validResource(res)); err != nil {
		return err
	}
	res, err := a.Store.SaveResource(r.Context(), res, a.change(r, "added"))
	if errors.Is(err, storage.ErrExists) {
		return refuse(http.StatusConflict, "the resource %s is there already; signet resource set changes it", n.ID)
	}
	if err != nil {
		return err
	}
	return writeStatus(w, http.StatusCreated, readable(res))
}

// setFields sets fields, and what follows from them where they do not say it.
func setFields(f Fields, r *storage.Resource) error {
	before := *r
	err := setAll(f, func(name string, values []string) error { return resources.Set(r, name, values) })
	if _, named := f["claims"]; !named {
		resources.Settle(before, r)
	}
	return err
}

func (a *api) validResource(r storage.Resource) error {
	algs := slices.DeleteFunc(slices.Clone(a.Algs), func(alg string) bool { return alg == clients.AlgHS256 })
	return errors.Join(resources.Validate(r), resources.Server{Issuer: a.Status.Issuer, Algs: algs, Scopes: a.Scopes}.Check(r))
}

func (a *api) setResource(w http.ResponseWriter, r *http.Request) error {
	var ch Changes
	if err := read(r, &ch); err != nil {
		return err
	}
	for n := 0; ; n++ {
		res, err := a.resource(r)
		switch {
		case err != nil:
			return err
		case res.Origin == storage.OriginFile:
			return a.declared("resource " + res.ID)
		}
		if err := errors.Join(setFields(ch.Fields, &res), a.validResource(res)); err != nil {
			return err
		}
		res.Updated = a.Now()
		saved, err := a.Store.SaveResource(r.Context(), res, a.change(r, "set "+names(ch.Fields)))
		if errors.Is(err, storage.ErrConflict) && n < attempts {
			continue
		}
		if err != nil {
			return err
		}
		return write(w, readable(saved))
	}
}

func (a *api) removeResource(w http.ResponseWriter, r *http.Request) error {
	res, err := a.resource(r)
	switch {
	case err != nil:
		return err
	case res.Origin == storage.OriginFile:
		return a.declared("resource " + res.ID)
	}
	all, err := a.Store.Clients(r.Context())
	if err != nil {
		return err
	}
	if err := a.Store.RemoveResource(r.Context(), res.ID, a.change(r, "removed")); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	removed := RemovedResource{readable(res), []string{}}
	for _, c := range all {
		if slices.Contains(clients.Names(c), res.ID) {
			removed.Clients = append(removed.Clients, c.ID)
		}
	}
	return write(w, removed)
}

// missing is what a client names that is not there. It was stored by then, so that this cannot be found out is no reason to refuse.
func (a *api) missing(r *http.Request, c storage.Client) []string {
	if len(clients.Names(c)) == 0 {
		return nil
	}
	all, err := a.Store.Resources(r.Context())
	if err != nil {
		return []string{"whether the APIs that it names are there could not be found out: " + err.Error()}
	}
	return resources.Missing(c, all)
}
