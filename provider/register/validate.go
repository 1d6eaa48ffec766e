package register

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"signet/clients"
	"signet/clients/metadata"
	"signet/fields"
	"signet/provider/oauth"
	"signet/storage"
)

// build makes a client of what was sent, with the defaults of OpenID Connect Registration 2 for the rest. It has no secret yet. The
// error is the faults of what could not be read; the client's own faults are for check.
func (e *Endpoint) build(sent metadata.Object, l limits) (storage.Client, error) {
	var f fields.Faults
	c := e.preset(&f, sent)
	sent.Set(&f, &c)
	e.complete(&f, &c, sent, l)
	return c, f.Err()
}

// preset returns the client of a registration that says no more than what it is.
func (e *Endpoint) preset(f *fields.Faults, sent metadata.Object) storage.Client {
	kind := sent.Text(f, "application_type", "web")
	if kind != "web" && kind != "native" {
		f.Add("application_type", "must be web or native")
	}
	method := sent.Text(nil, "token_endpoint_auth_method", clients.AuthBasic)
	typ := clients.Web
	switch {
	case serviceAlone(sent):
		typ = clients.Service
	case deviceAlone(sent): // native, whatever it says
		typ = clients.Device
	case kind == "native":
		typ = clients.Native
	case method == clients.AuthNone:
		typ = clients.SPA
	}
	c, err := clients.New(typ, "", e.Now())
	if err != nil {
		*f = append(*f, err)
	}
	c.Origin = storage.OriginRegistered
	c.TokenEndpointAuthMethod = method
	c.SubjectType = clients.SubjectPublic
	c.IDTokenClaims = storage.ClaimsRequested
	c.GrantTypes, c.Scopes = nil, nil
	if typ == clients.Web {
		c.PKCE = e.PKCE
	}
	return c
}

// serviceAlone reports whether a registration is for a client that acts for itself, and does nothing else.
func serviceAlone(sent metadata.Object) bool {
	grants, problem := metadata.Texts(sent["grant_types"])
	return problem == "" && len(grants) == 1 && grants[0] == clients.GrantService
}

// deviceAlone reports whether a registration is for a client that people sign in to by the device flow, and in no other way.
func deviceAlone(sent metadata.Object) bool {
	grants, problem := metadata.Texts(sent["grant_types"])
	c := storage.Client{GrantTypes: grants}
	return problem == "" && clients.Allows(c, clients.GrantDevice) && !clients.Redirects(c)
}

// complete fills in what follows from the rest: the grant types that the response types need where none are named, all scopes that the
// client may have where none are named, and a name for people to see.
func (e *Endpoint) complete(f *fields.Faults, c *storage.Client, sent metadata.Object, l limits) {
	c.AllowedScopes, c.AllowedGrantTypes = l.scopes, l.grantTypes
	if len(c.GrantTypes) == 0 {
		for _, r := range c.ResponseTypes {
			for _, g := range clients.ResponseGrants(r) {
				if !slices.Contains(c.GrantTypes, g) {
					c.GrantTypes = append(c.GrantTypes, g)
				}
			}
		}
	}
	for _, g := range c.GrantTypes {
		switch {
		case !slices.Contains(clients.GrantTypes, g), slices.Contains(l.grantTypes, g): // what is unknown is for the rules to say
		case slices.Contains(clients.OperatorGrants, g):
			f.Add("grant_types", "has %s, which this server's operator gives and nobody registers for", g)
		case g == clients.GrantService:
			f.Add("grant_types", "has %s, which an initial access token must allow by name", g)
		case len(l.grantTypes) > 0:
			f.Add("grant_types", "has %s, which the initial access token does not allow", g)
		}
	}
	e.scopes(f, c, sent, l)
	if c.Name == "" {
		c.Name = nameOf(*c)
	}
}

// scopes: values that we do not know are left out, as at the authorization endpoint, and so is offline_access without the grant type that it
// needs. The answer says what is left. Of the operator's own scopes a client that acts for itself has those that the initial access token
// names: nobody else is asked.
func (e *Endpoint) scopes(f *fields.Faults, c *storage.Client, sent metadata.Object, l limits) {
	_, named := sent["scope"]
	if len(c.Scopes) == 0 {
		named = false
	}
	wanted, service := clients.Scopes, clients.Allows(*c, clients.GrantService)
	switch {
	case named:
		wanted = c.Scopes
	case c.Type == clients.Service:
		wanted = clients.ServiceScopes(storage.Client{Scopes: l.scopes})
	}
	c.Scopes = nil
	for _, s := range wanted {
		allowed := slices.Contains(l.scopes, s) || len(l.scopes) == 0 && (slices.Contains(clients.Scopes, s) || !service)
		switch {
		case !slices.Contains(clients.Scopes, s) && !slices.Contains(e.Scopes, s), s == "offline_access" && !clients.Allows(*c, clients.GrantRefresh):
		case named && !allowed:
			f.Add("scopes", "has %s, which the initial access token does not allow", s)
		case allowed:
			c.Scopes = append(c.Scopes, s)
		}
	}
	if len(c.Scopes) == 0 && c.Type != clients.Service { // whose tokens may have none
		f.Add("scopes", "holds nothing that this client may have")
	}
}

