package storage

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"signet/audit"
)

// Request is an authorization request as it was validated (OpenID Connect Core 3.1.2.1). It is stored only when the browser must
// be asked something.
type Request struct {
	Client       string   `json:"client"`
	RedirectURI  string   `json:"redirect_uri"`
	ResponseType string   `json:"response_type"`
	ResponseMode string   `json:"response_mode"`
	Scopes       []string `json:"scopes"`
	State        string   `json:"state,omitempty"`
	Nonce        string   `json:"nonce,omitempty"`
	Challenge    string   `json:"code_challenge,omitempty"` // S256
	Prompt       []string `json:"prompt,omitempty"`
	MaxAge       *int     `json:"max_age,omitempty"` // seconds; the client's default_max_age where the request has none
	LoginHint    string   `json:"login_hint,omitempty"`
	HintedUser   string   `json:"hinted_user,omitempty"` // sub of the id_token_hint, as authorize resolved it
	ACRValues    []string `json:"acr_values,omitempty"`
	UILocales    []string `json:"ui_locales,omitempty"`
	Resources    []string `json:"resources,omitempty"` // none: the default one
	// Access is what is asked for there, as consent remembers it: each resource, and each with a scope of its own behind a space. Two may have a
	// scope of one name, and who allowed it at one did not allow it at the other.
	Access []string `json:"access,omitempty"`

	Claims json.RawMessage `json:"claims,omitempty"` // the claims parameter, checked (Core 5.5)
	Object OneTime         `json:"object,omitzero"`  // the request object that it came in, where that has a jti
}

// OneTime names something of a client's that may be used once. The zero OneTime names nothing.
type OneTime struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"` // from then on it is refused anyway, or forgotten
}

// Authorization is what a user allowed, as a code carries it and a family keeps it.
type Authorization struct {
	Client    string          `json:"client"`
	User      string          `json:"user"`    // sub
	Session   ID              `json:"session"` // in which it was given; zero: nobody signed in, and it lives by its own dates
	Epoch     uint64          `json:"epoch"`   // the user's, see [User]
	Scopes    []string        `json:"scopes"`
	Resources []string        `json:"resources,omitempty"` // none: the default one
	Access    []string        `json:"access,omitempty"`    // as of [Request]; none: each of the scopes at each resource that has it
	AuthTime  time.Time       `json:"auth_time"`
	ACR       string          `json:"acr,omitempty"`
	AMR       []string        `json:"amr,omitempty"`
	Claims    json.RawMessage `json:"claims,omitempty"`  // the claims parameter: what was asked for besides the scopes
	Offline   bool            `json:"offline,omitempty"` // offline_access: it outlives the session and has refresh tokens
}

// InFront is a as a family of the front channel keeps it: without offline_access. No refresh token ever leaves the authorization
// endpoint (OpenID Connect Core 11), so what was issued there lives by the session.
func (a Authorization) InFront() Authorization {
	a.Offline = false
	a.Scopes = slices.DeleteFunc(slices.Clone(a.Scopes), func(s string) bool { return s == "offline_access" })
	return a
}

// Targets are the resources that a was given for.
func (a Authorization) Targets() []string {
	if len(a.Resources) == 0 {
		return []string{DefaultResource}
	}
	return a.Resources
}

// Allows reports whether a was given for this scope of a resource's own.
func (a Authorization) Allows(resource, scope string) bool {
	return slices.Contains(a.Scopes, scope) && (len(a.Access) == 0 || slices.Contains(a.Access, resource+" "+scope))
}

// Covers reports whether a was given for all of these resources.
func (a Authorization) Covers(resources []string) bool {
	granted := a.Targets()
	return !slices.ContainsFunc(resources, func(r string) bool { return !slices.Contains(granted, r) })
}

