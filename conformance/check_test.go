package conformance

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// checkKeys is what each module checks of the JWKS: no private or symmetric key, a kid of its own for each, sizes and parameters well formed.
func (r *run) checkKeys(body []byte) {
	r.Helper()
	var raw struct {
		Keys []map[string]any `json:"keys"`
	}
	r.must(json.Unmarshal(body, &raw))
	r.must(json.Unmarshal(body, &r.keys))
	if len(raw.Keys) == 0 || len(raw.Keys) != len(r.keys.Keys) {
		r.Fatalf("%d of %d keys can be read", len(r.keys.Keys), len(raw.Keys))
	}
	kids := map[string]bool{}
	for i, members := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, has := members[private]; has {
				r.Errorf("RFC 7517 9: key %v has %s", members["kid"], private)
			}
		}
		key := r.keys.Keys[i]
		if key.KeyID == "" || kids[key.KeyID] {
			r.Errorf("Discovery 3: kid %q is missing or not the only one", key.KeyID)
		}
		kids[key.KeyID] = true
		if !key.Valid() || !key.IsPublic() {
			r.Errorf("key %s is not a good public key", key.KeyID)
		}
		switch k := key.Key.(type) {
		case *rsa.PublicKey:
			if k.N.BitLen() < 2048 || k.E < 3 || k.E%2 == 0 {
				r.Errorf("RFC 7518 3.3: key %s has %d bits and the exponent %d", key.KeyID, k.N.BitLen(), k.E)
			}
		case *ecdsa.PublicKey:
			if _, err := k.ECDH(); err != nil {
				r.Errorf("RFC 7518 6.2: key %s is no point of its curve: %v", key.KeyID, err)
			}
		}
	}
}

// bits estimates the entropy of a text from how often each character comes, as the suite does.
func bits(text string) float64 {
	count := map[rune]float64{}
	for _, c := range text {
		count[c]++
	}
	perCharacter := 0.0
	for _, n := range count {
		p := n / float64(len(text))
		perCharacter -= p * math.Log2(p)
	}
	return perCharacter * float64(len(text))
}

var (
	b64token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750 section 2.1
	vschar   = regexp.MustCompile(`^[\x21-\x7e]+$`)         // RFC 6749 appendix A
)

// secret holds a code or a token to RFC 6749 section 10.10: 128 bits at the least.
func (r *run) secret(what, value string, form *regexp.Regexp) {
	r.Helper()
	if len(value) < 22 || bits(value) < 128 || !form.MatchString(value) {
		r.Errorf("%s has %d characters and %.0f bits, or other characters than it may: %q", what, len(value), bits(value), value)
	}
}

// wanted is what an ID token has to say.
type wanted struct {
	client      string
	nonce       string
	accessToken string // that came with it
	code        string // that came with it
	front       bool   // it came from the authorization endpoint, where the two hashes are required
	claims      []string
}

// protocolClaims are those of an ID token that are not about the person: Core 2 and 3.3.2.11, Front-Channel Logout 3.
var protocolClaims = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "jti", "at_hash", "c_hash"}

