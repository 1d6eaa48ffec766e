package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"signet/clients"
)

// row is one thing that is measured.
type row struct {
	name   string
	server *child
	ask    func(*worker) error
	floor  string // the row that it is compared with; "": it is a floor
	alg    string // of access tokens; "": any
}

const (
	rowDocument = "floor: a document"
	rowES256    = "floor: one ES256 signature"
	rowRS256    = "floor: one RS256 signature"
	rowEdDSA    = "floor: one EdDSA signature"
)

// rowsOf are the rows that match, after the floors that they are compared with.
func rowsOf(floor *child, b *bed, s stock, match *regexp.Regexp) []row {
	provider := b.provider
	form := func(path string) func(*worker) error {
		return func(w *worker) error {
			a, err := w.post(path, "", "grant_type=refresh_token&refresh_token=AQAAAAEBnPVcbGF1Z2h0ZXIgaXMgdGhlIGJlc3QgbWVkaWNpbmUgaXMgd2hhdCB0aGV5IHNheQ")
			return a.want(http.StatusOK, err)
		}
	}
	get := func(path string) func(*worker) error {
		return func(w *worker) error {
			a, err := w.get(path, "")
			return a.want(http.StatusOK, err)
		}
	}
	all := []row{
		{rowDocument, floor, get(floorDocument), "", ""},
		{rowES256, floor, form(floorES256), "", ""},
		{rowRS256, floor, form(floorRS256), "", ""},
		{rowEdDSA, floor, form(floorEdDSA), "", ""},
		{"discovery", provider, get("/.well-known/openid-configuration"), rowDocument, ""},
		{"JWKS", provider, get("/jwks"), rowDocument, ""},
		{"status list", provider, get("/statuslists/0"), rowDocument, "ES256"},
		{"client_credentials ES256", provider, s.serve, rowES256, "ES256"},
		{"client_credentials RS256", provider, s.serve, rowRS256, "RS256"},
		{"client_credentials EdDSA", provider, s.serve, rowEdDSA, "EdDSA"},
		{"userinfo", provider, s.userinfo, rowDocument, "ES256"},
		{"introspection", provider, s.introspect, rowDocument, "ES256"},
		{"refresh", provider, s.plain.refresh, rowES256, "ES256"},
		{"refresh, ID token ES256", provider, s.es256.refresh, rowES256, "ES256"},
		{"refresh, ID token RS256", provider, s.rs256.refresh, rowRS256, "ES256"},
		{"refresh, then userinfo", provider, s.refreshAndUserinfo, rowES256, "ES256"},
		{"authorization with a session", provider, s.authorize, rowDocument, "ES256"},
		{"code flow, ID token ES256", provider, s.codeFlow, rowES256, "ES256"},
		{"API: client_credentials, JWT ES256", provider, s.serveFor(ordersAPI), rowES256, ""},
		{"API: client_credentials, opaque", provider, s.serveFor(opaqueAPI), rowDocument, ""},
		{"API: exchange for JWT ES256", provider, s.exchange(opaqueAPI, ordersAPI), rowES256, ""},
		{"API: exchange for opaque", provider, s.exchange(ordersAPI, opaqueAPI), rowDocument, ""},
		{"API: introspection of a JWT", provider, s.introspectAt(ordersAPI, ""), rowDocument, ""},
		{"API: introspection of opaque", provider, s.introspectAt(opaqueAPI, ""), rowDocument, ""},
		{"API: introspection as JWT ES256", provider, s.introspectAt(ordersAPI, "Accept: application/token-introspection+jwt\r\n"), rowES256, ""},
		{"gate: JWT ES256", b.gates[0], check(s.users[ordersAPI], http.StatusOK), rowDocument, ""},
		{"gate: opaque", b.gates[1], check(s.users[opaqueAPI], http.StatusOK), rowDocument, ""},
		{"gate: another's header, refused", b.gates[0], check(s.users[ordersAPI], http.StatusBadRequest, "X_Auth_Subject: admin\r\n"), rowDocument, ""},
	}
	var rows []row
	floors := map[string]bool{}
	for _, r := range all {
		if r.floor != "" && match.MatchString(r.name) {
			rows, floors[r.floor] = append(rows, r), true
		}
	}
	return append(slices.DeleteFunc(all, func(r row) bool { return !floors[r.name] }), rows...)
}

// line is a line of refresh tokens: the current one.
type line struct{ refresh, access string }

// lines are those of one client and scope.
type lines struct {
	client credentials
	scope  string
	all    []line
}

