package interaction

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"signet/storage"
)

// Where a person's own pages are, and where they connect devices, with the code filled in or without. They are no client: an interaction
// without a request leads back to them.
const (
	OwnPath    = "/account"
	DevicePath = "/device"
)

// devicePage is that page with a user code: RFC 8628 section 3.3.1.
var devicePage = regexp.MustCompile(`^` + DevicePath + `(\?user_code=[A-Z]{4}-[A-Z]{4})?$`)

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

// Device reports whether o is of the page where people connect devices.
func (o Open) Device() bool { return devicePage.MatchString(o.Return) }

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

// Switch goes over to another account of those that are signed in here, by [Account], and reports whether there is such a one. If not, none
// is chosen any more.
func (i *Interactions) Switch(w http.ResponseWriter, here []storage.SessionUser, to string) bool {
	for _, s := range here {
		if Account(s.Session.ID) == to {
			i.Choose(w, to)
			return true
		}
	}
	i.Choose(w, "")
	return false
}

// AsParam carries, in the address of a form of these pages, for which account its page was made.
const AsParam = accountParam

// Visitor is in whose name one of the pages is shown or its form was sent, among those who are signed in here, the last used one last. A form is
// of the account in its address and no other, whatever a second tab has chosen meanwhile; a page is of the chosen one, otherwise of the last
// used one. ok is false where there is none.
func (i *Interactions) Visitor(r *http.Request, here []storage.SessionUser) (s storage.SessionUser, ok bool) {
	key, form := i.Chosen(r), r.Method == http.MethodPost
	if form {
		key = AgreedAs(r.URL.Query())
	}
	for _, s := range here {
		if Account(s.Session.ID) == key {
			return s, true
		}
	}
	if form || len(here) == 0 {
		return storage.SessionUser{}, false
	}
	return here[len(here)-1], true
}

// Zone is where a user reads clocks, as far as that is known.
func Zone(u storage.User) *time.Location {
	if u.Profile.Zoneinfo != "" && u.Profile.Zoneinfo != "Local" { // which would be the server's
		if l, err := time.LoadLocation(u.Profile.Zoneinfo); err == nil {
			return l
		}
	}
	return time.UTC
}

// own reports whether p is the plain path of one of the pages: nothing that a browser could read as another host, scheme or path.
func own(p string) bool {
	if devicePage.MatchString(p) {
		return true
	}
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
