package conformance

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"signet/provider/providertest"
)

// statusListOff leaves the claim status out of access tokens.
func statusListOff(c *providertest.Config) { c.NoStatusList = true }

// findsStatus is what an API does that takes status_list_aggregation_endpoint to be offered: Token Status List sections 6.2, 8 and 9.
func findsStatus(r *run, _ string) string {
	g, code := r.attempt(r.good())
	if code != "" {
		return code
	}
	var claims struct {
		Status *struct {
			List struct {
				Index *int   `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(g.token("access_token"), ".")[1])
	r.must(err)
	r.must(json.Unmarshal(payload, &claims))
	if claims.Status == nil {
		return ignored
	}
	at := claims.Status.List
	lists, _ := r.get(r.text("status_list_aggregation_endpoint")).json["status_lists"].([]any)
	if at.Index == nil || !slices.Contains(lists, any(at.URI)) {
		r.Errorf("Token Status List 9.3: %+v is not of %v", at, lists)
	}
	if a := r.get(at.URI); a.status != http.StatusOK || a.header.Get("Content-Type") != "application/statuslist+jwt" {
		r.Errorf("Token Status List 8.2: %d %v", a.status, a.header)
	}
	return ""
}
