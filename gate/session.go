package gate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// party is the gate as a relying party: it signs browsers in, and keeps nothing of it but in their cookies.
type party struct {
	gate   *Gate
	config SignIn
	secret string // of the client; "": it has none
	aead   cipher.AEAD
	prefix string   // of cookies' names
	secure bool     // the origin is https
	host   string   // of the origin
	scope  string   // what is asked for
	claims []string // that a session keeps
}

// What the cookies are for. Each is sealed for its purpose.
const (
	sessionCookie = "session"
	hintCookie    = "hint"   // the ID token, for signing out
	loginCookie   = "login-" // a sign-in on its way; the beginning of its state follows
)

const (
	loginLife = 10 * time.Minute
	maxLogins = 6    // in one browser; the cookies of earlier ones go
	maxCookie = 3800 // bytes of a value: RFC 6265 section 6.1 has browsers take 4096 with name and attributes
)

func newParty(g *Gate, c SignIn) (*party, error) {
	p := &party{gate: g, config: c}
	var err error
	if c.ClientSecretFile != "" {
		if p.secret, err = readSecret(c.ClientSecretFile); err != nil {
			return nil, err
		}
	}
	material := p.secret
	if c.CookieKeyFile != "" {
		if material, err = readSecret(c.CookieKeyFile); err != nil {
			return nil, err
		}
	}
	// Whose the cookies are is in the key: gates that share a secret do not take each other's.
	whose := strings.Join([]string{g.config.Issuer, c.ClientID, g.config.Origin, g.config.Resource}, "\x00")
	key, err := hkdf.Key(sha256.New, []byte(material), nil, "signet gate cookies\x00"+whose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if p.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, err
	}
	u, err := url.Parse(g.config.Origin)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(whose))
	p.prefix, p.secure, p.host = "gate-"+hex.EncodeToString(sum[:4])+"-", u.Scheme == "https", u.Host
	if p.secure {
		p.prefix = "__Host-" + p.prefix // RFC 6265bis section 4.1.3.2
	}
	p.scope = p.scopes()
	p.claims = slices.Clone(judged)
	for _, h := range g.config.Headers {
		p.claims = append(p.claims, h.Claim)
	}
	return p, nil
}

// scopes are openid, those of the configuration, and those of the routes that browsers may use.
func (p *party) scopes() string {
	all := []string{"openid"}
	add := func(scopes []string) {
		for _, s := range scopes {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	add(p.config.Scopes)
	for _, r := range p.gate.config.Routes {
		if r.SignIn {
			add(r.Scopes)
		}
	}
	return strings.Join(all, " ")
}

// session is what a browser's cookie says: what the access token said when it signed in.
type session struct {
	Token token `json:"token"`
	Until int64 `json:"until"` // Unix seconds
}

// seal encrypts v for a purpose, as a cookie's value.
func (p *party) seal(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sealed := base64.RawURLEncoding.EncodeToString(p.aead.Seal(nil, nil, plain, []byte(purpose)))
	if len(sealed) > maxCookie {
		return "", fmt.Errorf("what is to be kept of a sign-in is %d bytes long, and browsers keep %d: fewer permissions, roles or groups, or fewer headers, would fit", len(sealed), maxCookie)
	}
	return sealed, nil
}

// open reads the cookie of a purpose. One that is there twice, or is not ours, is none.
func (p *party) open(r *http.Request, purpose string, v any) bool {
	found := r.CookiesNamed(p.prefix + purpose)
	if len(found) != 1 {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(found[0].Value)
	if err != nil {
		return false
	}
	plain, err := p.aead.Open(nil, nil, sealed, []byte(purpose))
	return err == nil && json.Unmarshal(plain, v) == nil
}

// cookie makes one; life 0 or less removes it.
func (p *party) cookie(purpose, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: p.prefix + purpose, Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if c.MaxAge <= 0 {
		c.MaxAge, c.Value = -1, ""
	}
	return c
}

// who is signed in at the browser that sent the original request.
func (p *party) who(r *http.Request, o original) (*token, *verdict) {
	var s session
	if !p.open(r, sessionCookie, &s) || p.gate.now().Unix() >= s.Until {
		return nil, p.begin(r, o)
	}
	// A page of another site can have a browser send its cookies; with SameSite=Lax those of a site's own subdomains can still.
	if http.NewCrossOriginProtection().Check(&http.Request{Method: effect(r, o), Header: r.Header, Host: p.host}) != nil {
		return nil, forbidden("the request comes from a page of another origin")
	}
	if refused := p.gate.ended(r.Context(), s.Token.List); refused != nil {
		if refused.status == http.StatusUnauthorized {
			return nil, p.begin(r, o)
		}
		return nil, refused
	}
	return &s.Token, nil
}

// effect is the method, for what a foreign page may do by it. A WebSocket begins with GET, and pages of any origin may open and read one (RFC 6455
// section 10.2). Proxies may have removed Upgrade.
func effect(r *http.Request, o original) string {
	if r.Header.Get("Upgrade") != "" || r.Header.Get("Sec-WebSocket-Version") != "" || r.Header.Get("Sec-Fetch-Mode") == "websocket" {
		return http.MethodConnect
	}
	return o.method
}

// begin sends a browser that opens a page to sign in, and tells everybody else that somebody has to.
func (p *party) begin(r *http.Request, o original) *verdict {
	if !navigates(r, o) {
		return p.gate.unauthorized("", "", false)
	}
	return p.signIn(r, o.target())
}

// navigates reports whether a browser opens a page: Fetch Metadata, and Accept where a browser does not send that.
func navigates(r *http.Request, o original) bool {
	is := func(name string, values ...string) bool {
		v := r.Header.Get(name)
		return v == "" || slices.Contains(values, v)
	}
	return o.method == http.MethodGet && wantsPage(r) && is("Sec-Fetch-Mode", "navigate") && is("Sec-Fetch-Dest", "document")
}

// judged are the claims that say what may be done. An ID token's are not about the API.
var judged = []string{"sub", "client_id", "scope", "permissions"}

// keep makes the session of a token and its ID token's claims.
func (p *party) keep(t token, id map[string]any) (session, time.Duration) {
	now := p.gate.now()
	life := p.config.Session
	if t.List == nil || !p.gate.config.StatusList { // nothing would tell that it is over
		life = min(life, time.Unix(t.Expires, 0).Sub(now))
	}
	kept := map[string]any{}
	for _, claim := range p.claims {
		if v, ok := t.Claims[claim]; ok {
			kept[claim] = v
		} else if v, ok := id[claim]; ok && !slices.Contains(judged, claim) && (claim != "email" || id["email_verified"] == true) {
			kept[claim] = v
		}
	}
	t.Claims = kept
	return session{Token: t, Until: now.Add(life).Unix()}, life
}
