package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/audit"
	"signet/keys"
	"signet/provider/admin"
	"signet/provider/issue"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
	"signet/users"
)

// room is a provider and the API on its store.
type room struct {
	*testing.T
	*providertest.Server
	handler http.Handler
	caller  *admin.Caller
}

func newRoom(t *testing.T) *room {
	t.Helper()
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.HS256 = true })
	return newRoomOn(t, s, s.Store)
}

func newRoomOn(t *testing.T, s *providertest.Server, store admin.Store) *room {
	tokens := issue.New(issue.Options{
		Issuer: s.Issuer, Keys: s.Keys, Resources: s.Store, Families: s.Store, Clients: s.Store, HS256: true, IDToken: 10 * time.Minute, Now: s.Clock.Now,
	})
	h := admin.New(admin.Options{
		Store: store, Algs: issue.Algs(s.Keys.Algs(), true), Now: s.Clock.Now, File: "/etc/signet.yaml",
		BuiltIn: resources.Default("ES256", "at+jwt", 10*time.Minute, nil),
		Keys:    func() (*keys.Keys, error) { return s.Keys, nil },
		Tokens:  func() (*issue.Issuer, error) { return tokens, nil },
		Hash:    func(_ context.Context, p string) (string, error) { return users.HashPassword(p) },
		Status:  admin.Status{Version: "test", Issuer: s.Issuer},
	})
	return &room{t, s, h, admin.InProcess(h)}
}

func (r *room) do(method string, in, out any, path ...string) {
	r.Helper()
	if err := r.caller.Do(r.Context(), method, in, out, path...); err != nil {
		r.Fatal(err)
	}
}

// refused wants a status and words in the refusal.
func (r *room) refused(status int, words string, method string, in any, path ...string) {
	r.Helper()
	err := r.caller.Do(r.Context(), method, in, nil, path...)
	var e *admin.Error
	if !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Error(), words) {
		r.Errorf("%s %v: %v; want %d with %q", method, path, err, status, words)
	}
}

