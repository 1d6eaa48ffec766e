package authorize

import (
	"errors"
	"net/http"
	"time"

	"signet/provider/clientdocs"
	"signet/provider/interaction"
	"signet/provider/issue"
	"signet/provider/kept"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/requestobject"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/web"
)

// PostedPath is where a request that came by POST is picked up by GET.
const PostedPath = oauth.AuthorizePath + "/posted"

// keptFor is how long the browser may take from the POST to our GET.
const keptFor = time.Minute

// Options is what the endpoint works with.
type Options struct {
	Store        Store
	Clients      *clientdocs.Clients
	Kept         kept.Requests
	Issuer       *issue.Issuer
	Objects      *requestobject.Reader
	Sessions     *session.Sessions
	Interactions *interaction.Interactions
	Pages        *web.Pages
	CodeLife     time.Duration // at most ten minutes: RFC 6749 section 4.1.2
	Now          func() time.Time
}

// Endpoint is the authorization endpoint.
type Endpoint struct{ Options }

// New returns the authorization endpoint of a provider.
func New(o Options) *Endpoint { return &Endpoint{o} }

// Get takes a request from the query.
func (e *Endpoint) Get(w http.ResponseWriter, r *http.Request) error {
	p, err := oauth.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	return e.begin(w, r, p)
}

// Post takes a request from a form (OpenID Connect Core 3.1.2.1: both methods). It reads no cookie: what is wrong without one is
// answered at once, everything else goes round by GET.
func (e *Endpoint) Post(w http.ResponseWriter, r *http.Request) error {
	p, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	t, p, err := e.target(r, p)
	if err != nil {
		return err
	}
	if _, err := e.validate(r.Context(), p, t); err != nil {
		e.refuse(w, r, t, err)
		return nil
	}
	location, err := e.Kept.Keep(r, p, PostedPath, keptFor)
	if err != nil {
		return e.failed(w, r, t, err)
	}
	oauth.SeeOther(w, location)
	return nil
}

// Posted takes a request that was kept.
func (e *Endpoint) Posted(w http.ResponseWriter, r *http.Request) error {
	p, err := e.Kept.Take(r)
	if err != nil {
		return err
	}
	return e.begin(w, r, p)
}

// begin answers a request, or begins to ask.
func (e *Endpoint) begin(w http.ResponseWriter, r *http.Request, p oauth.Params) error {
	t, p, err := e.target(r, p)
	if err != nil {
		return err
	}
	trail.Of(r.Context()).Client(t.client.ID)
	req, err := e.validate(r.Context(), p, t)
	if err != nil {
		e.refuse(w, r, t, err)
		return nil
	}
	return e.failed(w, r, t, e.proceed(w, r, t, pending{request: req}))
}

// failed tells the client what went wrong once its redirect URI is certain: RFC 6749 section 4.1.2.1, server_error and
// temporarily_unavailable. What is said to the person alone stays an error.
func (e *Endpoint) failed(w http.ResponseWriter, r *http.Request, t target, err error) error {
	var told *problem.Problem
	if err == nil || errors.As(err, &told) {
		return err
	}
	e.refuse(w, r, t, err)
	return nil
}

// Continue takes up an interaction after a step, or with the answer of the consent page.
func (e *Endpoint) Continue(w http.ResponseWriter, r *http.Request) error {
	open, err := e.Interactions.Of(r)
	if err != nil {
		return err
	}
	t, err := e.reopen(r, open)
	if err != nil {
		return err
	}
	trail.Of(r.Context()).Client(t.client.ID)
	p := pending{request: open.Request, open: &open}
	if r.Method == http.MethodPost {
		form, err := oauth.ReadBody(w, r)
		if err != nil {
			return err
		}
		switch form.Get("decision") {
		case "allow":
			p.agreed = interaction.AgreedAs(r.URL.Query())
		case "deny":
			p.declined = true
		default:
			return &problem.Problem{Title: "No answer", What: "The page was sent without an answer.", Who: problem.You, How: "Go back and choose one of the two buttons."}
		}
	}
	return e.failed(w, r, t, e.proceed(w, r, t, p))
}

// reopen establishes the target of a stored request anew: the client may have been changed or removed meanwhile.
func (e *Endpoint) reopen(r *http.Request, open interaction.Open) (target, error) {
	req := open.Request
	client, err := e.client(r, req.Client)
	if err != nil {
		return target{}, err
	}
	t := target{client: client, redirectURI: req.RedirectURI, mode: req.ResponseMode, state: req.State}
	if !e.registered(t) {
		return t, notRegistered(client)
	}
	return t, nil
}
