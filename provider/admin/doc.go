// Package admin is the operator's JSON API: clients, resources, users and their sessions, keys, and what a token is.
//
// It is reachable from this machine alone, over a Unix socket in the data folder (socket.go). The kernel says who is at the
// other end (peer.go); that uid is the actor in the audit log. There is no other authentication: who may open the socket may open
// the store's file as well.
//
//	GET    /status
//	POST   /reload                                                              → {changed}
//	GET    /probe                                                              → {path}
//	GET    /clients          POST   /clients          {type, name, fields}      → {client, secret}
//	GET    /clients/{id}     PATCH  /clients/{id}     {fields}
//	DELETE /clients/{id}     POST   /clients/{id}/secret                        → {client, secret}
//	GET    /registration/tokens     POST /registration/tokens {uses, expires_in, scopes, grant_types, note} → {token, initial_access_token}
//	                         DELETE /registration/tokens/{id}
//	GET    /resources        POST   /resources        {resource, fields}
//	GET    /resources/{id}   PATCH  /resources/{id}   {fields}
//	DELETE /resources/{id}                                                      → the resource, and the clients that name it
//	GET    /users            POST   /users            {username, fields, password}
//	GET    /users/{user}     PATCH  /users/{user}     {fields}
//	DELETE /users/{user}     PUT    /users/{user}/password {password}
//	GET    /users/{user}/sessions                                               (those that are live)
//	GET    /sessions         POST   /sessions/end     {user | sessions}         → {ending, sessions, families, notices, server}
//	GET    /endings/{id}                                                        → receipts, client by client
//	GET    /notices                                                             → {pending, since, failed, server}
//	GET    /keys             POST   /keys/rotate      {alg, now, force}
//	                         DELETE /keys/{kid}                                 (revokes)
//	POST   /token/inspect    {token}
//	POST   /token/preview    {user, client_id, scope, claims}
//	GET    /backup                                                              → a backup, as package archive has it
//	GET    /storage/check                                                       (reads all of the store)
//	GET    /audit/key
//	GET    /audit/export                                                        → an export, as package audit has it
//	POST   /audit/entries    {after, since, until, user, client, event}         → a line of JSON for each entry, and one that says where to go on
//
// {user} is a sub, a user name or an e-mail address. Fields are set by their names in the tables of packages clients, resources and users. A
// secret is in the one answer that made it and in no other.
//
// The same handler serves both ways of the command line: over the socket when a server runs, and in process on the opened store
// when none does ([InProcess]). So each command is written once, and can do the same in both.
package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"signet/audit"
	"signet/keys"
	"signet/provider/issue"
	"signet/storage"
)

// Store is what the API needs of the store.
type Store interface {
	storage.Clients
	storage.InitialTokens
	storage.Resources
	storage.Users
	storage.Families
	storage.Endings
	storage.Outbox
	Ready(ctx context.Context) error
}

// Options is what the API works on.
type Options struct {
	Store   Store
	Keys    func() (*keys.Keys, error)                    // opened when first needed: clients and users need no master key
	Tokens  func() (*issue.Issuer, error)                 // likewise
	Algs    []string                                      // those that are on
	JWE     []string                                      // those by which request objects may be encrypted to us
	Scopes  []string                                      // those that the operator added to the standard ones
	BuiltIn storage.Resource                              // the resource of whoever names none, after which new ones are made
	Hash    func(context.Context, string) (string, error) // of a new password
	Status  Status
	Probe   func() (string, error) // see [Probe]; nil: no server runs
	// Reload has the server read its configuration again; nil: none runs.
	Reload func(ctx context.Context, by audit.Origin) (Reloaded, error)
	File   string // the configuration file, for saying where a declaration is changed
	Folder string // the data folder, where a backup is written before it is sent; empty: the system's for temporary files
	Now    func() time.Time
}

