package gate

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxToken bounds what is verified, in bytes.
const maxToken = 16 << 10

// skew is how far the issuer's clock may be from ours.
const skew = 30 * time.Second

// token is an access token that was found good.
type token struct {
	Claims  map[string]any `json:"claims"`
	Expires int64          `json:"exp"` // Unix seconds
	List    *reference     `json:"list,omitempty"`

	bound *confirmation // the key that has to be shown with it; nil: none
}

// confirmation is the claim cnf: RFC 7800 section 3.1, RFC 9449 section 6.1, RFC 8705 section 3.1.
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

func (t token) text(claim string) string {
	s, _ := t.Claims[claim].(string)
	return s
}

func (t token) scopes() []string { return strings.Fields(t.text("scope")) }

func (t token) permissions() []string {
	var all []string
	list, _ := t.Claims["permissions"].([]any)
	for _, p := range list {
		if s, ok := p.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// standard are the claims by which a token is judged: RFC 9068 section 2.2, RFC 7662 section 2.2.
type standard struct {
	Active   bool            `json:"active"` // of an introspection answer
	Issuer   string          `json:"iss"`
	Audience audience        `json:"aud"`
	Subject  string          `json:"sub"`
	Client   string          `json:"client_id"`
	ID       string          `json:"jti"`
	Expires  float64         `json:"exp"`
	Before   float64         `json:"nbf"`
	Issued   float64         `json:"iat"`
	Bound    json.RawMessage `json:"cnf"`
	Status   *status         `json:"status"`
}

// audience is one text or several.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var several []string
	err := json.Unmarshal(b, &several)
	*a = several
	return err
}

// token makes a token of claims that the issuer vouches for, if they are about here and now; otherwise it says what they lack.
func (g *Gate) token(payload []byte) (t token, c standard, problem string) {
	if json.Unmarshal(payload, &c) != nil || json.Unmarshal(payload, &t.Claims) != nil {
		return t, c, "the token's claims cannot be read"
	}
	now := float64(g.now().Unix())
	switch {
	case !slices.Contains(c.Audience, g.config.Resource):
		return t, c, "the token is for another resource"
	case c.Subject == "" || c.Client == "":
		return t, c, "the token does not say whose it is"
	case c.Expires == 0 || now >= c.Expires+skew.Seconds():
		return t, c, "the token has expired"
	case c.Before > now+skew.Seconds():
		return t, c, "the token is not good yet"
	}
	delete(t.Claims, "email") // an address counts where an ID token says that it was verified: session.go
	t.Expires = int64(c.Expires)
	if c.Status != nil {
		t.List = &c.Status.List
	}
	if len(c.Bound) > 0 && string(c.Bound) != "null" {
		t.bound = &confirmation{}
		_ = json.Unmarshal(c.Bound, t.bound) // what cannot be read is bound all the same
	}
	return t, c, ""
}

// bearer returns the access token of a request, however it is checked: nil with a verdict where it is not good.
func (g *Gate) bearer(ctx context.Context, o original, r *http.Request) (*token, *verdict) {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	dpop := strings.EqualFold(scheme, "DPoP")
	switch {
	case !dpop && !strings.EqualFold(scheme, "Bearer"):
		return nil, g.unauthorized("", "", false)
	case dpop && g.proof == nil:
		return nil, g.unauthorized("invalid_token", "tokens that are bound to a key are not taken here", true)
	case !tokenForm(credentials):
		return nil, noToken("Authorization does not hold one token (RFC 6750 section 2.1)")
	}
	t, refused := g.accept(ctx, credentials)
	switch {
	case refused != nil:
		refused.dpop = refused.dpop || dpop
		return nil, refused
	case t.bound != nil && !dpop: // RFC 9449 section 7.2
		return nil, g.unauthorized("invalid_token", "the token is bound to a key", true)
	case t.bound == nil && dpop:
		return nil, g.unauthorized("invalid_token", "the token is not bound to a key", true)
	}
	if dpop {
		if err := g.proof.Check(r.Header.Values("DPoP"), o.method, o.origin+o.path, credentials, t.bound.Thumbprint); err != nil {
			return nil, g.unauthorized("invalid_dpop_proof", "the proof is not good", true)
		}
	}
	return t, nil
}

// tokenForm is b64token of RFC 6750 section 2.1.
func tokenForm(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	body := strings.TrimRight(s, "=")
	return body != "" && strings.IndexFunc(body, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~+/", r))
	}) < 0
}

// accept checks a token: alone if it is a JWT, by asking otherwise.
func (g *Gate) accept(ctx context.Context, raw string) (*token, *verdict) {
	if g.config.Check == CheckIntrospection || strings.Count(raw, ".") != 2 {
		if g.asker == nil {
			return nil, g.unauthorized("invalid_token", "the token is no JWT", false)
		}
		return g.asker.introspect(ctx, raw)
	}
	t, refused := g.verify(ctx, raw)
	if refused != nil {
		return nil, refused
	}
	if refused := g.ended(ctx, t.List); refused != nil {
		return nil, refused
	}
	return t, nil
}
