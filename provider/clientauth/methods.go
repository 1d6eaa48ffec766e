package clientauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/clients"
	"signet/provider/oauth"
	"signet/storage"
)

// credentials are what a request says about who is calling.
type credentials struct {
	method    *method
	id        string
	secret    string
	assertion *assertion
}

// method is one way to authenticate. read returns nil if the request does not use it, whoever the client is; verify is nil if what was
// read proves that c is calling, a [mismatch] if it does not. Any other error is for the client to read, or the server's own trouble.
type method struct {
	name   string
	read   func(r *http.Request, form oauth.Params) (*credentials, error)
	verify func(ctx context.Context, a *Authenticator, c storage.Client, sent *credentials) error
}

var methods = []method{
	{clients.AuthBasic, readBasic, secretMatches},
	{clients.AuthPost, readPost, secretMatches},
	{clients.AuthSecretJWT, readAssertion(clients.SecretAlgs), bySecret},
	{clients.AuthKeyJWT, readAssertion(clients.KeyAlgs), byKey},
	{clients.AuthNone, readNone, named},
}

// mismatch says why credentials do not fit, to the operator alone.
type mismatch struct{ error }

var (
	errSecret = mismatch{errors.New("wrong secret")}
	errMethod = mismatch{errors.New("another method than the registered one")}
)

// named proves nothing: that the client is registered for this method is what lets it in.
func named(context.Context, *Authenticator, storage.Client, *credentials) error { return nil }

func secretMatches(_ context.Context, _ *Authenticator, c storage.Client, sent *credentials) error {
	if !c.SecretHash.Matches([]byte(sent.secret)) {
		return errSecret
	}
	return nil
}

// read finds the one method that the request uses.
func read(r *http.Request, form oauth.Params) (*credentials, error) {
	var found *credentials
	for i := range methods {
		c, err := methods[i].read(r, form)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			continue
		case found != nil: // RFC 6749 sections 2.3 and 5.2
			return nil, oauth.Errorf(oauth.InvalidRequest, "the client authenticates in two ways; use one of the Authorization header, client_secret and client_assertion")
		}
		c.method = &methods[i]
		found = c
	}
	if found == nil || found.id == "" {
		return nil, oauth.Errorf(oauth.InvalidClient, "the request does not say which client sends it: client_id, HTTP Basic or client_assertion is missing")
	}
	return found, nil
}

// readBasic: RFC 6749 section 2.3.1. A client_id in the body besides is harmless if it is the same client's.
func readBasic(r *http.Request, form oauth.Params) (*credentials, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return nil, nil
	}
	id, secret, err := parseBasic(headers[0])
	if len(headers) > 1 {
		err = errors.New("it is there twice")
	}
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidClient, "the Authorization header is not HTTP Basic with client id and secret: %s", err)
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return nil, oauth.Errorf(oauth.InvalidClient, "client_id is not the client of the Authorization header")
	}
	return &credentials{id: id, secret: secret}, nil
}

func readPost(_ *http.Request, form oauth.Params) (*credentials, error) {
	if !form.Has("client_secret") {
		return nil, nil
	}
	return &credentials{id: form.Get("client_id"), secret: form.Get("client_secret")}, nil
}

// readNone: RFC 6749 section 3.2.1, a client_id and nothing else.
func readNone(r *http.Request, form oauth.Params) (*credentials, error) {
	if !form.Has("client_id") || form.Has("client_secret") || form.Has("client_assertion") || form.Has("client_assertion_type") || len(r.Header.Values("Authorization")) > 0 {
		return nil, nil
	}
	return &credentials{id: form.Get("client_id")}, nil
}

// parseBasic reads RFC 7617 with id and secret form-encoded inside (RFC 6749 section 2.3.1). Our ids and secrets mean the same
// whether a client encodes them or not. Its errors hold nothing of what was sent.
func parseBasic(header string) (id, secret string, err error) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", errors.New("it has another scheme")
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", errors.New("it is not base64")
	}
	id, secret, found := strings.Cut(string(decoded), ":")
	if !found {
		return "", "", errors.New("it has no colon")
	}
	for _, part := range []*string{&id, &secret} {
		if *part, err = url.QueryUnescape(*part); err != nil {
			return "", "", errors.New("its percent-encoding is broken")
		}
		if !utf8.ValidString(*part) || strings.ContainsFunc(*part, unicode.IsControl) {
			return "", "", errors.New("it is not UTF-8 text")
		}
	}
	if id == "" {
		return "", "", errors.New("it has no client id")
	}
	return id, secret, nil
}