// Interaction is one authorization request for which the browser must be asked something. Its handle's ID is in the URL, its
// secret in a cookie, so a link alone does nothing in another browser.
type Interaction struct {
	ID         ID        `json:"id"`
	SecretHash Hash      `json:"secret"`
	Request    Request   `json:"request"`
	Address    string    `json:"address,omitempty"` // what the limit counts
	Session    ID        `json:"session,omitempty"` // set by the sign-in that happened here, or by the choice of an account
	Chosen     bool      `json:"chosen,omitempty"`  // Session was chosen; nobody has signed in here since
	Return     string    `json:"return,omitempty"`  // there is no request: a page of ours (a path) wanted to know who is there
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	Spent      bool      `json:"spent,omitempty"`
}

// KeptRequest is an authorization or end-session request that came by POST. A cross-site POST carries no SameSite=Lax cookie,
// so the form is kept under a one-time handle and the browser is sent to our own GET.
type KeptRequest struct {
	ID         ID        `json:"id"`
	SecretHash Hash      `json:"secret"`
	Form       string    `json:"form"`              // as it was sent: application/x-www-form-urlencoded
	Address    string    `json:"address,omitempty"` // what the limit counts
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
}

// KeptWindow is how long a kept request that was not taken counts for the limit of its address.
const KeptWindow = 10 * time.Minute

// Code is an authorization code (RFC 6749 section 4.1.2). The handle travels, the hash is kept.
type Code struct {
	ID            ID            `json:"id"`
	SecretHash    Hash          `json:"secret"`
	Authorization Authorization `json:"authorization"`
	RedirectURI   string        `json:"redirect_uri"`
	Challenge     string        `json:"code_challenge,omitempty"`
	Nonce         string        `json:"nonce,omitempty"`
	Expires       time.Time     `json:"expires"`
	Withdrawn     uint32        `json:"withdrawn,omitempty"` // the session's [Session.TimesWithdrawn] for the client, when it was issued
	Spent         bool          `json:"spent,omitempty"`
	Front         ID            `json:"front,omitempty"`    // the family of the access token that went out with it
	Family        ID            `json:"family,omitempty"`   // what it was spent on
	Replayed      bool          `json:"replayed,omitempty"` // it came again after that, and that is recorded
	Refused       uint8         `json:"refused,omitempty"`  // how many other refusals are recorded
}

// Redemption is one attempt to spend a code.
type Redemption struct {
	Code        Handle
	Client      string // the authenticated client
	RedirectURI string
	Verifier    string // "": none was sent
	// Resources are what the token is to be for, among those that were authorized: RFC 8707 section 2.2.
	Resources []string
	Now       time.Time
	Origin    audit.Origin
}

// Redeem says whether r may have what the code c stands for: RFC 6749 section 4.1.3. The secret was compared before.
func (c Code) Redeem(r Redemption) error {
	switch {
	case c.Authorization.Client != r.Client: // 4.1.3: "issued to the authenticated confidential client"
		return ErrOtherClient
	case c.Spent: // 4.1.2: "MUST deny the request and SHOULD revoke [...] all tokens previously issued based on that code"
		return ErrSpent
	case !r.Now.Before(c.Expires): // 4.1.2: "MUST expire shortly after it is issued"
		return ErrExpired
	case c.RedirectURI != r.RedirectURI: // 4.1.3: "their values MUST be identical"
		return ErrRedirectURI
	case !challengeMet(c.Challenge, r.Verifier): // RFC 7636 section 4.6, RFC 9700 section 2.1.1
		return ErrVerifier
	case !c.Authorization.Covers(r.Resources): // RFC 8707 section 2.2
		return ErrTarget
	}
	return nil
}

// challengeMet compares as S256 says. A verifier without a challenge is a downgrade (RFC 9700 section 4.8.2).
func challengeMet(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(made), []byte(challenge)) == 1
}