// nameOf is what people see of a client that gave itself no name: the host of its first redirect URI.
func nameOf(c storage.Client) string {
	if len(c.RedirectURIs) > 0 {
		if host := clients.Host(c.RedirectURIs[0]); fields.Text(host, 100) == "" {
			return host
		}
	}
	return c.ID
}

// check returns what is wrong with a client that is about to be stored, as the answer of RFC 7591 section 3.2.2. faults are those that were
// found before.
func (e *Endpoint) check(ctx context.Context, c storage.Client, faults error) error {
	faults = errors.Join(faults, clients.Validate(c, e.Scopes...), clients.Signable(c, e.Algs), clients.Readable(c, e.Objects),
		clients.Decryptable(c, e.JWE))
	if faults != nil {
		return answerOf(faults)
	}
	return e.checkSector(ctx, c)
}

// managed holds what an update sends about the registration itself to RFC 7592 section 2.2.
func managed(sent metadata.Object, c storage.Client) error {
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if _, ok := sent[name]; ok {
			return oauth.Errorf(InvalidClientMetadata, "%s must not be sent; leave it out", name)
		}
	}
	if id := sent.Text(nil, "client_id", ""); id != c.ID {
		return oauth.Errorf(InvalidClientMetadata, "client_id must be there, and the client's own")
	}
	if _, ok := sent["client_secret"]; ok && !c.SecretHash.Matches([]byte(sent.Text(nil, "client_secret", ""))) {
		return oauth.Errorf(InvalidClientMetadata, "client_secret is not the current one; leave it out")
	}
	return nil
}

// sameSector refuses an update that would show the client its users under other subs. Whoever knows a person by one sub and moves on to
// another sector learns which is theirs there; that is what pairwise subs are to prevent (OpenID Connect Core 8.1, 17.3).
func sameSector(old, c storage.Client) error {
	pairwise := old.SubjectType == clients.SubjectPairwise
	switch {
	case pairwise != (c.SubjectType == clients.SubjectPairwise):
		return &fields.Error{Field: "subject_type", Problem: "cannot be changed; register a new client"}
	case pairwise && clients.Sector(old) != clients.Sector(c):
		return &fields.Error{Field: "redirect_uris", Problem: "are of another sector than before, which a pairwise client cannot change; register a new client"}
	}
	return nil
}

// checkSector: OpenID Connect Registration 5: the document "MUST contain a JSON array of URLs" that has all redirect URIs.
func (e *Endpoint) checkSector(ctx context.Context, c storage.Client) error {
	const field = "sector_identifier_uri"
	if c.SectorIdentifierURI == "" {
		return nil
	}
	select {
	case e.sectors <- struct{}{}:
		defer func() { <-e.sectors }()
	default:
		return storage.ErrBusy
	}
	d, err := e.Fetch.Get(ctx, c.SectorIdentifierURI)
	if err != nil {
		return oauth.Errorf(InvalidClientMetadata, "%s could not be fetched", field).Because(err)
	}
	uris, problem := metadata.Texts(json.RawMessage(d.Body))
	if problem != "" {
		return oauth.Errorf(InvalidClientMetadata, "%s does not lead to a JSON array of strings", field)
	}
	for _, uri := range c.RedirectURIs {
		if !slices.Contains(uris, uri) {
			return oauth.Errorf(InvalidClientMetadata, "%s does not list all redirect_uris", field)
		}
	}
	return nil
}

// answerOf makes one answer of all faults: those of redirect URIs have a code of their own, and are told first.
func answerOf(err error) error {
	var redirects, others []string
	for _, fault := range flatten(err) {
		told := describe(fault)
		switch {
		case slices.Contains(redirects, told) || slices.Contains(others, told):
		case fault.Field == "redirect_uris":
			redirects = append(redirects, told)
		default:
			others = append(others, told)
		}
	}
	code, told := InvalidClientMetadata, others
	if len(redirects) > 0 {
		code, told = InvalidRedirectURI, append(redirects, others...)
	}
	const most = 5
	return oauth.Errorf(code, "%s", strings.Join(told[:min(most, len(told))], "; "))
}

func flatten(err error) []*fields.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*fields.Error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	if f, ok := errors.AsType[*fields.Error](err); ok {
		return []*fields.Error{f}
	}
	return []*fields.Error{{Field: "", Problem: "the metadata is not good"}}
}

// quoted finds what messages for operators show of a value. Here the value came from outside and is not sent back.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"…?`)

// describe says a fault in the characters of RFC 6749 section 5.2, by the member's name.
func describe(f *fields.Error) string {
	name := f.Field
	if i := slices.IndexFunc(metadata.Members, func(m metadata.Member) bool { return m.Field == f.Field }); i >= 0 {
		name = metadata.Members[i].Name
	}
	problem := quoted.ReplaceAllString(f.Problem, "a value")
	return name + ": " + strings.Replace(problem, "has the character a value, which no URI has", "has a character that no URI has", 1)
}
