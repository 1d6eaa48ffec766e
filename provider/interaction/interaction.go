// Package interaction keeps an authorization request while the browser is asked something. Our own pages (own.go) are reached by one
// without a request.
//
// From the moment it is stored the browser carries only its id, in the URL, and its secret, in a cookie of its own; so a link
// alone does nothing in another browser, and two tabs do not disturb each other. Every step adds to the stored request and sends
// the browser back to [ContinuePath], where [Facts.Next] alone decides what is still missing. A finished interaction is spent:
// its id does nothing a second time.
package interaction

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/provider/cookie"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Where the browser goes. Each path takes the parameter "interaction".
const (
	ChoosePath   = "/choose"
	SignInPath   = "/signin"
	ConsentPath  = "/consent"
	ContinuePath = "/authorize/continue"
)

const (
	param        = "interaction"
	cookiePrefix = "interaction-"
	lifetime     = 10 * time.Minute
	perAddress   = 200 // open at one time: a classroom behind one address fits, a flood does not
	perBrowser   = 12  // open in one browser
)

// Options is what interactions are kept with.
type Options struct {
	Store   storage.Interactions
	Cookies cookie.Jar
	Base    string // path of the issuer, "" or "/like/this"
	Now     func() time.Time
}

// Interactions begins and reopens them.
type Interactions struct{ Options }

// New returns the interactions of a provider.
func New(o Options) *Interactions { return &Interactions{o} }

// Open is an interaction that belongs to the browser that asked for it.
type Open struct {
	storage.Interaction
	Handle storage.Handle
}

// Begin stores the request and gives the browser its cookie.
func (i *Interactions) Begin(w http.ResponseWriter, r *http.Request, req storage.Request) (Open, error) {
	return i.begin(w, r, storage.Interaction{Request: req})
}

// begin stores what is new about an interaction with all that each one has.
func (i *Interactions) begin(w http.ResponseWriter, r *http.Request, n storage.Interaction) (Open, error) {
	now := i.Now()
	h := storage.NewHandle(now.Add(lifetime))
	n.ID, n.SecretHash, n.Address = h.ID, h.Hash(), trail.Network(trail.Of(r.Context()).Address)
	n.Created, n.Expires = now, now.Add(lifetime)
	open := Open{Handle: h, Interaction: n}
	if err := i.Store.BeginInteraction(r.Context(), open.Interaction, perAddress); err != nil {
		return Open{}, err
	}
	i.forgetOld(w, r)
	i.Cookies.Set(w, cookiePrefix+h.ID.String(), h.String())
	return open, nil
}

// Of reopens the interaction that r names, if r's browser holds its secret. The error is for the person in front of it.
func (i *Interactions) Of(r *http.Request) (Open, error) {
	id, err := storage.ParseID(r.URL.Query().Get(param))
	if err != nil || id.IsZero() {
		return Open{}, errUnknown
	}
	h, err := storage.ParseHandle(i.Cookies.Get(r, cookiePrefix+id.String()))
	if err != nil || h.ID != id {
		return Open{}, errUnknown
	}
	stored, err := i.Store.Interaction(r.Context(), h, i.Now())
	trail.Of(r.Context()).Locales(stored.Request.UILocales)
	return Open{Interaction: stored, Handle: h}, Explain(err)
}

// Close takes the cookie of a finished interaction back.
func (i *Interactions) Close(w http.ResponseWriter, o Open) {
	i.Cookies.Clear(w, cookiePrefix+o.ID.String())
}

// URL is where the browser goes on with o.
func (i *Interactions) URL(path string, o Open) string {
	return i.Base + path + "?" + param + "=" + url.QueryEscape(o.ID.String())
}

// forgetOld takes back the cookies of interactions that have expired, and the oldest of those that a person left open in more
// tabs than anybody reads: cookies travel with each request.
func (i *Interactions) forgetOld(w http.ResponseWriter, r *http.Request) {
	names := i.Cookies.Named(r, cookiePrefix)
	slices.SortFunc(names, func(a, b string) int { return expiry(a).Compare(expiry(b)) })
	for n, name := range names {
		if len(names)-n >= perBrowser || !i.Now().Before(expiry(name)) {
			i.Cookies.Clear(w, name)
		}
	}
}

// expiry is when the interaction of a cookie's name expires; the distant past for a name that is not one of ours.
func expiry(name string) time.Time {
	id, err := storage.ParseID(strings.TrimPrefix(name, cookiePrefix))
	if err != nil {
		return time.Time{}
	}
	return id.Time()
}

// What a person is told when an interaction cannot go on.
var (
	errUnknown = gone("This page does not belong to a sign-in that this browser began.")
	errSpent   = gone("This sign-in is finished already.")
	errExpired = gone("This sign-in took too long and has expired.")
)

func gone(what web.Text) error {
	return &problem.Problem{Title: "This page is no longer valid", What: what, Who: problem.You, How: "Go back to the app and sign in from there."}
}

// Explain turns a refusal of the store into words for the person.
func Explain(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errUnknown
	case errors.Is(err, storage.ErrSpent):
		return errSpent
	case errors.Is(err, storage.ErrExpired):
		return errExpired
	}
	return err
}
