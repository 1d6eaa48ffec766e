package register_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients/keyset"
	"signet/provider/providertest"
)

// directory issues software statements.
type directory struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newDirectory(t *testing.T) directory {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return directory{t, key}
}

func (d directory) keys() keyset.Set {
	d.t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: d.key.Public(), KeyID: "d"}}})
	if err != nil {
		d.t.Fatal(err)
	}
	set, err := keyset.Parse(raw)
	if err != nil {
		d.t.Fatal(err)
	}
	return set
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims metadata) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "d"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const trustedIssuer = "https://directory.example"

func vouching(claims metadata) metadata {
	all := metadata{"iss": trustedIssuer, "software_id": "4NRB1", "client_name": "Vouched for", "redirect_uris": []string{"https://vouched.example/cb"}}
	maps.Copy(all, claims)
	return all
}

func TestSoftwareStatements(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	s := server(t, "open", func(c *providertest.Config) {
		c.Registration.Statements = map[string]keyset.Set{trustedIssuer: d.keys()}
	})
	now := s.Clock.Now()

	t.Run("RFC 7591 2.3, 3.2.1: its values take precedence, and it comes back", func(t *testing.T) {
		statement := sign(t, jose.ES256, d.key, vouching(metadata{"exp": now.Add(time.Hour).Unix(), "unheard_of": 1, "client_id": "x"}))
		r := mustRegister(t, s, app("client_name", "Liar", "tos_uri", "https://app.example/tos", "software_statement", statement))
		for name, want := range map[string]string{
			"client_name": "Vouched for", "software_id": "4NRB1", "tos_uri": "https://app.example/tos", "software_statement": statement,
		} {
			if r.text(name) != want {
				t.Errorf("%s: %q", name, r.text(name))
			}
		}
		if uris := r.metadata["redirect_uris"].([]any); len(uris) != 1 || uris[0] != "https://vouched.example/cb" || r.metadata["unheard_of"] != nil {
			t.Errorf("%v", r.metadata)
		}
		r.t = t
		if a := r.update(metadata{"software_statement": nil}); a.Status != 400 || a.Error() != "invalid_software_statement" {
			t.Errorf("an update without it: %d %s", a.Status, a.Body)
		}
		s.Clock.Advance(2 * time.Hour)
		if a := r.update(metadata{"client_name": "Liar", "redirect_uris": []string{"https://app.example/cb"}}); a.Status != 200 || a.Text("client_name") != "Vouched for" {
			t.Errorf("an update with what it has: %d %s", a.Status, a.Body)
		}
	})
	now = s.Clock.Now()
	good := sign(t, jose.ES256, d.key, vouching(nil))
	parts := strings.Split(good, ".")
	other := newDirectory(t)
	for _, c := range []struct {
		clause    string
		statement any
		code      string
	}{
		{"RFC 7591 3.2.2: of an issuer that nobody trusts", sign(t, jose.ES256, d.key, vouching(metadata{"iss": "https://evil.example"})), "unapproved_software_statement"},
		{"RFC 7591 2.3: without iss", sign(t, jose.ES256, d.key, metadata{"software_id": "x"}), "unapproved_software_statement"},
		{"signed by another key", sign(t, jose.ES256, other.key, vouching(nil)), "invalid_software_statement"},
		{"expired", sign(t, jose.ES256, d.key, vouching(metadata{"exp": now.Add(-2 * time.Minute).Unix()})), "invalid_software_statement"},
		{"not valid yet", sign(t, jose.ES256, d.key, vouching(metadata{"nbf": now.Add(2 * time.Minute).Unix()})), "invalid_software_statement"},
		{"exp is a text", sign(t, jose.ES256, d.key, vouching(metadata{"exp": "tomorrow"})), "invalid_software_statement"},
		{"RFC 8725 3.1: HMAC", sign(t, jose.HS256, make([]byte, 32), vouching(nil)), "invalid_software_statement"},
		{"RFC 8725 3.2: none", "eyJhbGciOiJub25lIn0." + parts[1] + ".", "invalid_software_statement"},
		{"another payload under the signature", parts[0] + "." + strings.Split(sign(t, jose.ES256, d.key, vouching(metadata{"software_id": "y"})), ".")[1] + "." + parts[2], "invalid_software_statement"},
		{"without a signature", parts[0] + "." + parts[1] + ".", "invalid_software_statement"},
		{"no JWT", "statement", "invalid_software_statement"},
		{"empty", "", "invalid_software_statement"},
		{"no text", 1, "invalid_software_statement"},
		{"bad metadata inside", sign(t, jose.ES256, d.key, vouching(metadata{"redirect_uris": []string{"http://vouched.example/"}})), "invalid_redirect_uri"},
		{"a wrong type inside", sign(t, jose.ES256, d.key, vouching(metadata{"client_name": 1})), "invalid_client_metadata"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			before := count(t, s)
			a := register(t, s, "", app("software_statement", c.statement))
			if a.Status != http.StatusBadRequest || a.Error() != c.code {
				t.Errorf("%d %s, want %s", a.Status, a.Body, c.code)
			}
			if count(t, s) != before {
				t.Error("a client was stored")
			}
		})
	}
}