// idToken checks an ID token as OpenID Connect Core 3.1.3.7 tells relying parties to, and returns its claims.
func (r *run) idToken(token string, want wanted) map[string]any {
	r.Helper()
	claims := r.verify(token, "RS256") // Registration 2: the default, which all clients here have
	now := r.now()
	if claims["iss"] != r.issuer {
		r.Errorf("iss is %v, want %s", claims["iss"], r.issuer)
	}
	switch aud := claims["aud"].(type) {
	case string:
		if aud != want.client {
			r.Errorf("aud is %s, want %s", aud, want.client)
		}
	case []any:
		if !slices.Contains(aud, any(want.client)) || len(aud) > 1 && claims["azp"] == nil {
			r.Errorf("aud is %v, azp %v", aud, claims["azp"])
		}
	default:
		r.Errorf("aud is %v", aud)
	}
	if azp, has := claims["azp"]; has && azp != want.client {
		r.Errorf("azp is %v, want %s", azp, want.client)
	}
	if sub, _ := claims["sub"].(string); sub == "" || len(sub) > 255 {
		r.Errorf("Core 2: sub is %v", claims["sub"])
	}
	iat, exp := r.instant(claims, "iat"), r.instant(claims, "exp")
	if iat.After(now.Add(time.Second)) || iat.Before(now.Add(-5*time.Minute)) || !exp.After(now) {
		r.Errorf("iat %v, exp %v at %v", iat, exp, now)
	}
	if nonce, _ := claims["nonce"].(string); nonce != want.nonce {
		r.Errorf("nonce is %q, want %q", nonce, want.nonce)
	}
	for name, value := range map[string]string{"at_hash": want.accessToken, "c_hash": want.code} {
		hash, has := claims[name]
		if has && hash != half(value) || want.front && has != (value != "") {
			r.Errorf("Core 3.3.2.11: %s is %v beside %q", name, hash, value)
		}
	}
	for name := range claims {
		if !slices.Contains(protocolClaims, name) && !slices.Contains(want.claims, name) {
			r.Errorf("the ID token has %s, which nobody asked for there", name)
		}
	}
	return claims
}

// half is the left half of the hash that belongs to RS256: Core 3.1.3.6.
func half(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// verify returns the payload of a JWS by the key that its kid leads to.
func (r *run) verify(token, alg string) map[string]any {
	r.Helper()
	kid, _ := header(r, token)["kid"].(string)
	keys := r.keys.Key(kid)
	if len(keys) != 1 {
		r.Fatalf("kid %q leads to %d keys", kid, len(keys))
	}
	return r.verifyWith(token, alg, keys[0])
}

func (r *run) verifyWith(token, alg string, key any) (claims map[string]any) {
	r.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		r.Fatalf("not a JWS by %s: %v: %q", alg, err, token)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		r.Fatalf("the signature of %q: %v", token, err)
	}
	r.must(json.Unmarshal(payload, &claims))
	return claims
}

// header is what a JWT says of itself, unverified.
func header(r *run, token string) (members map[string]any) {
	r.Helper()
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	r.must(err)
	r.must(json.Unmarshal(raw, &members))
	return members
}

// instant is a claim that is a time.
func (r *run) instant(claims map[string]any, name string) time.Time {
	r.Helper()
	seconds, ok := claims[name].(float64)
	if !ok || seconds != math.Trunc(seconds) {
		r.Errorf("%s is %v, want whole seconds", name, claims[name])
	}
	return time.Unix(int64(seconds), 0)
}

// ofScope are the claims of OpenID Connect Core 5.4.
var ofScope = map[string][]string{
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// claimsOf are the claims of the scopes in a scope parameter.
func claimsOf(scope string) (names []string) {
	for _, s := range strings.Fields(scope) {
		names = append(names, ofScope[s]...)
	}
	return names
}

// person holds claims about the person to their types, OpenID Connect Core 5.1, and fails where one is missing or was not asked for.
func (r *run) person(where string, claims map[string]any, scope string) {
	r.Helper()
	asked := claimsOf(scope)
	for _, name := range asked {
		value, has := claims[name]
		if !has {
			r.Errorf("%s lacks %s", where, name)
			continue
		}
		ok := false
		switch name {
		case "email_verified", "phone_number_verified":
			_, ok = value.(bool)
		case "updated_at":
			_, ok = value.(float64)
		case "address":
			members, isObject := value.(map[string]any)
			ok = isObject && len(members) > 0
			for member, v := range members {
				_, isText := v.(string)
				ok = ok && isText && slices.Contains([]string{"formatted", "street_address", "locality", "region", "postal_code", "country"}, member)
			}
		default:
			s, isText := value.(string)
			ok = isText && s != ""
		}
		if !ok {
			r.Errorf("%s: %s is %v (%T)", where, name, value, value)
		}
	}
	for _, names := range ofScope {
		for _, name := range names {
			if _, has := claims[name]; has && !slices.Contains(asked, name) {
				r.Errorf("%s has %s, which the scope %q does not ask for", where, name, scope)
			}
		}
	}
}
