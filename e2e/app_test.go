package e2e

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"signet/provider/providertest"
	"signet/storage"
)

// app is a relying party on a site of its own. Its pages:
//
//	/signin    sends the browser to the provider; what stands in the query is added to the authorization request
//	/form      the same by a form that is posted there
//	/frame     the same in a frame
//	/callback  takes the answer, by GET or POST, and sends the browser one hop further: to /done on a third host
type app struct {
	t       *testing.T
	url     string
	client  storage.Client
	secret  string
	library library
	arrived chan arrival
	done    *httptest.Server
}

// library is somebody else's client code.
type library interface {
	// signIn sends the browser to the provider.
	signIn(w http.ResponseWriter, r *http.Request)
	// callback takes the authorization response and redeems the code. It verifies the ID token as the library does. It may set cookies.
	callback(w http.ResponseWriter, r *http.Request) (tokens, error)
	refresh(ctx context.Context, refreshToken string) (tokens, error)
	revoke(ctx context.Context, token string) error
}

// tokens are what an app holds.
type tokens struct{ id, access, refresh, subject string }

// party is what a library has to know.
type party struct {
	issuer, id, secret, redirectURI string
	scopes                          []string
	http                            *http.Client // asks the provider
}

// arrival is an authorization response as it came to the callback.
type arrival struct {
	method, site string // GET or POST; Sec-Fetch-Site
	dest         string // Sec-Fetch-Dest: document or iframe
	params       url.Values
	tokens       tokens
	err          error
}

// host is where an app lives, seen from a browser. The provider is on 127.0.0.1.
type host string

const (
	otherSite host = "localhost"
	sameSite  host = "127.0.0.1"
)

// newApp starts an app and registers it as a web client.
func newApp(t *testing.T, s *providertest.Server, at host, name string, with func(*testing.T, party) library, change ...func(*storage.Client)) *app {
	t.Helper()
	a := &app{t: t, arrived: make(chan arrival, 8)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, r *http.Request) { a.library.signIn(w, r) })
	mux.HandleFunc("GET /form", a.form)
	mux.HandleFunc("GET /frame", a.frame)
	mux.HandleFunc("/callback", a.callback)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.done = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write(w, `<h1 id="done">{{.}}</h1>`, r.URL.Query().Get("said"))
	}))
	t.Cleanup(a.done.Close)
	a.url = strings.Replace(server.URL, "127.0.0.1", string(at), 1)
	a.client, a.secret = s.Client("web", name, append([]func(*storage.Client){func(c *storage.Client) {
		c.RedirectURIs = []string{a.url + "/callback"}
	}}, change...)...)
	a.library = with(t, party{
		issuer: s.Issuer, id: a.client.ID, secret: a.secret, redirectURI: a.url + "/callback",
		scopes: []string{"openid", "profile", "email", "groups", "offline_access"}, http: http.DefaultClient,
	})
	return a
}

// callback takes the answer and sends the browser on.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	here := arrival{method: r.Method, site: r.Header.Get("Sec-Fetch-Site"), dest: r.Header.Get("Sec-Fetch-Dest")}
	if here.err = r.ParseForm(); here.err == nil {
		here.params = r.Form
		here.tokens, here.err = a.library.callback(w, r)
	}
	said := "signed in as " + here.tokens.subject
	if here.err != nil {
		said = here.err.Error()
	}
	a.arrived <- here
	// RFC 6761 section 6.3: names below localhost are loopback too, and Chromium holds to it.
	http.Redirect(w, r, strings.Replace(a.done.URL, "127.0.0.1", "elsewhere.localhost", 1)+"/done?said="+url.QueryEscape(said), http.StatusSeeOther)
}

