package issue_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/provider/issue"
	"signet/storage"
)

// An id_token_hint is an ID token of this issuer. Its time does not count: RP-Initiated Logout 2.
func TestParseHint(t *testing.T) {
	t.Parallel()
	i := issuer(t, "https://id.example")
	for name, row := range map[string]struct {
		typ    string
		change map[string]any
		good   bool
	}{
		"an ID token":                                      {"JWT", nil, true},
		"one that has expired":                             {"JWT", map[string]any{"exp": 1}, true},
		"RFC 8725 3.8: another issuer's":                   {"JWT", map[string]any{"iss": "https://other.example"}, false},
		"no issuer":                                        {"JWT", map[string]any{"iss": ""}, false},
		"RFC 8725 3.11: an access token":                   {"at+jwt", nil, false},
		"RFC 8725 3.11: an access token that is typed JWT": {"JWT", map[string]any{"azp": "", "sid": ""}, false},
		"RFC 8725 3.11: a logout token":                    {"logout+jwt", nil, false},
		"no typ":                                           {"", nil, false},
		"no azp":                                           {"JWT", map[string]any{"azp": ""}, false},
		"no sid":                                           {"JWT", map[string]any{"sid": ""}, false},
		"a sub that is no string":                          {"JWT", map[string]any{"sub": 7}, false},
	} {
		claims := map[string]any{"iss": "https://id.example", "sub": "alice", "azp": "client", "sid": "session", "exp": instant.Unix() + 60}
		for name, v := range row.change {
			claims[name] = v
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, err := i.Keys.Sign("ES256", row.typ, body)
		if err != nil {
			t.Fatal(err)
		}
		hint, err := i.ParseHint(t.Context(), token)
		if (err == nil) != row.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !errors.Is(err, issue.ErrHint) {
			t.Errorf("%s: refused as the server's own trouble: %v", name, err)
		}
		if want := (issue.Hint{Subject: "alice", Client: "client", Session: "session", Issuer: "https://id.example"}); row.good && hint != want {
			t.Errorf("%s: %+v", name, hint)
		}
	}
}

// roll is the clients that there are.
type roll struct {
	all map[string]storage.Client
	err error
}

func (r *roll) Client(_ context.Context, id string) (storage.Client, error) {
	if r.err != nil {
		return storage.Client{}, r.err
	}
	c, ok := r.all[id]
	if !ok {
		return c, storage.ErrNotFound
	}
	return c, nil
}

const theSecret = "the secret of the client, which has at least 32 characters"

// bySecret is an issuer with one client, "client", whose ID tokens are signed with theSecret.
func bySecret(tb testing.TB) (*issue.Issuer, *roll) {
	tb.Helper()
	i := issuer(tb, "https://id.example")
	c := storage.Client{ID: "client", TokenEndpointAuthMethod: clients.AuthBasic, IDTokenAlg: clients.AlgHS256}
	c.SealedSecret = i.Keys.(clients.Sealer).Seal(clients.SealPurpose(c.ID), []byte(theSecret))
	known := &roll{all: map[string]storage.Client{c.ID: c}}
	i.HS256, i.Clients = true, known
	return i, known
}

// mac signs a payload as go-jose does.
func mac(tb testing.TB, key, payload string) string {
	tb.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(key)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		tb.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

const goodHint = `{"iss":"https://id.example","sub":"alice","aud":"client","azp":"client","sid":"session","exp":1}`

// OpenID Connect Core 10.1. What can be sent over HTTP is tested there; here is what cannot.
func TestParseHintBySecret(t *testing.T) {
	t.Parallel()
	i, known := bySecret(t)
	good := mac(t, theSecret, goodHint)
	if h, err := i.ParseHint(t.Context(), good); err != nil || h != (issue.Hint{Subject: "alice", Client: "client", Session: "session", Issuer: "https://id.example"}) {
		t.Fatalf("%+v %v", h, err)
	}
	long := mac(t, theSecret, strings.Replace(goodHint, `"exp"`, `"more":"`+strings.Repeat("x", 64<<10)+`","exp"`, 1))
	if _, err := i.ParseHint(t.Context(), long); !errors.Is(err, issue.ErrHint) {
		t.Errorf("64 KiB: %v", err)
	}
	// Whatever is the server's own trouble is not said to be the hint's.
	troubled := func(why string) {
		t.Helper()
		if h, err := i.ParseHint(t.Context(), good); err == nil || errors.Is(err, issue.ErrHint) || h != (issue.Hint{}) {
			t.Errorf("%s: %+v %v", why, h, err)
		}
	}
	known.err = storage.ErrBusy
	troubled("the store is busy")
	known.err = nil
	c := known.all["client"]
	c.SealedSecret = c.SealedSecret[1:]
	known.all["client"] = c
	troubled("the secret does not open")
	i.HS256 = false
	if _, err := i.ParseHint(t.Context(), good); !errors.Is(err, issue.ErrHint) {
		t.Errorf("HS256 is off: %v", err)
	}
}

// RFC 2104 section 2: of a key longer than a block HMAC takes the hash, which stands in the store and in each backup. Clients that sign with a
// secret from before had such ones.
func TestTheStoredHashSignsNothing(t *testing.T) {
	t.Parallel()
	i, known := bySecret(t)
	c, long := known.all["client"], strings.Repeat("x", 86)
	c.SecretHash = storage.HashOf([]byte(long))
	c.SealedSecret = i.Keys.(clients.Sealer).Seal(clients.SealPurpose(c.ID), []byte(long))
	known.all["client"] = c
	if h, err := i.ParseHint(t.Context(), mac(t, string(c.SecretHash[:]), goodHint)); err == nil {
		t.Errorf("whoever reads the store can write %+v", h)
	}
}

// Whatever is taken is what the client's secret made, letter by letter.
func FuzzParseHintBySecret(f *testing.F) {
	i, _ := bySecret(f)
	for _, payload := range []string{goodHint, "{}", `{"azp":"client"}`, strings.Replace(goodHint, `"aud":"client"`, `"aud":["client"]`, 1)} {
		f.Add(mac(f, theSecret, payload))
		f.Add(mac(f, "another secret, which has 32 characters too", payload))
	}
	f.Add("")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := i.ParseHint(t.Context(), token); err != nil {
			return
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256, jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify([]byte(theSecret))
		if err != nil || mac(t, theSecret, string(payload)) != token {
			t.Errorf("taken: %q %v", token, err)
		}
		var to struct{ Aud, Azp string }
		if json.Unmarshal(payload, &to) != nil || to.Aud != "client" || to.Azp != "client" {
			t.Errorf("taken: %s", payload)
		}
	})
}