// Family is one line of refresh tokens that came from one code, and what the introspection of its access tokens asks: a single
// row. An authorization without offline_access has a family too, and so has an access token of the front channel; it has no refresh
// token and lives by its session.
type Family struct {
	ID            ID            `json:"id"`
	Authorization Authorization `json:"authorization"`

	Generation uint32    `json:"generation"`             // of the refresh token that is current
	Moved      time.Time `json:"moved"`                  // when it became current
	MACKey     uint32    `json:"mac_key"`                // which key of the ring its refresh tokens are made with
	Series     uint32    `json:"series"`                 // its access tokens carry it; revoking one moves it on and ends the older ones
	Status     uint64    `json:"status_index,omitempty"` // see [Statuses]; 0: the store has not given one

	Created     time.Time `json:"created"`
	IdleExpires time.Time `json:"idle_expires"`
	Expires     time.Time `json:"expires"`
	Ended       time.Time `json:"ended,omitzero"`
	EndedBy     string    `json:"ended_by,omitempty"` // an audit event
}

// Live says whether what f stands for may still be used by the user u at the instant now: nil, ErrEnded or ErrExpired. Whoever
// asks about a family that lives by its session asks [Session.Live] as well.
func (f Family) Live(u User, now time.Time) error {
	switch {
	case !f.Ended.IsZero(), u.Disabled, u.Sub != f.Authorization.User, u.Epoch != f.Authorization.Epoch:
		return ErrEnded
	case !now.Before(f.Expires), !now.Before(f.IdleExpires):
		return ErrExpired
	}
	return nil
}

// end marks f as over.
func (f Family) end(now time.Time, by audit.Event) Family {
	f.Ended, f.EndedBy = now, string(by)
	return f
}

// Rotation is one use of a refresh token whose MAC was found good.
type Rotation struct {
	Family     ID
	Generation uint32
	Client     string        // the authenticated client
	Scopes     []string      // asked for; empty: all that were granted
	Resources  []string      // likewise
	Keep       bool          // the client's refresh_rotation is "keep": the current generation stays
	Window     time.Duration // how long the generation before the current one gives the same successor
	Idle       time.Duration // how long the family lives without use
	Now        time.Time
	Origin     audit.Origin
}

// Rotate decides what the family's row becomes, and the answer. A row that differs from f is stored even when the answer is a
// refusal: reuse ends the family. The order of the clauses matters; only the last ones move or end anything.
func (f Family) Rotate(u User, r Rotation) (Family, error) {
	if f.Authorization.Client != r.Client { // RFC 6749 section 6: "issued to the authenticated client"
		return f, ErrOtherClient
	}
	if !f.Authorization.Offline { // it never had a refresh token; a MAC of ours says otherwise only by a fault of ours
		return f, ErrNotFound
	}
	if err := f.Live(u, r.Now); err != nil {
		return f, err
	}
	for _, s := range r.Scopes { // RFC 6749 section 6: "MUST NOT include any scope not originally granted"
		if !slices.Contains(f.Authorization.Scopes, s) {
			return f, ErrScope
		}
	}
	if !f.Authorization.Covers(r.Resources) { // RFC 8707 section 2.2
		return f, ErrTarget
	}
	next := f
	switch {
	case r.Generation == f.Generation && r.Keep:
	case r.Generation == f.Generation: // RFC 9700 section 4.14.2: rotation
		next.Generation, next.Moved = f.Generation+1, r.Now
	case f.Generation > 0 && r.Generation == f.Generation-1 && r.Now.Before(f.Moved.Add(r.Window)):
		// A lost answer or two tabs must not sign a person out: the same successor again, no fork of the family.
		return f, nil
	case r.Generation > f.Generation: // only a restored store can be behind its own tokens: closed, without the word theft
		return f.end(r.Now, audit.RefreshAhead), ErrAhead
	default: // RFC 9700 section 4.14.2: "revoke [...] the active refresh token"
		return f.end(r.Now, audit.RefreshReused), ErrReused
	}
	next.IdleExpires = earlier(r.Now.Add(r.Idle), f.Expires)
	return next, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