// form is the authorization request as a form.
func (a *app) form(w http.ResponseWriter, r *http.Request) {
	sent := httptest.NewRecorder()
	a.library.signIn(sent, r)
	for _, cookie := range sent.Result().Cookies() {
		http.SetCookie(w, cookie)
	}
	to, err := sent.Result().Location()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	params := to.Query()
	to.RawQuery = ""
	write(w, `<form method="post" action="{{.Action}}">{{range $name, $values := .Params}}{{range $values}}
<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}<button id="send">Sign in</button></form>`,
		map[string]any{"Action": to.String(), "Params": params})
}

// frame holds the authorization request in a frame.
func (a *app) frame(w http.ResponseWriter, r *http.Request) {
	write(w, `<h1 id="framing">Framing</h1><iframe id="frame" width="600" height="400" src="/signin?{{.}}"></iframe>`, template.URL(r.URL.RawQuery))
}

// arrival waits for the answer of the provider.
func (a *app) arrival() arrival {
	a.t.Helper()
	select {
	case here := <-a.arrived:
		return here
	case <-time.After(patience):
		a.t.Fatal("no answer came to the callback")
		panic("unreachable")
	}
}

// signedIn is arrival for an answer that has to be a good one.
func (a *app) signedIn() arrival {
	a.t.Helper()
	here := a.arrival()
	if here.err != nil {
		a.t.Fatalf("%s: %v", a.client.Name, here.err)
	}
	return here
}

func write(w http.ResponseWriter, body string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := template.Must(template.New("").Parse(`<!doctype html><title>App</title><link rel="icon" href="data:,">` + body))
	_ = page.Execute(w, data) // a browser that went away is nobody's fault
}

// coreos is an app on coreos/go-oidc and x/oauth2.
type coreos struct {
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
	revoking string

	mutex sync.Mutex
	begun map[string]begun // by state
}

type begun struct{ verifier, nonce string }

func newCoreos(t *testing.T, p party) library {
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.http), p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		t.Fatal(err)
	}
	return &coreos{
		config: oauth2.Config{
			ClientID: p.id, ClientSecret: p.secret, Endpoint: provider.Endpoint(), RedirectURL: p.redirectURI, Scopes: p.scopes,
		},
		verifier: provider.Verifier(&oidc.Config{ClientID: p.id}),
		revoking: more.Revocation,
		begun:    map[string]begun{},
	}
}

func (c *coreos) signIn(w http.ResponseWriter, r *http.Request) {
	state, b := oauth2.GenerateVerifier(), begun{oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}
	c.mutex.Lock()
	c.begun[state] = b
	c.mutex.Unlock()
	options := []oauth2.AuthCodeOption{oidc.Nonce(b.nonce), oauth2.S256ChallengeOption(b.verifier)}
	for name, values := range r.URL.Query() {
		options = append(options, oauth2.SetAuthURLParam(name, values[0]))
	}
	http.Redirect(w, r, c.config.AuthCodeURL(state, options...), http.StatusFound)
}

func (c *coreos) callback(_ http.ResponseWriter, r *http.Request) (tokens, error) {
	c.mutex.Lock()
	b, ok := c.begun[r.FormValue("state")]
	delete(c.begun, r.FormValue("state"))
	c.mutex.Unlock()
	switch {
	case !ok:
		return tokens{}, errors.New("nobody began this sign-in")
	case r.FormValue("error") != "":
		return tokens{}, errors.New(r.FormValue("error"))
	}
	t, err := c.config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(b.verifier))
	if err != nil {
		return tokens{}, err
	}
	return c.verified(r.Context(), t, b.nonce)
}

// verified checks what the app got by the published keys alone.
func (c *coreos) verified(ctx context.Context, t *oauth2.Token, nonce string) (tokens, error) {
	id, err := c.verifier.Verify(ctx, idToken(t))
	if err != nil {
		return tokens{}, err
	}
	if id.Nonce != nonce {
		return tokens{}, fmt.Errorf("nonce is %q, sent was %q", id.Nonce, nonce)
	}
	if err := id.VerifyAccessToken(t.AccessToken); err != nil {
		return tokens{}, fmt.Errorf("at_hash: %w", err)
	}
	return tokens{id: idToken(t), access: t.AccessToken, refresh: t.RefreshToken, subject: id.Subject}, nil
}

