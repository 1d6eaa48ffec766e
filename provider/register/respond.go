package register

import (
	"net/http"
	"net/url"

	"signet/clients/metadata"
	"signet/provider/oauth"
	"signet/storage"
)

// answer tells the client what is registered, defaults included: OpenID Connect Registration 3.2 and 4.3, RFC 7591 section 3.2.1, RFC 7592
// section 3. The secret is there when it was just made: only its hash is kept.
func (e *Endpoint) answer(w http.ResponseWriter, status int, c storage.Client, secret, access string) error {
	answer := map[string]any{
		"client_id":                 c.ID,
		"client_id_issued_at":       c.Created.Unix(),
		"application_type":          c.ApplicationType,
		"registration_client_uri":   e.Base + "/" + url.PathEscape(c.ID),
		"registration_access_token": access,
	}
	if secret != "" {
		answer["client_secret"] = secret
		answer["client_secret_expires_at"] = 0 // never
	}
	if c.SoftwareStatement != "" { // RFC 7591 section 3.2.1: "MUST return the same"
		answer["software_statement"] = c.SoftwareStatement
	}
	for _, m := range metadata.Members {
		if value := m.Get(c); value != nil {
			answer[m.Name] = value
		}
	}
	return oauth.WriteStatus(w, status, answer)
}
