package issue_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/provider/session"
	"signet/storage"
)

// part is a part of a JWS, as JSON.
func part(t *testing.T, token string, n int) (members map[string]any) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// OpenID Connect Back-Channel Logout 2.4.
func TestLogoutToken(t *testing.T) {
	t.Parallel()
	i, _ := bySecret(t)
	secret := storage.Client{ID: "client", TokenEndpointAuthMethod: clients.AuthBasic, IDTokenAlg: clients.AlgHS256}
	secret.SealedSecret = i.Keys.(clients.Sealer).Seal(clients.SealPurpose(secret.ID), []byte(theSecret))
	s := storage.NewID(instant)
	for name, c := range map[string]storage.Client{
		"signed as its ID tokens are: ES256": {ID: "client", IDTokenAlg: "ES256"},
		"signed as its ID tokens are: HS256": secret,
		"Core 8: a pairwise sub":             {ID: "client", IDTokenAlg: "ES256", SubjectType: clients.SubjectPairwise, RedirectURIs: []string{"https://app.example/cb"}},
	} {
		token, err := i.LogoutToken(t.Context(), c, "alice", s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if head := part(t, token, 0); head["typ"] != "logout+jwt" || head["alg"] != c.IDTokenAlg || (head["kid"] == nil) != (c.IDTokenAlg == clients.AlgHS256) {
			t.Errorf("%s: header %v", name, head)
		}
		claims := part(t, token, 1)
		var names []string
		for claim := range claims {
			names = append(names, claim)
		}
		slices.Sort(names)
		if want := []string{"aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"}; !slices.Equal(names, want) { // and no nonce
			t.Errorf("%s: claims %v", name, names)
		}
		event, _ := claims["events"].(map[string]any)["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
		if event == nil || len(event) > 0 || len(claims["events"].(map[string]any)) != 1 {
			t.Errorf("%s: events %v", name, claims["events"])
		}
		for claim, want := range map[string]any{"iss": "https://id.example", "aud": "client", "sid": session.SID(s, "client"),
			"iat": float64(instant.Unix()), "exp": float64(instant.Unix() + 120)} {
			if claims[claim] != want {
				t.Errorf("%s: %s is %v", name, claim, claims[claim])
			}
		}
		if pairwise := c.SubjectType != ""; (claims["sub"] == "alice") == pairwise {
			t.Errorf("%s: sub is %v", name, claims["sub"])
		}
		if _, err := i.ParseHint(t.Context(), token); err == nil {
			t.Errorf("%s: RFC 8725 3.11: it is taken for an ID token", name)
		}
		again, err := i.LogoutToken(t.Context(), c, "alice", s)
		if err != nil || part(t, again, 1)["jti"] == claims["jti"] || len(claims["jti"].(string)) < 22 {
			t.Errorf("%s: jti is %v", name, claims["jti"])
		}
	}
	jws, err := jose.ParseSignedCompact(must(i.LogoutToken(t.Context(), secret, "alice", s)), []jose.SignatureAlgorithm{jose.HS256})
	if err == nil {
		_, err = jws.Verify([]byte(theSecret))
	}
	if err != nil {
		t.Error(err)
	}
	if token, err := i.LogoutToken(t.Context(), storage.Client{ID: "client", IDTokenAlg: "PS512"}, "alice", s); err == nil {
		t.Errorf("signed without a key: %s", token)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
