package clientdocs

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/storage"
)

const at = "https://app.example/client.json"

// document is one with a member changed; nil takes it out.
func document(change map[string]any) []byte {
	all := map[string]any{
		"client_id": at, "client_name": "An app", "redirect_uris": []string{"https://app.example/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
	}
	for name, value := range change {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return body
}

func made(body []byte) (storage.Client, error) {
	c, err := read(at, body, []string{"orders"}, time.Unix(0, 0))
	if err == nil {
		err = clients.Validate(c, "orders")
	}
	return c, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	key := map[string]any{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
	private := map[string]any{"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}
	for name, v := range key {
		private[name] = v
	}
	keys := func(k any) map[string]any { return map[string]any{"keys": []any{k}} }
	for name, c := range map[string]struct {
		change map[string]any
		says   string // of the fault; "" if it is good
		good   func(storage.Client) bool
	}{
		"a public app": {nil, "", func(c storage.Client) bool {
			return c.ID == at && c.Type == clients.SPA && c.PKCE == storage.PKCERequired && c.RefreshRotation == storage.RotationRotate && !c.Trusted &&
				c.Origin == storage.OriginDocument && slices.Contains(c.Scopes, "offline_access")
		}},
		"4: client_id is there":                       {map[string]any{"client_id": nil}, "client_id", nil},
		"4: client_id is the URL, byte for byte":      {map[string]any{"client_id": at + "/"}, "client_id", nil},
		"4: client_id is not just another spelling":   {map[string]any{"client_id": "https://app.example:443/client.json"}, "client_id", nil},
		"4: client_id is one string":                  {map[string]any{"client_id": []string{at}}, "client_id", nil},
		"4.1: no client_secret":                       {map[string]any{"client_secret": "s"}, "client_secret", nil},
		"4.1: no client_secret_expires_at":            {map[string]any{"client_secret_expires_at": 0}, "client_secret_expires_at", nil},
		"4.1: no client_secret_basic":                 {map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method", nil},
		"4.1: no client_secret_post":                  {map[string]any{"token_endpoint_auth_method": "client_secret_post"}, "token_endpoint_auth_method", nil},
		"4.1: no client_secret_jwt":                   {map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method", nil},
		"a method that we do not have":                {map[string]any{"token_endpoint_auth_method": "tls_client_auth"}, "token_endpoint_auth_method", nil},
		"no method is none":                           {map[string]any{"token_endpoint_auth_method": nil}, "", func(c storage.Client) bool { return clients.Public(c) }},
		"8.2: private_key_jwt with jwks_uri":          {map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"}, "", func(c storage.Client) bool { return c.Type == clients.Web && c.PKCE == storage.PKCERequired }},
		"8.2: private_key_jwt with jwks":              {map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys(key)}, "", nil},
		"8.2: private_key_jwt without keys":           {map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, "jwks", nil},
		"8.2: private_key_jwt of an app on a device":  {map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys(key), "redirect_uris": []string{"http://127.0.0.1/cb"}}, "", func(c storage.Client) bool { return c.Type == clients.Native }},
		"4.1: no private key":                         {map[string]any{"jwks": keys(private)}, "jwks", nil},
		"4.2: redirect_uris are there":                {map[string]any{"redirect_uris": nil}, "redirect_uris", nil},
		"4.2: a redirect URI without TLS":             {map[string]any{"redirect_uris": []string{"http://app.example/cb"}}, "redirect_uris", nil},
		"4.2: a redirect URI that runs":               {map[string]any{"redirect_uris": []string{"javascript:alert(1)//"}}, "redirect_uris", nil},
		"4.2: a redirect URI with a wildcard":         {map[string]any{"redirect_uris": []string{"https://*.app.example/cb"}}, "redirect_uris", nil},
		"8.1: a redirect URI at another host":         {map[string]any{"redirect_uris": []string{"https://other.example/cb"}}, "", nil},
		"RFC 8252 7.3: loopback is native":            {map[string]any{"redirect_uris": []string{"https://app.example/cb", "http://127.0.0.1/cb"}, "application_type": "web"}, "", func(c storage.Client) bool { return c.Type == clients.Native && c.ApplicationType == "native" }},
		"RFC 8252 7.1: a scheme of its own is native": {map[string]any{"redirect_uris": []string{"com.example.app:/cb"}}, "", func(c storage.Client) bool { return c.Type == clients.Native }},
		"RFC 8252 7.1: a scheme without a dot":        {map[string]any{"redirect_uris": []string{"myapp:/cb"}}, "redirect_uris", nil},
		"grants that are not for it are left out": {map[string]any{"grant_types": []string{"authorization_code", "implicit", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"}}, "", func(c storage.Client) bool {
			return slices.Equal(c.GrantTypes, []string{"authorization_code"}) && !slices.Contains(c.Scopes, "offline_access")
		}},
		"grants without the code":         {map[string]any{"grant_types": []string{"client_credentials"}}, "grant_types", nil},
		"RFC 7591 2: no grant_types":      {map[string]any{"grant_types": nil}, "", func(c storage.Client) bool { return slices.Equal(c.GrantTypes, []string{"authorization_code"}) }},
		"response types that give tokens": {map[string]any{"response_types": []string{"code", "token", "code id_token"}}, "", func(c storage.Client) bool { return slices.Equal(c.ResponseTypes, []string{"code"}) }},
		"response types without the code": {map[string]any{"response_types": []string{"token"}}, "response_types", nil},
		"scopes that are not known":       {map[string]any{"scope": "openid repo orders"}, "", func(c storage.Client) bool { return slices.Equal(c.Scopes, []string{"openid", "orders"}) }},
		"what is the operator's is ignored": {map[string]any{"trusted": true, "access": []any{"https://api.example"}, "refresh_rotation": "keep", "pkce": "optional", "resources": []string{"https://api.example"}}, "", func(c storage.Client) bool {
			return !c.Trusted && c.Access == nil && c.Resources == nil && c.RefreshRotation == storage.RotationRotate && c.PKCE == storage.PKCERequired
		}},
		"no name":                      {map[string]any{"client_name": nil}, "", func(c storage.Client) bool { return c.Name == "app.example" }},
		"a name that cannot be seen":   {map[string]any{"client_name": "\u202e"}, "client_name", nil},
		"pairwise subs":                {map[string]any{"subject_type": "pairwise"}, "subject_type", nil},
		"a sector document":            {map[string]any{"sector_identifier_uri": "https://app.example/s"}, "sector_identifier_uri", nil},
		"8.6: a logo_uri that is none": {map[string]any{"logo_uri": "javascript:alert(1)"}, "logo_uri", nil},
		"a member of another type":     {map[string]any{"redirect_uris": "https://app.example/cb"}, "redirect_uris", nil},
		"8.7: more than 5 KiB":         {map[string]any{"x": strings.Repeat("x", maxBytes)}, "5120", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c2, err := made(document(c.change))
			switch {
			case c.says == "" && err != nil:
				t.Fatal(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Fatalf("%v; want …%s…", err, c.says)
			case c.good != nil && !c.good(c2):
				t.Errorf("%+v", c2)
			}
		})
	}
}

func TestNotJSON(t *testing.T) {
	t.Parallel()
	good := string(document(nil))
	for name, body := range map[string]string{
		"nothing": "", "HTML": "<!doctype html>", "an array": "[" + good + "]", "cut off": good[:len(good)-1], "two": good + good,
		"a member twice": `{"client_id":"https://other.example/c",` + good[1:], "not UTF-8": strings.Replace(good, "An app", "An\xffapp", 1),
	} {
		if _, err := made([]byte(body)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	patterns := []string{"app.example", "*.trusted.example", "dev.example:8443"}
	for host, want := range map[string]bool{
		"app.example": true, "a.trusted.example": true, "a.b.trusted.example": true, "dev.example:8443": true,
		"trusted.example": false, "eviltrusted.example": false, ".trusted.example": false, "app.example.evil.example": false, "dev.example": false, "app.example:8443": false,
	} {
		if allowed(patterns, host) != want {
			t.Errorf("%s: %t", host, !want)
		}
	}
	if !allowed(nil, "any.example") {
		t.Error("without a list any host is good")
	}
}

// FuzzRead: whatever stands at a URL, what is taken is a client by the rules, is itself, and has nothing that is not for it.
func FuzzRead(f *testing.F) {
	f.Add(document(nil))
	f.Add(document(map[string]any{"redirect_uris": []string{"com.example.app:/cb", "http://[::1]:1/cb"}, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example/k"}))
	f.Add(document(map[string]any{"client_secret": "s", "scope": "openid offline_access", "grant_types": []string{"implicit"}}))
	f.Add([]byte(`{"client_id":"` + at + `","redirect_uris":null,"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := made(body)
		if err != nil {
			return
		}
		if c.ID != at || c.Trusted || c.Origin != storage.OriginDocument || clients.NeedsSecret(c) || c.PKCE != storage.PKCERequired || c.RefreshRotation != storage.RotationRotate ||
			len(c.Access)+len(c.Resources) > 0 || len(only(c.GrantTypes, clients.GrantCode, clients.GrantRefresh)) != len(c.GrantTypes) || !slices.Equal(c.ResponseTypes, []string{"code"}) {
			t.Fatalf("%s became %+v", body, c)
		}
		again := over(storage.Client{Revision: 1, ID: at, Name: c.Name, RedirectURIs: c.RedirectURIs}, c)
		if !says(again, over(again, c)) {
			t.Fatalf("%s: what was kept is not what it says", body)
		}
	})
}
