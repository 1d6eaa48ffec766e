package web

import (
	"html/template"
	"time"
)

// Own is what the pages of a person's own account have in common.
type Own struct {
	Base    string // path of the overview; the others are below it
	As      string // stands in the addresses of forms for the account for which the page was made
	Account string // whose they are; "": of nobody who is signed in
}

// policy is that of all these pages: their forms come back to us.
func (Own) policy() policy { return policy{ownForms: true} }

// nav is what leads from one of the pages to the others.
type nav struct {
	Own
	Here string
}

// Nav is that, on the page called here.
func (o Own) Nav(here string) nav { return nav{o, here} }

// AccountOverview says who one is here, and leads to everything else. Buttons "to": the Key of another account, or "" for one that is not
// signed in.
type AccountOverview struct {
	Own
	Profile  []Detail
	Sessions int // where one is signed in
	Apps     int // that have access
	Unusual  int // sign-ins, and attempts at them, that were
	Others   []AccountChoice
}

func (AccountOverview) template() string { return "account-overview" }

// Detail is one thing that is known of a person.
type Detail struct {
	Label Text
	Value string
	Note  Text
}

// AccountChoice is another account that is signed in at this browser.
type AccountChoice struct{ Key, Name string }

// AccountPassword changes the password: fields "current", "new" and "repeat".
type AccountPassword struct {
	Own
	Login    string // the user name, for password managers
	Declared bool   // it stands in the server's configuration; there is no form
	Changed  bool   // it was changed just now
	Problem  Text
	Wait     time.Duration // how long no attempt is taken; says so in place of Problem
}

func (AccountPassword) template() string { return "account-password" }

// AccountSessions says where one is signed in. Buttons "session": the ID of one to end, "others" or "everywhere".
type AccountSessions struct {
	Own
	Rows   []SessionRow
	Total  int
	Paging Paging
}

func (AccountSessions) template() string { return "account-sessions" }

// SessionRow is one session.
type SessionRow struct {
	ID        string
	This      bool   // it is the one in which one looks at it
	UserAgent string // of the browser; the page says what it means, and repeats none of it
	Address   string
	SignedIn  time.Time
	LastUsed  time.Time
	Methods   []Text // how one signed in
	Kept      bool   // one stays signed in there
	Apps      []App
}

// AccountApps says which apps have access. Buttons "client": the ID of the one to take it from.
type AccountApps struct {
	Own
	Rows   []AppRow
	Paging Paging
}

func (AccountApps) template() string { return "account-apps" }

// AppRow is one app and what it may do.
type AppRow struct {
	ID       string
	App      App
	Scopes   []ScopeLine
	APIs     []API
	Offline  bool // while one is away
	Trusted  bool // by the operator, who does not have people asked
	Since    time.Time
	LastUsed time.Time // when it last got tokens; zero: it holds none
}

// AccountHistory says who signed in, or tried to.
type AccountHistory struct {
	Own
	Rows []HistoryRow
}

func (AccountHistory) template() string { return "account-history" }

// HistoryRow is one sign-in, or an attempt at one.
type HistoryRow struct {
	Time      time.Time
	Failed    bool
	UserAgent string
	Address   string
	App       App    // for which it was; zero: for one's own pages
	Methods   []Text // how one signed in
	Unusual   []Text // what was, as sentences
}

// AccountEnded says that something has ended, and how far the apps that took part have been told.
type AccountEnded struct {
	Own
	Receipts []Receipt
	Waiting  bool // the page looks again
}

func (AccountEnded) template() string { return "account-ended" }

// Paging leads through a long list.
type Paging struct {
	Path       string
	Page, Last int // from 1
}

// Many reports whether there is more than one page.
func (p Paging) Many() bool { return p.Last > 1 }

// Before is the number of the page before, or 0.
func (p Paging) Before() int { return p.Page - 1 }

// After is the number of the page after, or 0.
func (p Paging) After() int {
	if p.Page >= p.Last {
		return 0
	}
	return p.Page + 1
}

// when is an instant, to the minute, in the zone that it comes in. This way to write it is read the same everywhere.
func when(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(t.Format("2006-01-02 15:04 MST")) + `</time>`)
}