// stock is what the provider gave out before the measuring began.
type stock struct {
	plain, es256, rs256 lines
	service             credentials
	browsers            []string // the Cookie header of each

	api   credentials         // what the APIs are, as a client
	users map[string][]string // access tokens of users, by the API that they are for
}

// serve gets an access token for the client itself.
func (s *stock) serve(w *worker) error {
	a, err := w.post("/token", s.service.basic(), "grant_type=client_credentials")
	return a.want(http.StatusOK, err)
}

// serveFor is the same for an API, with all scopes that the client has there.
func (s *stock) serveFor(api string) func(*worker) error {
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {api}}.Encode()
	return func(w *worker) error {
		a, err := w.post("/token", s.service.basic(), form)
		return a.want(http.StatusOK, err)
	}
}

// exchange goes on from one API to another, in the name of one of the users.
func (s *stock) exchange(from, to string) func(*worker) error {
	var forms []string
	for _, token := range s.users[from] {
		forms = append(forms, url.Values{
			"grant_type": {clients.GrantExchange}, "subject_token": {token}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {to},
		}.Encode())
	}
	return func(w *worker) error {
		a, err := w.post("/token", s.api.basic(), forms[w.number%len(forms)])
		return a.want(http.StatusOK, err)
	}
}

// introspectAt is an API that asks about a user's token for it.
func (s *stock) introspectAt(api, accept string) func(*worker) error {
	return func(w *worker) error {
		tokens := s.users[api]
		a, err := w.post("/introspect", s.api.basic()+accept, "token="+tokens[w.number%len(tokens)])
		return a.want(http.StatusOK, err)
	}
}

// refresh uses a refresh token, and remembers the next one.
func (l *lines) refresh(w *worker) error {
	mine := mine(w, l.all)
	a, err := w.post("/token", l.client.basic(), "grant_type=refresh_token&refresh_token="+mine.refresh)
	if err := a.want(http.StatusOK, err); err != nil {
		return err
	}
	mine.refresh, mine.access = a.member("refresh_token"), a.member("access_token")
	return nil
}

// userinfo asks with one token again and again, as apps do.
func (s *stock) userinfo(w *worker) error {
	a, err := w.get("/userinfo", "Authorization: Bearer "+s.es256.all[w.number].access+"\r\n")
	return a.want(http.StatusOK, err)
}

// refreshAndUserinfo asks with a token that no one has seen yet.
func (s *stock) refreshAndUserinfo(w *worker) error {
	if err := s.es256.refresh(w); err != nil {
		return err
	}
	a, err := w.get("/userinfo", "Authorization: Bearer "+mine(w, s.es256.all).access+"\r\n")
	return a.want(http.StatusOK, err)
}

func (s *stock) introspect(w *worker) error {
	a, err := w.post("/introspect", s.es256.client.basic(), "token="+s.es256.all[w.number].access)
	return a.want(http.StatusOK, err)
}

// authorize gets a code without a question: single sign-on.
func (s *stock) authorize(w *worker) error {
	_, err := w.code(s.browser(w), s.es256.client, s.es256.scope)
	return err
}

// codeFlow is a sign-in to another app: the code, and the tokens for it.
func (s *stock) codeFlow(w *worker) error {
	_, err := w.signIn(s.browser(w), s.es256.client, s.es256.scope)
	return err
}

func (s *stock) browser(w *worker) string { return s.browsers[w.number%len(s.browsers)] }

func (c credentials) basic() string { return basicAuth(c.ID, c.Secret) }

// code asks for an authorization, for the issuer or for these APIs, and returns the code.
func (c *conn) code(cookies string, client credentials, scope string, apis ...string) (string, error) {
	a, err := c.get("/authorize?"+authorization(client, scope, apis...).Encode(), cookies)
	if err := a.want(http.StatusSeeOther, err); err != nil {
		return "", err
	}
	to, err := url.Parse(a.location)
	if err != nil || to.Query().Get("code") == "" {
		return "", errNoCode(a.location)
	}
	return to.Query().Get("code"), nil
}

// signIn runs the code flow and returns what came of it.
func (c *conn) signIn(cookies string, client credentials, scope string, apis ...string) (line, error) {
	code, err := c.code(cookies, client, scope, apis...)
	if err != nil {
		return line{}, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}}
	a, err := c.post("/token", client.basic(), form.Encode())
	if err := a.want(http.StatusOK, err); err != nil {
		return line{}, err
	}
	return line{refresh: a.member("refresh_token"), access: a.member("access_token")}, nil
}
