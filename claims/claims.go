// Package claims says what may be said of a user, where, and why.
//
// A [Catalogue] lists the claims that there are: those that OpenID Connect Core 5.1 defines, groups and roles, and what the operator
// declared ([Declarations]). Each knows where in the record of a user its value is found and which scopes let it out. [Catalogue.Of]
// is the one place that decides which claims an ID token, a userinfo answer or an access token has about the user, and with each it
// says why it is there.
//
// A client can also ask for claims one by one, by the claims parameter ([Parse], Core 5.5). It gets none by it that it could not have
// by scope: what the operator keeps from a client is kept from it in either spelling.
package claims

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"signet/clients"
	"signet/storage"
)

// Place is where a claim can be said.
type Place string

// The places. Each is also the name of a member of the claims parameter, but for the access token, which is not for the client to read.
const (
	IDToken     Place = "id_token"
	Userinfo    Place = "userinfo"
	AccessToken Place = "access_token"
)

// claim is one claim about a user.
type claim struct {
	name   string
	scopes []string               // each of them lets it out
	value  func(storage.User) any // nil: the user has none, and it is left out (Core 5.3.2)

	// What an operator can say of a claim of their own.
	text      string   // for the consent page
	places    []Place  // where it is said; nil: wherever claims of scopes belong
	clients   []string // to whom; nil: all
	audiences []string // in which access tokens; nil: all
}

// Catalogue is all scopes and claims that there are. It does not change.
type Catalogue struct {
	claims []claim
	scopes []string          // in the order in which they are published
	added  []string          // those of scopes that the operator declared
	texts  map[string]string // of added scopes
}

// Standard returns the catalogue without anything that an operator adds.
func Standard() *Catalogue { return &Catalogue{claims: standard, scopes: clients.Scopes} }

// Scopes are the scopes that mean something here; all others are ignored in a request.
func (c *Catalogue) Scopes() []string { return c.scopes }

// Added are those scopes that the operator declared.
func (c *Catalogue) Added() []string { return c.added }

// ScopeText says in words what a declared scope lets an app do; "" for any other.
func (c *Catalogue) ScopeText(scope string) string { return c.texts[scope] }

// ClaimText says in words what a declared claim tells; "" for any other.
func (c *Catalogue) ClaimText(name string) string {
	if d := c.claim(name); d != nil {
		return d.text
	}
	return ""
}

// Names are the claims about the user that clients can get, for the metadata document.
func (c *Catalogue) Names() []string {
	var names []string
	for _, d := range c.claims {
		if len(d.clients) == 0 && (d.places == nil || slices.Contains(d.places, IDToken) || slices.Contains(d.places, Userinfo)) {
			names = append(names, d.name)
		}
	}
	return names
}

// InAccessTokens are the claims that access tokens can have: only what the operator declared for them.
func (c *Catalogue) InAccessTokens() (names []string) {
	for _, d := range c.claims {
		if slices.Contains(d.places, AccessToken) {
			names = append(names, d.name)
		}
	}
	return names
}

func (c *Catalogue) claim(name string) *claim {
	i := slices.IndexFunc(c.claims, func(d claim) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return &c.claims[i]
}

// Query is one question of what to say.
type Query struct {
	Place    Place
	User     storage.User
	Client   storage.Client
	Scopes   []string // granted
	ByScope  bool     // the claims of the scopes belong in this place: Core 5.4
	Asked    Members  // what the claims parameter asks for in this place
	Audience []string // of an access token
}

// Said is one claim, and why it is said.
type Said struct {
	Name  string
	Value any
	Why   Why
}

// Why is the reason for which a claim is there.
type Why struct {
	Rule  Rule
	Scope string // for ByScope
}

// Rule is a kind of reason.
type Rule string

// The rules.
const (
	ByScope     Rule = "scope"             // Core 5.4
	ByParameter Rule = "claims parameter"  // Core 5.5
	ByOperator  Rule = "the configuration" // an operator's claim that says itself where it goes
)

// String is the reason in words.
func (w Why) String() string {
	if w.Scope != "" {
		return string(w.Rule) + " " + w.Scope
	}
	return string(w.Rule)
}

// Of returns what is said, in the order of the catalogue.
func (c *Catalogue) Of(q Query) []Said {
	var all []Said
	for i := range c.claims {
		d := &c.claims[i]
		why, ok := d.reason(q)
		if !ok {
			continue
		}
		value := d.value(q.User)
		if value == nil || why.Rule == ByParameter && !q.Asked[d.name].Matches(value) {
			continue
		}
		all = append(all, Said{d.name, value, why})
	}
	return all
}

// reason says whether the claim belongs into the answer, and why.
func (d *claim) reason(q Query) (Why, bool) {
	if len(d.clients) > 0 && !slices.Contains(d.clients, q.Client.ID) {
		return Why{}, false
	}
	scope := granted(d.scopes, q.Scopes)
	switch {
	case d.places == nil && q.Place != AccessToken && q.ByScope && scope != "":
		return Why{ByScope, scope}, true
	case slices.Contains(d.places, q.Place) && d.audience(q) && (len(d.scopes) == 0 || scope != ""):
		return Why{ByOperator, scope}, true
	case q.Place == AccessToken:
		return Why{}, false
	}
	_, asked := q.Asked[d.name]
	return Why{Rule: ByParameter}, asked && d.askable(q.Place, q.Client)
}

func (d *claim) audience(q Query) bool {
	return q.Place != AccessToken || len(d.audiences) == 0 ||
		!slices.ContainsFunc(q.Audience, func(a string) bool { return !slices.Contains(d.audiences, a) }) // who reads it reads all of it
}

// askable says whether a client can get the claim by asking for it: it may ask for a scope that has it.
func (d *claim) askable(p Place, c storage.Client) bool {
	if d.places != nil && !slices.Contains(d.places, p) || len(d.clients) > 0 && !slices.Contains(d.clients, c.ID) {
		return false
	}
	return len(d.scopes) == 0 || granted(d.scopes, c.Scopes) != ""
}

// granted returns the first of scopes that is among those granted; "" if none is.
func granted(scopes, among []string) string {
	for _, s := range scopes {
		if slices.Contains(among, s) {
			return s
		}
	}
	return ""
}

// Append adds the claims to a JSON object.
func Append(object []byte, all []Said) ([]byte, error) {
	if len(all) == 0 {
		return object, nil
	}
	object, ok := bytes.CutSuffix(object, []byte("}"))
	if !ok {
		return nil, fmt.Errorf("claims: not an object to add to")
	}
	for _, s := range all {
		name, err := json.Marshal(s.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(s.Value)
		if err != nil {
			return nil, fmt.Errorf("claims: %s: %w", s.Name, err)
		}
		if !bytes.HasSuffix(object, []byte("{")) {
			object = append(object, ',')
		}
		object = append(append(append(object, name...), ':'), value...)
	}
	return append(object, '}'), nil
}
