package clients

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signet/fields"
	"signet/storage"
)

func TestAPIs(t *testing.T) {
	t.Parallel()
	const api, other = "https://api.example", "https://other.example/v1"
	for name, c := range map[string]struct {
		typ    string
		change func(*storage.Client)
		fields string // of the faults, joined by spaces
	}{
		"a service with access":           {Service, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api, Scopes: []string{"orders:read"}}} }, ""},
		"an app with access to two":       {SPA, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api}, {Resource: other}} }, ""},
		"RFC 8707 2: a relative URI":      {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: "/v1"}} }, "access"},
		"RFC 8707 2: a fragment":          {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api + "#x"}} }, "access"},
		"a resource twice":                {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api}, {Resource: api}} }, "access"},
		"a scope twice":                   {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api, Scopes: []string{"a", "a"}}} }, "access"},
		"RFC 6749 3.3: no scope":          {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api, Scopes: []string{`"`}}} }, "access"},
		"a scope about a person":          {Web, func(c *storage.Client) { c.Access = []storage.Access{{Resource: api, Scopes: []string{"email"}}} }, "access"},
		"too many":                        {Web, func(c *storage.Client) { c.Access = make([]storage.Access, 51) }, "access"},
		"a default that is open":          {Web, func(c *storage.Client) { c.DefaultResource = api }, ""},
		"a default that is no resource":   {Web, func(c *storage.Client) { c.DefaultResource = "api" }, "default_resource"},
		"an API":                          {Service, func(c *storage.Client) { c.Resources = []string{api, other} }, ""},
		"an API that is no resource":      {Service, func(c *storage.Client) { c.Resources = []string{"api"} }, "resources"},
		"an API twice":                    {Service, func(c *storage.Client) { c.Resources = []string{api, api} }, "resources"},
		"RFC 7662 2.1: anybody as an API": {SPA, func(c *storage.Client) { c.Resources = []string{api} }, "resources"},
		"delegation":                      {Service, func(c *storage.Client) { c.Exchange = storage.ExchangeDelegation }, ""},
		"impersonation":                   {Service, func(c *storage.Client) { c.Exchange = storage.ExchangeImpersonation }, ""},
		"a third kind of exchange":        {Service, func(c *storage.Client) { c.Exchange = "both" }, "token_exchange"},
		"RFC 9701 6: signed":              {Service, func(c *storage.Client) { c.IntrospectionAlg = "ES256" }, ""},
		"RFC 9701 5: by nobody":           {Service, func(c *storage.Client) { c.IntrospectionAlg = "none" }, "introspection_signed_response_alg"},
		"signed by a secret":              {Service, func(c *storage.Client) { c.IntrospectionAlg = AlgHS256 }, "introspection_signed_response_alg"},
		"RFC 9701 6: encrypted": {Service, func(c *storage.Client) {
			c.IntrospectionEncryptionAlg, c.JWKSURI = "ECDH-ES", "https://api.example/keys"
		}, ""},
		"encrypted to no key":         {Service, func(c *storage.Client) { c.IntrospectionEncryptionAlg = "ECDH-ES" }, "introspection_encrypted_response_alg"},
		"RFC 9701 6: enc without alg": {Service, func(c *storage.Client) { c.IntrospectionEncryptionEnc = "A128GCM" }, "introspection_encrypted_response_enc"},
		"encrypted by what there is not": {Service, func(c *storage.Client) {
			c.IntrospectionEncryptionAlg, c.JWKSURI = "RSA1_5", "https://api.example/keys"
		}, "introspection_encrypted_response_alg"},
		"encrypted to a key that signs not": {Service, func(c *storage.Client) { c.IntrospectionEncryptionAlg, c.JWKS = "RSA-OAEP-256", []byte(publicEC) }, "jwks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := valid(t, c.typ)
			c.change(&cl)
			var got []string
			if joined, ok := Validate(cl).(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					if f, ok := errors.AsType[*fields.Error](e); ok && !slices.Contains(got, f.Field) {
						got = append(got, f.Field)
					}
				}
			}
			if strings.Join(got, " ") != c.fields {
				t.Errorf("faults of %v, want %q: %v", got, c.fields, Validate(cl))
			}
		})
	}
}

const publicEC = `{"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

func TestAccess(t *testing.T) {
	t.Parallel()
	var c storage.Client
	for _, set := range []struct {
		values []string
		want   string
		bad    bool
	}{
		{[]string{" https://api.example  orders:read orders:write ", "https://b.example"}, "[{https://api.example [orders:read orders:write]} {https://b.example []}]", false},
		{[]string{"https://api.example", " "}, "[{https://api.example [orders:read orders:write]} {https://b.example []}]", true},
		{[]string{""}, "[]", false},
	} {
		if err := Set(&c, "access", set.values); (err != nil) != set.bad || fmt.Sprint(c.Access) != set.want {
			t.Errorf("%q: %v, %v", set.values, c.Access, err)
		}
	}
}

func TestOnlyResource(t *testing.T) {
	t.Parallel()
	one := []storage.Access{{Resource: "https://api.example"}}
	for name, c := range map[string]struct {
		client storage.Client
		want   string
	}{
		"a service for one API":         {storage.Client{Type: Service, Access: one}, "https://api.example"},
		"for two":                       {storage.Client{Type: Service, Access: append(one, storage.Access{Resource: "https://b.example"})}, ""},
		"for the issuer's scopes too":   {storage.Client{Type: Service, Access: one, Scopes: []string{"hr"}}, ""},
		"an app that people sign in to": {storage.Client{Type: Web, Access: one}, ""},
		"for none":                      {storage.Client{Type: Service}, ""},
	} {
		if got := OnlyResource(c.client); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	c := storage.Client{Resources: []string{"a"}, Access: []storage.Access{{Resource: "b"}}, DefaultResource: "c"}
	if got := strings.Join(Names(c), " "); got != "a b c" || Names(storage.Client{}) != nil || len(c.Resources) != 1 {
		t.Error(got)
	}
}

// What cannot be signed is said when it is asked for, of services too.
func TestSignableIntrospection(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{Web, Service} {
		c := valid(t, typ)
		c.IntrospectionAlg = "ES512"
		if err := Signable(c, []string{"RS256"}); err == nil || !strings.Contains(err.Error(), "introspection_signed_response_alg") {
			t.Errorf("%s: %v", typ, err)
		}
		if err := Signable(c, []string{"RS256", "ES512"}); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
