package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

// Fields is what is to be set, by the names of [clients.Fields], [resources.Fields] or [users.Fields].
type Fields map[string][]string

// NewClient asks for a client.
type NewClient struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Fields Fields `json:"fields,omitempty"`
}

// ClientSecret is a client and, where it has one, its fresh secret. This answer is the only place where the secret is ever seen.
type ClientSecret struct {
	Client storage.Client `json:"client"`
	Secret string         `json:"client_secret,omitempty"`
	// Warnings tell what it names that is not there.
	Warnings []string `json:"warnings,omitempty"`
}

// Changes asks for changes of a client, a resource or a user.
type Changes struct {
	Fields Fields `json:"fields"`
}

func (a *api) listClients(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Store.Clients(r.Context())
	if err != nil {
		return err
	}
	return write(w, append([]storage.Client{}, all...))
}

func (a *api) showClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.client(r)
	if err != nil {
		return err
	}
	return write(w, c)
}

func (a *api) client(r *http.Request) (storage.Client, error) {
	id := param(r, "id")
	c, err := a.Store.Client(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return c, refuse(http.StatusNotFound, "no client has the id %q; signet client list shows all", id)
	}
	return c, err
}

func (a *api) addClient(w http.ResponseWriter, r *http.Request) error {
	var n NewClient
	if err := read(r, &n); err != nil {
		return err
	}
	c, err := clients.New(n.Type, n.Name, a.Now())
	if err != nil {
		return err
	}
	setErr := setAll(n.Fields, func(name string, values []string) error { return clients.Set(&c, name, values) })
	if _, named := n.Fields["default_resource"]; !named {
		c.DefaultResource = clients.OnlyResource(c)
	}
	secret, err := clients.GiveSecret(&c, a.sealer)
	if err != nil {
		return err
	}
	if err := errors.Join(setErr, a.validClient(c)); err != nil {
		return err
	}
	c, err = a.Store.SaveClient(r.Context(), c, a.change(r, "added"))
	if err != nil {
		return err
	}
	return writeStatus(w, http.StatusCreated, ClientSecret{c, secret, a.missing(r, c)})
}

// sealer is asked for only where it is needed: it may have to open the keys.
func (a *api) sealer() (clients.Sealer, error) { return a.Keys() }

func (a *api) validClient(c storage.Client) error {
	return errors.Join(clients.Validate(c, a.Scopes...), clients.Signable(c, a.Algs), clients.Decryptable(c, a.JWE))
}

func (a *api) setClient(w http.ResponseWriter, r *http.Request) error {
	var ch Changes
	if err := read(r, &ch); err != nil {
		return err
	}
	var secret string
	c, err := a.changeClient(r, "set "+names(ch.Fields), func(c *storage.Client) (err error) {
		secret = ""
		before := *c
		setErr := setAll(ch.Fields, func(name string, values []string) error { return clients.Set(c, name, values) })
		setErr = errors.Join(setErr, ownWords(before, *c))
		holdRegistered(before, c)
		if !clients.SecretFits(*c) { // the authentication method was changed to one with another kind of secret
			secret, err = clients.GiveSecret(c, a.sealer)
		}
		return errors.Join(setErr, err)
	})
	if err != nil {
		return err
	}
	return write(w, ClientSecret{c, secret, a.missing(r, c)})
}

// ownWords refuses to change what the document of a client says: the row follows the document. What the operator can change is what stays.
func ownWords(before, c storage.Client) error {
	if !clients.Documented(before) {
		return nil
	}
	var faults fields.Faults
	for _, field := range clients.Fields.Diff(before, c) {
		if !slices.Contains(clients.BesideDocument, field) {
			faults.Add(field, "is what the document at the client's URL says; of such a client there can be set %s", strings.Join(clients.BesideDocument, ", "))
		}
	}
	return faults.Err()
}

// holdRegistered makes what the operator leaves a client that registered itself, or says in a document what it is, the limit of its own updates:
// otherwise it would take back what was taken away.
func holdRegistered(before storage.Client, c *storage.Client) {
	if c.Origin != storage.OriginRegistered && c.Origin != storage.OriginDocument {
		return
	}
	if !slices.Equal(before.Scopes, c.Scopes) {
		c.AllowedScopes = slices.Clone(c.Scopes)
	}
	if !slices.Equal(before.GrantTypes, c.GrantTypes) {
		c.AllowedGrantTypes = slices.Clone(c.GrantTypes)
	}
}

func (a *api) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	var secret string
	c, err := a.changeClient(r, "new secret", func(c *storage.Client) (err error) {
		if !clients.NeedsSecret(*c) {
			return refuse(http.StatusConflict, "client %s has no secret: it authenticates by %s", c.ID, c.TokenEndpointAuthMethod)
		}
		secret, err = clients.GiveSecret(c, a.sealer)
		return err
	})
	if err != nil {
		return err
	}
	return write(w, ClientSecret{Client: c, Secret: secret})
}

// attempts bounds how often a change is decided again because another was faster.
const attempts = 5

// changeClient lets edit change a client, and again from what another stored meanwhile.
func (a *api) changeClient(r *http.Request, detail string, edit func(*storage.Client) error) (storage.Client, error) {
	for n := 0; ; n++ {
		c, err := a.client(r)
		if err != nil {
			return c, err
		}
		if c.Origin == storage.OriginFile {
			return c, a.declared("client " + c.ID)
		}
		if err := edit(&c); err != nil {
			return c, errors.Join(err, a.validClient(c))
		}
		if err := a.validClient(c); err != nil {
			return c, err
		}
		c.Updated = a.Now()
		saved, err := a.Store.SaveClient(r.Context(), c, a.change(r, detail))
		if errors.Is(err, storage.ErrConflict) && n < attempts {
			continue
		}
		return saved, err
	}
}

func (a *api) removeClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.client(r)
	if err != nil {
		return err
	}
	if c.Origin == storage.OriginFile {
		return a.declared("client " + c.ID)
	}
	if err := a.Store.RemoveClient(r.Context(), c.ID, a.change(r, "removed")); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return write(w, c)
}

// setAll sets fields in the order of their names, and reports all faults.
func setAll(f Fields, set func(name string, values []string) error) error {
	var errs []error
	for _, name := range sorted(f) {
		errs = append(errs, set(name, f[name]))
	}
	return errors.Join(errs...)
}

func sorted(f Fields) []string {
	var all []string
	for name := range f {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// names says in the audit log what was set; never to what, since a profile is personal.
func names(f Fields) string { return strings.Join(sorted(f), ", ") }
