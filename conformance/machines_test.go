package conformance

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"signet/clients"
	"signet/provider/admin"
)

// What the document offers to programs that no browser belongs to: RFC 8628, RFC 8693, RFC 9701.

// notTaken is what becomes of metadata that the operator's command refuses.
const notTaken = "the operator may not"

// operated is a client that the operator adds.
func (r *run) operated(typ string, set admin.Fields) (client, string) {
	r.Helper()
	var made admin.ClientSecret
	if err := r.operator.Do(r.Context(), http.MethodPost, admin.NewClient{Type: typ, Name: "A program", Fields: set}, &made, "clients"); err != nil {
		return client{}, notTaken
	}
	return client{id: made.Client.ID, secret: made.Secret, method: made.Client.TokenEndpointAuthMethod}, ""
}

// connects begins a device authorization, and polls once: RFC 8628 sections 3.1 and 3.5.
func connects(r *run, _ string) string {
	c, code := r.operated("device", nil)
	if code != "" {
		return code
	}
	a := r.post("device_authorization_endpoint", c, url.Values{"scope": {"openid"}})
	device, _ := a.json["device_code"].(string)
	if device == "" || a.json["user_code"] == nil {
		return errorOf(a)
	}
	if code := errorOf(r.post("token_endpoint", c, url.Values{"grant_type": {clients.GrantDevice}, "device_code": {device}})); code != "authorization_pending" {
		return code
	}
	return ""
}

// exchanges has a service's own token exchanged: RFC 8693 section 2.
func exchanges(r *run, _ string) string {
	c, code := r.operated("service", admin.Fields{"grant_types": {clients.GrantService, clients.GrantExchange}})
	if code != "" {
		return code
	}
	own, _ := r.post("token_endpoint", c, url.Values{"grant_type": {clients.GrantService}}).json["access_token"].(string)
	return errorOf(r.post("token_endpoint", c, url.Values{
		"grant_type": {clients.GrantExchange}, "subject_token": {own}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}))
}

const introspectionJWT = "token-introspection+jwt"

// introspected is the answer to a question about a token that nobody knows, as a JWT: RFC 9701 section 4.
func (r *run) introspected(c client) string {
	r.Helper()
	req := r.request(http.MethodPost, r.text("introspection_endpoint"), url.Values{"token": {"unknown"}})
	req.SetBasicAuth(c.id, c.secret)
	req.Header.Set("Accept", "application/"+introspectionJWT)
	a := r.send(req)
	if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != "application/"+introspectionJWT {
		r.Errorf("RFC 9701 5: %d %s: %s", a.status, got, a.body)
	}
	return a.body
}

// vouches holds a signed answer to RFC 9701 section 5.
func (r *run) vouches(c client, token, alg string) {
	r.Helper()
	if typ := header(r, token)["typ"]; typ != introspectionJWT {
		r.Errorf("RFC 9701 5: typ is %v", typ)
	}
	claims := r.verify(token, alg)
	said, _ := claims["token_introspection"].(map[string]any)
	if claims["iss"] != r.issuer || claims["aud"] != c.id || len(said) != 1 || said["active"] != false {
		r.Errorf("RFC 9701 5: %v", claims)
	}
}

func introspectionSigned(r *run, alg string) string {
	c, code := r.operated("service", admin.Fields{"introspection_signed_response_alg": {alg}})
	if code == "" {
		r.vouches(c, r.introspected(c), alg)
	}
	return code
}

// introspectionEncrypted asks for encrypted answers: by an alg, or by an enc behind alg.
func introspectionEncrypted(alg string) func(*run, string) string {
	return func(r *run, value string) string {
		const names = "introspection_encrypted_response_"
		var set []any
		for _, key := range allKeys() {
			set = append(set, publicKey(key))
		}
		jwks, err := json.Marshal(map[string]any{"keys": set})
		r.must(err)
		signed := r.first("introspection_signing_alg_values_supported")
		fields, by, enc := admin.Fields{"jwks": {string(jwks)}, "introspection_signed_response_alg": {signed}, names + "alg": {value}}, value, "A128CBC-HS256"
		if alg != "" {
			fields[names+"alg"], fields[names+"enc"], by, enc = []string{alg}, []string{value}, alg, value
		}
		c, code := r.operated("service", fields)
		if code != "" {
			return code
		}
		inside := r.decrypt(r.introspected(c), by, enc)
		if strings.Count(inside, ".") != 2 {
			r.Errorf("RFC 9701 5: it is encrypted and was not signed: %s", inside)
			return ""
		}
		r.vouches(c, inside, signed)
		return ""
	}
}
