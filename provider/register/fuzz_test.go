package register

import (
	"encoding/json"
	"testing"
	"time"

	"signet/clients"
	"signet/clients/metadata"
	"signet/storage"
)

// FuzzMetadata: whatever is sent, what is accepted holds to the rules, and the answer about it is accepted as an update again.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"redirect_uris":["https://app.example/cb"]}`,
		`{"redirect_uris":["com.example.app:/cb"],"application_type":"native","token_endpoint_auth_method":"none","scope":"openid pet"}`,
		`{"redirect_uris":["https://app.example/cb"],"response_types":["id_token token"],"subject_type":"pairwise","default_max_age":0}`,
		`{"redirect_uris":["https://app.example/cb"],"jwks":{"keys":[]},"require_auth_time":true,"client_name":"\u202e"}`,
		`{"redirect_uris":["https://app.example/cb"],"frontchannel_logout_uri":"https://app.example/o?a","backchannel_logout_uri":"https://b.example","backchannel_logout_session_required":true}`,
		`{"redirect_uris":null,"a":1,"a":2}`, `[]`, `{`, `nul`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	e := New(Options{Policy: Open, PKCE: storage.PKCEOptional, Algs: []string{"RS256"}, Now: func() time.Time { return time.Unix(0, 0) }})
	f.Fuzz(func(t *testing.T, body []byte) {
		sent, err := parse(body)
		if err != nil {
			return
		}
		c, err := e.registrable(t, sent)
		if err != nil {
			return
		}
		again := metadata.Object{}
		for _, m := range metadata.Members {
			if value := m.Get(c); value != nil {
				if again[m.Name], err = json.Marshal(value); err != nil {
					t.Fatal(err)
				}
			}
		}
		again["application_type"], _ = json.Marshal(c.ApplicationType)
		same, err := e.registrable(t, again)
		if err != nil {
			t.Fatalf("%s became %v, which is refused: %v", body, again, err)
		}
		if diff := clients.Fields.Diff(c, same); len(diff) > 0 {
			t.Fatalf("%s: the answer about it registers something else: %v", body, diff)
		}
	})
}

// registrable is the client that would be stored.
func (e *Endpoint) registrable(t *testing.T, sent metadata.Object) (storage.Client, error) {
	c, err := e.build(sent, limits{})
	if clients.NeedsSecret(c) {
		_, c.SecretHash = clients.NewSecret()
	}
	c.SectorIdentifierURI = "" // nothing is fetched here
	if err := e.check(t.Context(), c, err); err != nil {
		return c, err
	}
	if c.Trusted || c.Origin != storage.OriginRegistered {
		t.Fatalf("%+v", c)
	}
	return c, nil
}