func TestClients(t *testing.T) {
	r := newRoom(t)
	var made admin.ClientSecret
	r.do(http.MethodPost, admin.NewClient{Type: "web", Name: "My app", Fields: admin.Fields{"redirect_uris": {"https://a.example/cb"}}}, &made, "clients")
	id := made.Client.ID
	stored, err := r.Store.Client(r.Context(), id)
	if err != nil || !stored.SecretHash.Matches([]byte(made.Secret)) {
		t.Fatalf("the secret is not the stored one: %v", err)
	}

	t.Run("a secret is in the answer that made it and in no other", func(t *testing.T) {
		for _, path := range [][]string{{"clients"}, {"clients", id}} {
			var raw any
			r.do(http.MethodGet, nil, &raw, path...)
			text := fmt.Sprint(raw)
			if strings.Contains(text, made.Secret) || strings.Contains(text, "hash") || strings.Contains(text, "secret_") && !strings.Contains(text, "client_secret_basic") {
				t.Errorf("%v: %s", path, text)
			}
		}
	})
	t.Run("all faults at once", func(t *testing.T) {
		err := r.caller.Do(r.Context(), http.MethodPost, admin.NewClient{Type: "spa", Name: "x", Fields: admin.Fields{
			"redirect_uris": {"javascript:alert(1)"}, "pkce": {"optional"}, "id_token_signed_response_alg": {"ES512"}, "nonsense": {"1"},
		}}, nil, "clients")
		var e *admin.Error
		if !errors.As(err, &e) || e.Status != http.StatusUnprocessableEntity {
			t.Fatal(err)
		}
		for _, field := range []string{"redirect_uris", "pkce", "id_token_signed_response_alg", "nonsense"} {
			if !strings.Contains(e.Error(), field+": ") {
				t.Errorf("%s is missing in\n%v", field, e)
			}
		}
	})
	t.Run("set changes what it names", func(t *testing.T) {
		var changed admin.ClientSecret
		r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"trusted": {"true"}, "client_name": {"Ours"}}}, &changed, "clients", id)
		if c := changed.Client; !c.Trusted || c.Name != "Ours" || c.Revision != stored.Revision+1 || changed.Secret != "" || c.RedirectURIs[0] != "https://a.example/cb" {
			t.Errorf("%+v", changed)
		}
	})
	t.Run("a new secret ends the old one", func(t *testing.T) {
		var rotated admin.ClientSecret
		r.do(http.MethodPost, nil, &rotated, "clients", id, "secret")
		c, _ := r.Store.Client(r.Context(), id)
		if !c.SecretHash.Matches([]byte(rotated.Secret)) || c.SecretHash.Matches([]byte(made.Secret)) {
			t.Error("not rotated")
		}
	})
	t.Run("a public client has no secret to rotate", func(t *testing.T) {
		c, _ := r.Client("spa", "page")
		r.refused(http.StatusConflict, "has no secret", http.MethodPost, nil, "clients", c.ID, "secret")
	})
	t.Run("what the file declares is changed there", func(t *testing.T) {
		c, _ := r.Client("web", "declared", func(c *storage.Client) { c.Origin = storage.OriginFile })
		words := "declared in /etc/signet.yaml; change it there"
		r.refused(http.StatusConflict, words, http.MethodPatch, admin.Changes{Fields: admin.Fields{"trusted": {"true"}}}, "clients", c.ID)
		r.refused(http.StatusConflict, words, http.MethodPost, nil, "clients", c.ID, "secret")
		r.refused(http.StatusConflict, words, http.MethodDelete, nil, "clients", c.ID)
	})
	t.Run("unknown", func(t *testing.T) {
		for _, id := range []string{"nobody", "..", "a/b", "ü", "%2f", "?x"} {
			r.refused(http.StatusNotFound, "no client has the id", http.MethodGet, nil, "clients", id)
		}
	})
	t.Run("remove", func(t *testing.T) {
		r.do(http.MethodDelete, nil, nil, "clients", id)
		r.refused(http.StatusNotFound, "no client has the id", http.MethodGet, nil, "clients", id)
	})
	t.Run("the audit log knows who did what", func(t *testing.T) {
		var seen []string
		must(t, r.Store.Entries(t.Context(), func(e audit.Entry) error {
			if e.Client == id {
				seen = append(seen, string(e.Event)+" "+e.Actor+" "+e.Detail)
			}
			return nil
		}))
		who := fmt.Sprintf("uid %d", os.Getuid())
		want := []string{"client.saved " + who + " added", "client.saved " + who + " set client_name, trusted",
			"client.saved " + who + " new secret", "client.removed " + who + " removed"}
		if strings.Join(seen, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q\nwant %q", seen, want)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// racing stores a change of somebody else's before each of the first saves.
type racing struct {
	admin.Store
	times int
}

func (s *racing) SaveClient(ctx context.Context, c storage.Client, o storage.Change) (storage.Client, error) {
	if s.times > 0 && c.Revision > 0 {
		s.times--
		other, err := s.Store.Client(ctx, c.ID)
		if err != nil {
			return other, err
		}
		other.Contacts = append(other.Contacts, "somebody@example.com")
		if _, err := s.Store.SaveClient(ctx, other, o); err != nil {
			return other, err
		}
	}
	return s.Store.SaveClient(ctx, c, o)
}

func TestConflict(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "app")
	change := admin.Changes{Fields: admin.Fields{"trusted": {"true"}}}

	r := newRoomOn(t, s, &racing{s.Store, 2})
	var changed admin.ClientSecret
	r.do(http.MethodPatch, change, &changed, "clients", c.ID)
	if !changed.Client.Trusted || len(changed.Client.Contacts) != 2 {
		t.Errorf("a change was lost: %+v", changed.Client)
	}
	r = newRoomOn(t, s, &racing{s.Store, 100})
	r.refused(http.StatusConflict, "changed by others all the time", http.MethodPatch, change, "clients", c.ID)
}

// failing answers everything with an error.
type failing struct {
	admin.Store
	err error
}

func (s failing) Clients(context.Context) ([]storage.Client, error) { return nil, s.err }
func (s failing) Ready(context.Context) error                       { return s.err }

func TestStoreErrors(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	for status, err := range map[int]error{
		http.StatusServiceUnavailable: storage.ErrBusy, http.StatusInsufficientStorage: storage.ErrNoSpace, http.StatusInternalServerError: errors.New("broken"),
	} {
		r := newRoomOn(t, s, failing{s.Store, fmt.Errorf("act: %w", err)})
		r.refused(status, "", http.MethodGet, nil, "clients")
		var st admin.Status
		r.do(http.MethodGet, nil, &st, "status")
		if st.Ready || !strings.Contains(st.Problem, err.Error()) {
			t.Errorf("status %+v", st)
		}
	}
}

func TestUsers(t *testing.T) {
	r := newRoom(t)
	var u storage.User
	r.do(http.MethodPost, admin.NewUser{Username: "alice", Password: "a good password", Fields: admin.Fields{"email": {"alice@example.com"}, "groups": {"a", "b"}}}, &u, "users")
	stored, err := r.Store.User(r.Context(), u.Sub)
	must(t, err)
	if !users.Matches(stored.PasswordHash, "a good password") {
		t.Error("the password is not the one that was given")
	}
	t.Run("found by name, address and sub", func(t *testing.T) {
		for _, name := range []string{"alice", "ALICE@example.com", u.Sub} {
			var found storage.User
			r.do(http.MethodGet, nil, &found, "users", name)
			if found.Sub != u.Sub || found.PasswordHash != "" {
				t.Errorf("%s: %+v", name, found)
			}
		}
	})
	t.Run("a name that is another's sub does not take the sub's place", func(t *testing.T) {
		var meant, mimic, changed storage.User
		r.do(http.MethodPost, admin.NewUser{Username: "dora"}, &meant, "users")
		r.do(http.MethodPost, admin.NewUser{Username: meant.Sub, Password: "a mimic's password"}, &mimic, "users")
		r.do(http.MethodPut, admin.NewPassword{Password: "dora's new password"}, &changed, "users", meant.Sub, "password")
		stored, err := r.Store.User(r.Context(), mimic.Sub)
		must(t, err)
		if changed.Sub != meant.Sub || !users.Matches(stored.PasswordHash, "a mimic's password") {
			t.Errorf("the password of %s was changed, and not that of the sub", changed.Name)
		}
		r.do(http.MethodDelete, nil, nil, "users", meant.Sub)
		r.do(http.MethodDelete, nil, nil, "users", mimic.Sub)
	})
	t.Run("names and addresses are taken once", func(t *testing.T) {
		r.refused(http.StatusConflict, "another user signs in with this", http.MethodPost, admin.NewUser{Username: "Alice"}, "users")
		r.refused(http.StatusConflict, "another user signs in with this", http.MethodPost,
			admin.NewUser{Username: "bob", Fields: admin.Fields{"email": {"alice@example.com"}}}, "users")
	})
	t.Run("a bad password is a fault of the password", func(t *testing.T) {
		r.refused(http.StatusUnprocessableEntity, "password: is shorter", http.MethodPost, admin.NewUser{Username: "carl", Password: "short"}, "users")
		r.refused(http.StatusUnprocessableEntity, "password: is shorter", http.MethodPut, admin.NewPassword{}, "users", "alice", "password")
	})
	t.Run("disabling and a new password end what was begun", func(t *testing.T) {
		before := stored.Epoch
		var changed storage.User
		r.do(http.MethodPut, admin.NewPassword{Password: "another password"}, &changed, "users", "alice", "password")
		if changed.Epoch != before+1 {
			t.Errorf("epoch %d after a new password", changed.Epoch)
		}
		r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"disabled": {"true"}}}, &changed, "users", "alice")
		if !changed.Disabled || changed.Epoch != before+2 {
			t.Errorf("%+v after disabling", changed)
		}
	})
	t.Run("what the file declares is changed there", func(t *testing.T) {
		r.User("dora", func(u *storage.User) { u.Origin = storage.OriginFile })
		words := "user dora is declared in /etc/signet.yaml"
		r.refused(http.StatusConflict, words, http.MethodPatch, admin.Changes{Fields: admin.Fields{"name": {"D"}}}, "users", "dora")
		r.refused(http.StatusConflict, words, http.MethodPut, admin.NewPassword{Password: "a good password"}, "users", "dora", "password")
		r.refused(http.StatusConflict, words, http.MethodDelete, nil, "users", "dora")
	})
	t.Run("remove", func(t *testing.T) {
		r.do(http.MethodDelete, nil, nil, "users", "alice")
		r.refused(http.StatusNotFound, "no user has", http.MethodGet, nil, "users", u.Sub)
	})
	t.Run("the audit log holds no personal data", func(t *testing.T) {
		must(t, r.Store.Entries(t.Context(), func(e audit.Entry) error {
			if strings.Contains(e.Detail, "alice") || strings.Contains(e.Detail, "password ") {
				t.Errorf("%+v", e)
			}
			return nil
		}))
	})
}

