package gate

import (
	"net/http"
	"net/url"
)

// signOut ends the browser's session here, then at the issuer: RP-Initiated Logout section 2. What another page has a browser open ends nothing.
func (p *party) signOut(w http.ResponseWriter, r *http.Request) {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		p.gate.write(w, &verdict{status: http.StatusMethodNotAllowed, description: "signing out is GET or POST"}, true)
		return
	case site != "" && site != "same-origin" && site != "none":
		p.gate.write(w, forbidden("another site cannot sign you out; open this address yourself"), true)
		return
	}
	var hint string
	p.open(r, hintCookie, &hint)
	v := &verdict{
		status: http.StatusSeeOther, location: p.gate.config.Origin + p.config.AfterSignOut,
		cookies: []*http.Cookie{p.cookie(sessionCookie, "", 0), p.cookie(hintCookie, "", 0)},
	}
	m, err := p.gate.issuer.metadata.get(r.Context(), nil)
	switch end, _ := url.Parse(m.EndSession); {
	case err != nil:
		p.gate.log.Error("a browser was signed out here alone", "error", err)
	case m.EndSession == "" || end == nil:
	default:
		q := end.Query()
		q.Set("client_id", p.config.ClientID)
		q.Set("post_logout_redirect_uri", v.location)
		if hint != "" {
			q.Set("id_token_hint", hint)
		}
		end.RawQuery = q.Encode()
		v.location = end.String()
	}
	p.gate.write(w, v, true)
}
