package claims

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

// Declarations are the scopes and claims that an operator adds.
type Declarations struct {
	Scopes []Scope
	Claims []Mapping
}

// Scope is a scope of the operator's own.
type Scope struct {
	Name   string
	Text   string   // what it lets an app do, for the consent page
	Claims []string // what it lets out: standard claims and declared ones
}

// Mapping is a claim of the operator's own, made of what is known of a user.
type Mapping struct {
	Name      string
	Text      string // what it tells, for the consent page
	From      string // see [MappingFields]
	In        []string
	Scopes    []string
	Clients   []string
	Resources []string
}

// ScopeFields is what of a scope can be declared, beside its name.
var ScopeFields = fields.Table[Scope]{
	fields.String("text", "what it lets an app do, as the consent page says it", func(s *Scope) *string { return &s.Text }),
	fields.Words("claims", "what it lets out: standard claims, and those declared", func(s *Scope) *[]string { return &s.Claims }),
}

// MappingFields is what of a claim can be declared, beside its name.
var MappingFields = fields.Table[Mapping]{
	fields.String("text", "what it tells, as the consent page says it", func(m *Mapping) *string { return &m.Text }),
	fields.String("from", "a standard claim; group:NAME or role:NAME, which are true or false; or constant:TEXT", func(m *Mapping) *string { return &m.From }),
	fields.Words("in", "id_token, userinfo, access_token: always there; without it, where claims of scopes are", func(m *Mapping) *[]string { return &m.In }),
	fields.Words("scopes", "only where one of them was granted", func(m *Mapping) *[]string { return &m.Scopes }),
	fields.Words("clients", "only for these", func(m *Mapping) *[]string { return &m.Clients }),
	fields.Words("resources", "only in access tokens for these", func(m *Mapping) *[]string { return &m.Resources }),
}

// protocol are the claims that say something about a token or a sign-in, and those that other specifications gave a meaning that a
// reader would act upon: RFC 7519 4.1, RFC 8693, RFC 9068, RFC 7800, OpenID Connect Core 2 and the logout specifications.
var protocol = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash", "c_hash", "s_hash",
	"client_id", "scope", "cnf", "act", "may_act", "events", "toe", "txn", "typ", "token_type", "active", "sub_jwk", "sub_id",
	"authorization_details", "permissions", "status", "vot", "vtm", "_claim_names", "_claim_sources",
}

const maxClaimName, maxClaimText = 100, 200

// ScopeFaults returns all faults of the scope at i, joined, each a [*fields.Error]; nil if there is none.
func (d Declarations) ScopeFaults(i int) error {
	var f fields.Faults
	s := d.Scopes[i]
	f.Check("name", fields.Scope(s.Name))
	if slices.Contains(clients.Scopes, s.Name) {
		f.Add("name", "%s is a standard scope; choose another name", s.Name)
	}
	f.Check("text", fields.Text(s.Text, maxClaimText))
	f.Check("claims", repeated(s.Claims))
	for _, name := range s.Claims {
		if standardClaim(name) == nil && !slices.ContainsFunc(d.Claims, func(m Mapping) bool { return m.Name == name }) {
			f.Add("claims", "%s is neither a standard claim nor declared; declare it under claims", fields.Quote(name))
		}
	}
	return f.Err()
}

// ClaimFaults is to claims what ScopeFaults is to scopes.
func (d Declarations) ClaimFaults(i int) error {
	var f fields.Faults
	m := d.Claims[i]
	f.Check("name", fields.Text(m.Name, maxClaimName))
	switch {
	case slices.Contains(protocol, m.Name):
		f.Add("name", "%s says something about the token itself; choose another name", m.Name)
	case standardClaim(m.Name) != nil:
		f.Add("name", "%s is a standard claim with a meaning of its own; choose another name", m.Name)
	}
	if m.Text != "" {
		f.Check("text", fields.Text(m.Text, maxClaimText))
	}
	if _, err := source(m.From); err != nil {
		f.Add("from", "%s", err)
	}
	f.Check("in", repeated(m.In))
	for _, p := range m.In {
		f.OneOf("in", p, string(IDToken), string(Userinfo), string(AccessToken))
	}
	f.Check("scopes", repeated(m.Scopes))
	for _, s := range m.Scopes {
		if !slices.Contains(clients.Scopes, s) && !slices.ContainsFunc(d.Scopes, func(own Scope) bool { return own.Name == s }) {
			f.Add("scopes", "%s is neither a standard scope nor declared; declare it under scopes", fields.Quote(s))
		}
	}
	f.Check("clients", repeated(m.Clients))
	f.Check("resources", repeated(m.Resources))
	if len(m.Resources) > 0 && !slices.Contains(m.In, string(AccessToken)) {
		f.Add("resources", "say which access tokens; add access_token to in")
	}
	for _, r := range m.Resources {
		_, problem := fields.URI(r)
		f.Check("resources", problem)
	}
	return f.Err()
}

// Catalogue returns the standard catalogue with what is declared, which must have no fault.
func (d Declarations) Catalogue() (*Catalogue, error) {
	var faults []error
	c := &Catalogue{claims: slices.Clone(standard), scopes: slices.Clone(clients.Scopes), texts: map[string]string{}}
	for i, s := range d.Scopes {
		faults = append(faults, d.ScopeFaults(i))
		c.scopes, c.added, c.texts[s.Name] = append(c.scopes, s.Name), append(c.added, s.Name), s.Text
	}
	for i, m := range d.Claims {
		faults = append(faults, d.ClaimFaults(i))
		value, _ := source(m.From)
		var places []Place
		for _, p := range m.In {
			places = append(places, Place(p))
		}
		c.claims = append(c.claims, claim{
			name: m.Name, scopes: slices.Clone(m.Scopes), value: value, text: m.Text, places: places, clients: m.Clients, audiences: m.Resources,
		})
	}
	for i := range c.claims { // a scope may say what it lets out, and a claim what lets it out
		own := &c.claims[i]
		own.scopes = slices.Clone(own.scopes)
		for _, s := range d.Scopes {
			if slices.Contains(s.Claims, own.name) && !slices.Contains(own.scopes, s.Name) {
				own.scopes = append(own.scopes, s.Name)
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

// source reads what a claim is made of.
func source(from string) (func(storage.User) any, error) {
	kind, rest, found := strings.Cut(from, ":")
	switch {
	case from == "":
		return nil, errors.New("is missing; name a standard claim, or write group:NAME, role:NAME or constant:TEXT")
	case !found:
		if d := standardClaim(from); d != nil {
			return d.value, nil
		}
		return nil, fmt.Errorf("%s is not a standard claim; use one, or write group:NAME, role:NAME or constant:TEXT", fields.Quote(from))
	case rest == "":
		return nil, fmt.Errorf("%s names nothing after the colon", fields.Quote(from))
	}
	switch kind {
	case "constant":
		return func(storage.User) any { return rest }, nil
	case "group":
		return func(u storage.User) any { return slices.Contains(u.Groups, rest) }, nil
	case "role":
		return func(u storage.User) any { return slices.Contains(u.Roles, rest) }, nil
	}
	return nil, fmt.Errorf("%s is of no kind that is known; write group:NAME, role:NAME or constant:TEXT", fields.Quote(from))
}

func standardClaim(name string) *claim {
	i := slices.IndexFunc(standard, func(d claim) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return &standard[i]
}

// repeated finds a value that is in the list twice.
func repeated(values []string) string {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return fields.Quote(v) + " is there twice"
		}
	}
	return ""
}
