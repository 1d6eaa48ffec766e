package gate

import (
	"crypto/rand"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// login is a sign-in on its way: OpenID Connect Core 3.1.2.1, RFC 7636 section 4.1.
type login struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Return   string `json:"return"` // path and query
	Until    int64  `json:"until"`  // Unix seconds
}

// loginOf names the cookie of a state.
func loginOf(state string) string { return loginCookie + state[:min(12, len(state))] }

// signIn sends the browser to the issuer; it comes back to returnTo.
func (p *party) signIn(r *http.Request, returnTo string) *verdict {
	m, err := p.gate.issuer.metadata.get(r.Context(), nil)
	if err != nil {
		return p.gate.unavailable("the issuer cannot be reached, so nobody can sign in", err)
	}
	l := login{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: p.target(returnTo), Until: p.gate.now().Add(loginLife).Unix()}
	sealed, err := p.seal(loginOf(l.State), l)
	if err != nil {
		return p.gate.unavailable("the sign-in cannot be begun", err)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.Verifier), oauth2.SetAuthURLParam("nonce", l.Nonce)}
	return &verdict{
		status:   http.StatusFound,
		location: p.client(m).AuthCodeURL(l.State, append(options, p.resource()...)...),
		cookies:  append(p.oldLogins(r), p.cookie(loginOf(l.State), sealed, loginLife)),
	}
}

// client is how the gate stands with the issuer.
func (p *party) client(m metadata) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if p.secret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.secret, RedirectURL: p.gate.config.Origin + CallbackPath, Scopes: strings.Fields(p.scope),
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style},
	}
}

// resource asks for an access token for the API (RFC 8707 section 2). The issuer itself is the resource of whoever names none.
func (p *party) resource() []oauth2.AuthCodeOption {
	if p.gate.config.Resource == p.gate.config.Issuer {
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("resource", p.gate.config.Resource)}
}

// oldLogins removes the cookies of earlier sign-ins where there are many.
func (p *party) oldLogins(r *http.Request) (gone []*http.Cookie) {
	for _, c := range r.Cookies() {
		if purpose, ours := strings.CutPrefix(c.Name, p.prefix); ours && strings.HasPrefix(purpose, loginCookie) {
			gone = append(gone, p.cookie(purpose, "", 0))
		}
	}
	if len(gone) < maxLogins {
		return nil
	}
	return gone
}

// maxReturn bounds what is kept of where a browser wanted to go.
const maxReturn = 1500

// target is a path and a query of ours to go to; "/" where s is anything else. It never says another host: it begins with one slash, and what it
// is put behind is the origin.
func (p *party) target(s string) string {
	path, query, _ := strings.Cut(s, "?")
	_, problem := parsePath(path)
	odd := strings.IndexFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) >= 0
	if problem != "" || odd || len(s) > maxReturn || strings.HasPrefix(path, ownPaths) {
		return "/"
	}
	return s
}

// start begins a sign-in on purpose: GET /.gate/signin?return=/path.
func (p *party) start(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		p.gate.write(w, &verdict{status: http.StatusMethodNotAllowed, description: "a sign-in begins with GET"}, wantsPage(r))
		return
	}
	v := p.signIn(r, r.URL.Query().Get(returnParam))
	p.gate.note(v)
	p.gate.write(w, v, wantsPage(r))
}
