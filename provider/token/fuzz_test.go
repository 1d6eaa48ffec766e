package token_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// watched spends nothing, and remembers what came through to be spent: the disk is not what is tested, and would be most of the time.
type watched struct {
	storage.Store
	spent *[]string // of which clients
}

func (w watched) RedeemCode(_ context.Context, r storage.Redemption, _ storage.Family) (storage.Redeemed, error) {
	*w.spent = append(*w.spent, r.Client)
	return storage.Redeemed{}, storage.ErrNotFound
}

func (w watched) RotateFamily(_ context.Context, r storage.Rotation) (storage.Family, storage.User, error) {
	*w.spent = append(*w.spent, r.Client)
	return storage.Family{}, storage.User{}, storage.ErrNotFound
}

// FuzzForm sends any form, with any credentials, to a running provider: it says no in the words of RFC 6749 section 5.2 and never fails, and
// nothing is spent for a client that keeps a secret unless the secret was sent.
func FuzzForm(f *testing.F) {
	var spent []string
	s := providertest.New(f, func(c *providertest.Config) {
		c.Wrap = func(s storage.Store) storage.Store { return watched{s, &spent} }
	})
	web, secret := s.Client("web", "web", func(c *storage.Client) { c.ID, c.TokenEndpointAuthMethod = "web", "client_secret_basic" })
	post, postSecret := s.Client("web", "post", func(c *storage.Client) { c.ID, c.TokenEndpointAuthMethod = "post", "client_secret_post" })
	s.Client("spa", "spa", func(c *storage.Client) { c.ID = "spa" })
	secrets := map[string]string{web.ID: secret, post.ID: postSecret}

	const form = "application/x-www-form-urlencoded"
	code := storage.NewHandle(s.Clock.Now()).String()
	basic := func(id, secret string) string {
		r := httptest.NewRequest(http.MethodPost, "/token", nil)
		r.SetBasicAuth(id, secret)
		return r.Header.Get("Authorization")
	}
	public := codeForm(code, "client_id", "spa")
	for _, change := range [][]string{
		{}, {"code", ""}, {"code", "x"}, {"redirect_uri", ""}, {"code_verifier", "short"}, {"resource", "not a URI"}, {"grant_type", ""}, {"grant_type", "password"},
		{"grant_type", "refresh_token", "refresh_token", "x", "scope", "openid  x"}, {"client_id", "nobody"}, {"client_secret", "x"}, {"client_id", "web"},
		{"client_id", "post", "client_secret", postSecret}, {"client_assertion", "a.b.c", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	} {
		f.Add(edit(codeForm(code, "client_id", "spa"), change...).Encode(), "", form)
	}
	f.Add(codeForm(code).Encode(), basic("web", secret), form)
	f.Add(codeForm(code).Encode(), basic("web", "wrong"), form)
	f.Add(codeForm(code, "client_id", "spa").Encode(), basic("web", secret), form)
	f.Add(public.Encode()+"&client_id=web", "", form)
	f.Add(public.Encode()+"&code=%00&%zz", "Basic Og==", form+"; charset=utf-8")
	f.Add(`{"grant_type":"authorization_code"}`, "Bearer x", "application/json")
	f.Add("grant_type=\xff", "basic %%%", "multipart/form-data; boundary=x")

	f.Fuzz(func(t *testing.T, body, authorization, contentType string) {
		spent = spent[:0]
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", authorization)
		if authorization == "" {
			r.Header.Del("Authorization")
		}
		w := httptest.NewRecorder()
		s.Provider.ServeHTTP(w, r)
		var said struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code < 400 || w.Code >= 500 || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if !slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target"}, said.Error) ||
			strings.ContainsFunc(said.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			t.Fatalf("RFC 6749 5.2: %s", w.Body)
		}
		if w.Code == http.StatusUnauthorized && strings.HasPrefix(authorization, "Basic ") && w.Header().Get("WWW-Authenticate") == "" {
			t.Fatalf("5.2: %d %v", w.Code, w.Header())
		}
		sent, _ := url.ParseQuery(body)
		id, password, _ := r.BasicAuth()
		for _, client := range spent {
			secret, keeps := secrets[client]
			if keeps && (id != client || password != secret) && (sent.Get("client_id") != client || sent.Get("client_secret") != secret) {
				t.Fatalf("something of %s is spent", client)
			}
		}
	})
}