func (c *coreos) refresh(ctx context.Context, refreshToken string) (tokens, error) {
	t, err := refreshed(ctx, &c.config, refreshToken)
	if err != nil {
		return tokens{}, err
	}
	return c.verified(ctx, t, "") // OpenID Connect Core 12.2: it SHOULD NOT have a nonce
}

func (c *coreos) revoke(ctx context.Context, token string) error {
	return revoke(ctx, c.revoking, c.config.ClientID, c.config.ClientSecret, token)
}

// revoke is RFC 7009 by hand: x/oauth2 has no function for it.
func revoke(ctx context.Context, endpoint, id, secret, token string) error {
	resp, err := post(ctx, endpoint, id, secret, token)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &statusError{resp.StatusCode, string(body)}
	}
	if err != nil {
		return fmt.Errorf("revocation: %w", err)
	}
	return nil
}

// statusError is an answer with a status that was not expected.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.code, e.body) }

// post asks an endpoint about a token, as a client, with the HTTP client that x/oauth2 finds in ctx.
func post(ctx context.Context, endpoint, id, secret, token string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client)
	if !ok {
		client = http.DefaultClient
	}
	return client.Do(r)
}

// zitadelRP is an app on zitadel/oidc's client/rp, with its own handlers and cookies.
type zitadelRP struct{ rp.RelyingParty }

func newZitadel(t *testing.T, p party) library {
	cookies := httphelper.NewCookieHandler([]byte("a key of 32 bytes, for the tests"), []byte("a key of 32 bytes, for the tests"), httphelper.WithUnsecure())
	party, err := rp.NewRelyingPartyOIDC(context.Background(), p.issuer, p.id, p.secret, p.redirectURI, p.scopes,
		rp.WithHTTPClient(p.http), rp.WithCookieHandler(cookies), rp.WithPKCE(cookies),
		rp.WithAuthStyle(oauth2.AuthStyleInHeader), // otherwise it redeems codes with HTTP Basic and refreshes with the secret in the body
		rp.WithVerifierOpts(rp.WithIssuedAtOffset(5*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	return zitadelRP{party}
}

func (z zitadelRP) signIn(w http.ResponseWriter, r *http.Request) {
	var options []rp.URLParamOpt
	for name, values := range r.URL.Query() {
		options = append(options, rp.WithURLParam(name, values[0]))
	}
	rp.AuthURLHandler(oauth2.GenerateVerifier, z, options...)(w, r)
}

func (z zitadelRP) callback(w http.ResponseWriter, r *http.Request) (tokens, error) {
	var got *zitadel.Tokens[*zitadel.IDTokenClaims]
	answer := httptest.NewRecorder() // the handler writes its errors
	rp.CodeExchangeHandler(func(_ http.ResponseWriter, _ *http.Request, t *zitadel.Tokens[*zitadel.IDTokenClaims], _ string, _ rp.RelyingParty) {
		got = t
	}, z)(answer, r)
	for _, cookie := range answer.Result().Cookies() {
		http.SetCookie(w, cookie)
	}
	if got == nil {
		return tokens{}, errors.New(answer.Body.String())
	}
	return tokensOf(got), nil
}

func (z zitadelRP) refresh(ctx context.Context, refreshToken string) (tokens, error) {
	t, err := rp.RefreshTokens[*zitadel.IDTokenClaims](ctx, z, refreshToken, "", "")
	if err != nil {
		return tokens{}, err
	}
	return tokensOf(t), nil
}

func (z zitadelRP) revoke(ctx context.Context, token string) error {
	return rp.RevokeToken(ctx, z, token, "refresh_token")
}

func tokensOf(t *zitadel.Tokens[*zitadel.IDTokenClaims]) tokens {
	return tokens{id: t.IDToken, access: t.AccessToken, refresh: t.RefreshToken, subject: t.IDTokenClaims.Subject}
}