// Status says which server answers. Ready is filled in with each answer.
type Status struct {
	Version string    `json:"version"`
	Issuer  string    `json:"issuer"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Ready   bool      `json:"ready"`
	Problem string    `json:"problem,omitempty"` // why not ready
}

// Reloaded names what a reload changed.
type Reloaded struct {
	Changed []string `json:"changed"`
}

type api struct{ Options }

// New returns the API as a handler. Requests without an actor in their context (see [ConnContext]) are refused.
func New(o Options) http.Handler {
	a := &api{o}
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, onlyKnown, limit)
	r.NotFound(answer(func(http.ResponseWriter, *http.Request) error { return refuse(http.StatusNotFound, "no such path") }))
	r.MethodNotAllowed(answer(func(http.ResponseWriter, *http.Request) error {
		return refuse(http.StatusMethodNotAllowed, "no such method here")
	}))

	r.Get("/status", answer(a.status))
	r.Get("/probe", answer(a.probe))
	r.Post("/reload", answer(a.reload))

	r.Get("/backup", answer(a.backup))
	r.Get("/storage/check", answer(a.check))

	r.Get("/audit/key", answer(a.auditKey))
	r.Get("/audit/export", answer(a.exportAudit))
	r.Post("/audit/entries", answer(a.auditEntries))

	r.Get("/clients", answer(a.listClients))
	r.Post("/clients", answer(a.addClient))
	r.Get("/clients/{id}", answer(a.showClient))
	r.Patch("/clients/{id}", answer(a.setClient))
	r.Delete("/clients/{id}", answer(a.removeClient))
	r.Post("/clients/{id}/secret", answer(a.rotateSecret))

	r.Get("/registration/tokens", answer(a.listInitialTokens))
	r.Post("/registration/tokens", answer(a.addInitialToken))
	r.Delete("/registration/tokens/{id}", answer(a.removeInitialToken))

	r.Get("/resources", answer(a.listResources))
	r.Post("/resources", answer(a.addResource))
	r.Get("/resources/{id}", answer(a.showResource))
	r.Patch("/resources/{id}", answer(a.setResource))
	r.Delete("/resources/{id}", answer(a.removeResource))

	r.Get("/users", answer(a.listUsers))
	r.Post("/users", answer(a.addUser))
	r.Get("/users/{user}", answer(a.showUser))
	r.Patch("/users/{user}", answer(a.setUser))
	r.Delete("/users/{user}", answer(a.removeUser))
	r.Put("/users/{user}/password", answer(a.setPassword))

	r.Get("/users/{user}/sessions", answer(a.userSessions))
	r.Get("/sessions", answer(a.listSessions))
	r.Post("/sessions/end", answer(a.endSessions))
	r.Get("/endings/{id}", answer(a.showEnding))
	r.Get("/notices", answer(a.listNotices))

	r.Get("/keys", answer(a.listKeys))
	r.Post("/keys/rotate", answer(a.rotateKeys))
	r.Delete("/keys/{kid}", answer(a.revokeKey))

	r.Post("/token/inspect", answer(a.inspect))
	r.Post("/token/preview", answer(a.preview))
	return r
}

func (a *api) status(w http.ResponseWriter, r *http.Request) error {
	s := a.Status
	k, err := a.Keys()
	if err == nil {
		err = k.Ready()
	}
	err = errors.Join(a.Store.Ready(r.Context()), err)
	s.Ready = err == nil
	if err != nil {
		s.Problem = err.Error()
	}
	return write(w, s)
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) error {
	if a.Options.Reload == nil {
		return refuse(http.StatusConflict, "no server runs here; the next start reads the configuration")
	}
	done, err := a.Options.Reload(r.Context(), audit.Origin{Actor: actor(r.Context())})
	if err != nil {
		return err
	}
	return write(w, done)
}

// Probe is where the server says how it sees whoever asks.
type Probe struct {
	Path string `json:"path"` // below the issuer, good for a minute
}

func (a *api) probe(w http.ResponseWriter, _ *http.Request) error {
	if a.Options.Probe == nil {
		return refuse(http.StatusConflict, "no server runs here")
	}
	path, err := a.Options.Probe()
	if err != nil {
		return err
	}
	return write(w, Probe{path})
}

// change describes a change for the audit log.
func (a *api) change(r *http.Request, detail string) storage.Change {
	return storage.Change{Now: a.Now(), Origin: audit.Origin{Actor: actor(r.Context())}, Detail: detail}
}

// declared refuses to change what the file declares: the next reload would undo it.
func (a *api) declared(what string) error {
	file := a.File
	if file == "" {
		file = "the configuration file"
	}
	return refuse(http.StatusConflict, "%s is declared in %s; change it there, and have it read by signet reload", what, file)
}
