// Package checksession serves the page by which apps see that somebody signed in or out: the OP iframe of OpenID Connect Session
// Management 1.0, section 3.2.
//
//	GET /check-session    the page, for a hidden frame
//
// An app gets a session_state with each authorization response ([session.SessionState]): a hash of its client id, its origin and a
// cookie of ours, the login state ([session.Sessions.State]). From time to time it asks the page, by postMessage, whether that hash still
// holds. The page's script (web/assets/check-session.js) computes it anew and answers "unchanged" or "changed"; nothing goes over the network.
//
// The script has to read the cookie inside a frame on another site. Safari, Firefox and Brave keep third-party cookies from such a frame or
// give it a jar of its own, and so does Chrome for those who want it. There the script finds none and answers "error", at which an app must
// not ask with prompt=none (section 3.1), so none goes round in circles. That is also why the cookie is never set from such a frame
// ([session.Sessions.State]): in a jar of its own it would differ for ever from the one that the session_state was made of, and the answer "changed"
// would sign people out who are signed in. What works in every browser is back-channel logout.
//
// It is the one page that any site may frame for as long as it likes. It has no form, reads nothing from the request, and knows nobody.
package checksession

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/trail"
	"signet/web"
)

// Endpoint is the page.
type Endpoint struct {
	Sessions *session.Sessions
	Pages    *web.Pages
}

// Get shows it.
func (e *Endpoint) Get(w http.ResponseWriter, r *http.Request) {
	e.Pages.Write(w, http.StatusOK, web.CheckSession{Cookie: e.Sessions.StateCookie()}, trail.Of(r.Context()).Languages...)
}