func TestKeys(t *testing.T) {
	r := newRoom(t)
	active := func() string {
		var list []keys.Info
		r.do(http.MethodGet, nil, &list, "keys")
		for _, k := range list {
			if k.Alg == "ES256" && k.State == keys.Active {
				return k.KID
			}
		}
		t.Fatal("no active key")
		return ""
	}
	first := active()
	r.refused(http.StatusConflict, "published a moment ago", http.MethodPost, admin.Rotation{Alg: "ES256", Now: true}, "keys", "rotate")
	r.refused(http.StatusUnprocessableEntity, "ES999", http.MethodPost, admin.Rotation{Alg: "ES999"}, "keys", "rotate")
	r.do(http.MethodPost, admin.Rotation{Alg: "ES256", Now: true, Force: true}, nil, "keys", "rotate")
	second := active()
	if second == first {
		t.Error("not rotated")
	}
	r.do(http.MethodDelete, nil, nil, "keys", second)
	if active() == second {
		t.Error("not revoked")
	}
	r.refused(http.StatusNotFound, "no key has the kid", http.MethodDelete, nil, "keys", "nonsense")
}

func TestInspect(t *testing.T) {
	r := newRoom(t)
	client, secret := r.Client("web", "app", func(c *storage.Client) { c.Trusted = true })
	user := r.User("alice")
	sign := func() (access, id, refresh string) {
		a := r.Redeem(client, secret, r.Browser("alice").Code(client, "scope", "openid offline_access"))
		return a.Text("access_token"), a.Text("id_token"), a.Text("refresh_token")
	}
	inspect := func(token string) (i admin.Inspection) {
		t.Helper()
		r.do(http.MethodPost, admin.Token{Token: token + "\n"}, &i, "token", "inspect")
		return i
	}
	access, id, refresh := sign()

	if i := inspect(access); i.Kind != admin.KindAccess || !i.Live || i.Signature != "good" || i.Key != "active" || i.Family == nil ||
		i.Family.Username != "alice" || i.Family.Client != client.ID || !strings.Contains(string(i.Claims), user.Sub) {
		t.Errorf("access token: %+v", i)
	}
	if i := inspect(id); i.Kind != admin.KindID || !i.Live || i.Signature != "good" {
		t.Errorf("ID token: %+v", i)
	}
	if i := inspect(refresh); i.Kind != admin.KindRefresh || !i.Live || i.Family == nil || !i.Family.Offline || *i.Generation != i.Family.Generation {
		t.Errorf("refresh token: %+v", i)
	}
	t.Run("an ID token by its client's secret", func(t *testing.T) {
		c, secret := r.Client("web", "By its secret", func(c *storage.Client) { c.IDTokenAlg = "HS256" })
		token := r.Redeem(c, secret, r.Browser("alice").Code(c)).Text("id_token")
		if i := inspect(token); i.Kind != admin.KindID || !i.Live || i.Signature != "good" || i.Key != "" {
			t.Errorf("%+v", i)
		}
		if i := inspect(providertest.Tampered(token)); i.Kind != admin.KindJWT || i.Live || i.Signature != "bad" || !strings.Contains(i.Why, "wrong signature") {
			t.Errorf("tampered: %+v", i)
		}
	})
	t.Run("inspecting does not use", func(t *testing.T) {
		if a := r.Refresh(client, secret, refresh); a.Status != http.StatusOK {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a used refresh token is not live, and inspecting it is no theft", func(t *testing.T) {
		r.Clock.Advance(time.Minute)
		i := inspect(refresh)
		if i.Live || !strings.Contains(i.Why, "it was used") || !i.Family.Live {
			t.Errorf("%+v", i)
		}
	})
	t.Run("expired", func(t *testing.T) {
		r.Clock.Advance(10 * time.Minute)
		if i := inspect(access); i.Kind != admin.KindAccess || i.Live || !strings.Contains(i.Why, "expired") {
			t.Errorf("access token: %+v", i)
		}
		if i := inspect(id); i.Kind != admin.KindID || i.Live || !strings.Contains(i.Why, "expired") {
			t.Errorf("ID token: %+v", i)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		access, _, refresh := sign()
		r.Post("/revoke", client, secret, map[string][]string{"token": {refresh}})
		if i := inspect(access); i.Kind != admin.KindAccess || i.Live || !strings.Contains(i.Why, "ended") || i.Family == nil || i.Family.EndedBy == "" {
			t.Errorf("access token: %+v", i)
		}
		if i := inspect(refresh); i.Live || !strings.Contains(i.Why, "ended") {
			t.Errorf("refresh token: %+v", i)
		}
	})
	t.Run("a code is told by its form and not spent", func(t *testing.T) {
		code := r.Browser("alice").Code(client)
		if i := inspect(code); i.Kind != admin.KindHandle || i.Live || i.Expires.IsZero() {
			t.Errorf("%+v", i)
		}
		if a := r.Redeem(client, secret, code); a.Status != http.StatusOK {
			t.Errorf("the code was spent: %+v", a)
		}
	})
	t.Run("another's", func(t *testing.T) {
		forged := access[:strings.LastIndexByte(access, '.')+1] + strings.Repeat("A", 86)
		if i := inspect(forged); i.Signature != "bad" || i.Live || i.Key != "active" {
			t.Errorf("forged: %+v", i)
		}
		if i := inspect("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."); i.Signature != "bad" || i.Live || i.Kind != admin.KindJWT {
			t.Errorf("none: %+v", i)
		}
		for _, junk := range []string{"x", "a.b.c", "..", strings.Repeat("x", 9000)} {
			if i := inspect(junk); i.Live || i.Why == "" {
				t.Errorf("%q: %+v", junk, i)
			}
		}
	})
}

func TestWhoMayCall(t *testing.T) {
	r := newRoom(t)
	srv := &http.Server{Handler: r.handler, ConnContext: admin.ConnContext}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go srv.Serve(tcp)
	t.Cleanup(func() { srv.Close() })
	resp, err := http.Get("http://" + tcp.Addr().String() + "/clients")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("over TCP: %s; want 403", resp.Status)
	}
}

func TestSocket(t *testing.T) {
	for name, dir := range map[string]string{
		"a folder": "data",
		"a folder whose name is longer than a socket's can be": strings.Repeat("long/", 30) + "data",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			dir := filepath.Join(t.TempDir(), dir)
			must(t, os.MkdirAll(dir, 0o700))
			must(t, os.WriteFile(filepath.Join(dir, admin.SocketName), nil, 0o600)) // left behind
			l, err := admin.Listen(dir)
			must(t, err)
			info, err := os.Stat(filepath.Join(dir, admin.SocketName))
			must(t, err)
			if info.Mode() != os.ModeSocket|0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			srv := &http.Server{Handler: r.handler, ConnContext: admin.ConnContext}
			go srv.Serve(l)
			r.caller = admin.OverSocket(dir)
			var made admin.ClientSecret
			r.do(http.MethodPost, admin.NewClient{Type: "spa", Name: "x", Fields: admin.Fields{"redirect_uris": {"https://a.example/"}}}, &made, "clients")
			r.refused(http.StatusNotFound, "no client", http.MethodGet, nil, "clients", "a/b")
			must(t, srv.Close())
			if _, err := os.Stat(filepath.Join(dir, admin.SocketName)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is left behind: %v", err)
			}
			var actor string
			must(t, r.Store.Entries(t.Context(), func(e audit.Entry) error {
				if e.Client == made.Client.ID {
					actor = e.Actor
				}
				return nil
			}))
			if want := fmt.Sprintf("uid %d", os.Getuid()); actor != want {
				t.Errorf("actor %q; want %q, from the kernel", actor, want)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	r := newRoom(t)
	send := func(method, path string, body io.Reader) int {
		w := &answer{header: http.Header{}}
		req, err := http.NewRequestWithContext(admin.WithUID(t.Context(), 1), method, "http://signet"+path, body)
		must(t, err)
		r.handler.ServeHTTP(w, req)
		return w.status
	}
	for name, tt := range map[string]struct {
		method, path, body string
		want               int
	}{
		"no JSON":         {"POST", "/clients", "x", 400},
		"unknown member":  {"POST", "/clients", `{"typ": "web"}`, 400},
		"too large":       {"POST", "/users", `{"username": "` + strings.Repeat("x", 2<<20) + `"}`, 400},
		"no such path":    {"GET", "/nothing", "", 404},
		"no such method":  {"PUT", "/clients", "", 405},
		"nothing to read": {"POST", "/token/inspect", "", 400},
	} {
		if got := send(tt.method, tt.path, bytes.NewBufferString(tt.body)); got != tt.want {
			t.Errorf("%s: %d; want %d", name, got, tt.want)
		}
	}
}

type answer struct {
	header http.Header
	once   sync.Once
	status int
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(s int)   { a.once.Do(func() { a.status = s }) }
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(200)
	return len(b), nil
}
