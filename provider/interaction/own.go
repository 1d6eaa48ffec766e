package interaction

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"signet/storage"
)

// OwnPath is where a person's own pages are. They are no client: an interaction without a request leads back to them.
const OwnPath = "/account"

// errElsewhere: only the code can name a path that is none of ours.
var errElsewhere = errors.New("interaction: the way back leads elsewhere")

// BeginOwn begins a sign-in that leads back to one of a person's own pages; login is who is expected, "" if anybody.
func (i *Interactions) BeginOwn(w http.ResponseWriter, r *http.Request, page, login string) (Open, error) {
	if !own(page) {
		return Open{}, errElsewhere
	}
	return i.begin(w, r, storage.Interaction{Return: page, Request: storage.Request{LoginHint: login}})
}

// OwnPage is where they are.
func (i *Interactions) OwnPage() string { return i.Base + OwnPath }

// Own reports whether o is of one of a person's own pages.
func (o Open) Own() bool { return o.Return != "" }

// OwnURL is where the sign-in of o leads. What is stored is looked at again: nobody is sent elsewhere from here.
func (i *Interactions) OwnURL(o Open) (string, error) {
	if !own(o.Return) {
		return "", errElsewhere
	}
	return i.Base + o.Return, nil
}

// chosenCookie holds which of the accounts that are signed in at a browser its own pages show. It opens nothing.
const chosenCookie = "account"

// Choose notes which account is shown from now on, by [Account]; "": the last used one.
func (i *Interactions) Choose(w http.ResponseWriter, account string) {
	if account == "" {
		i.Cookies.Clear(w, chosenCookie)
		return
	}
	i.Cookies.Set(w, chosenCookie, account)
}

// Chosen is what was noted.
func (i *Interactions) Chosen(r *http.Request) string { return i.Cookies.Get(r, chosenCookie) }

// own reports whether p is the plain path of one of the pages: nothing that a browser could read as another host, scheme or path.
func own(p string) bool {
	u, err := url.Parse(p)
	return err == nil && u.String() == u.Path && u.Path == p && path.Clean(p) == p && (p == OwnPath || strings.HasPrefix(p, OwnPath+"/"))
}

// OpensPage reports whether a person will see the answer. An image, a script or a frame of another site that asks for an address carries no
// cookie of ours, and each would begin a sign-in in the visitor's name that nobody can finish. Browsers say which it is (Fetch Metadata);
// what says nothing is taken at its word.
func OpensPage(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}
