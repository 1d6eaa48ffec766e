package web

import (
	"cmp"
	"time"
)

// Page is one of the pages below.
type Page interface {
	template() string
	policy() policy
}

// allPages has one of each, so that New parses all templates and the tests forget none.
var allPages = []Page{SignIn{}, Choose{}, Consent{}, FormPost{}, SignOut{}, SigningOut{}, SignedOut{}, Error{}, Home{}, CheckSession{},
	AccountOverview{}, AccountPassword{}, AccountSessions{}, AccountApps{}, AccountHistory{}, AccountEnded{},
	DeviceCode{}, DeviceConsent{}, DeviceDone{}}

// App is a client as people see it. Its fields come from whoever registered the client.
type App struct {
	Name   string // client_name
	Host   string // where the answer goes: the redirect URI's host, or its scheme for a private-use one
	Local  bool   // the answer goes to an app on the user's own device, and nobody can say to which
	Owner  string // the host that says all of this: the app's metadata document is there; "": it is registered
	Itself bool   // it registered itself, and nobody has looked at what it says
	URI    string // client_uri
	Logo   string // where we serve its logo; "": there is none to show
	Policy string // policy_uri
	Terms  string // tos_uri
}

// Display is what the app is called on a page: who vouches for the rest, its name, or where it lives; "" if nothing of it is known.
func (a App) Display() string { return cmp.Or(a.Owner, a.Name, a.Host) }

// Elsewhere is the host that answers go to, if it is not the one that says so.
func (a App) Elsewhere() string {
	if a.Local || a.Host == a.Owner {
		return ""
	}
	return a.Host
}

// SignIn asks for user name and password: fields "username" and "password", and "remember", a checkbox, for staying signed in.
type SignIn struct {
	Action   string // where the form is posted
	Client   App
	Own      bool          // it is for no app, but for the person's own pages
	Device   bool          // it is for a device that they want to connect
	Page     string        // path of those, for who is signed in; "": nobody is
	Login    string        // prefilled user name
	Remember bool          // the box is checked
	Problem  Text          // what was wrong with the last attempt, as a sentence
	Wait     time.Duration // how long no attempt is taken; says so in place of Problem
	Reason   Text          // why someone who is signed in is asked again, as a sentence
}

func (SignIn) template() string { return "signin" }
func (SignIn) policy() policy   { return policy{leadsToClient: true} }

// Choose asks which of the accounts that are signed in at this browser is meant: buttons "session".
type Choose struct {
	Action   string
	Other    string // where one signs in as somebody else
	Client   App
	Accounts []Account
}

func (Choose) template() string { return "choose" }
func (Choose) policy() policy   { return policy{leadsToClient: true} }

// Account is one of them.
type Account struct {
	Session string // what its button sends
	Name    string // of the person; "" if it is not known
	Login   string
	Since   time.Duration // how long ago they signed in
}

// Consent asks whether the client may have what it asks for: button "decision" with "allow" or "deny".
type Consent struct {
	Action  string
	Client  App
	Account string // who is signed in
	Page    string // path of the person's own pages
	Scopes  []ScopeLine
	APIs    []API
	Offline bool // offline_access: it stays allowed while the user is away
}

func (Consent) template() string { return "consent" }
func (Consent) policy() policy   { return policy{leadsToClient: true} }

// ScopeLine is one thing that a client asks for.
type ScopeLine struct {
	Name string // the scope
	Text Text   // what it means, continuing "It will be able to"; "": nothing more is known
}

// API is a resource at which a client asks for something: RFC 8707.
type API struct {
	Name    string
	Address string      // its host, mostly
	Scopes  []ScopeLine // none: to be let in as the user, and nothing more
}

// FormPost carries an authorization response to the client: OAuth 2.0 Form Post Response Mode. A script submits it; without
// script there is a button.
type FormPost struct {
	Action    string // the redirect URI
	Client    App
	Fields    []Field
	Frameable bool // the answer to prompt=none, which clients ask for from a hidden frame
}

// Field is one parameter of a response.
type Field struct{ Name, Value string }

func (FormPost) template() string { return "formpost" }
func (f FormPost) policy() policy {
	return policy{leadsToClient: true, script: true, frameable: f.Frameable}
}

// Error says what is wrong, who can fix it and how.
type Error struct {
	Title  Text   // a few words
	What   Text   // what is wrong, as a sentence
	Detail string // the same in the words of the specifications, for developers; always English
	Who    Text   // who can fix it: "You", "The app’s developer", "This server’s operator"
	How    Text   // how, as a sentence
	Trace  string // the id under which the log has it

	Client App // where its URI is known, a way back is offered
}

func (Error) template() string { return "error" }
func (Error) policy() policy   { return policy{} }

// Home says what this server is, to whoever opens its address.
type Home struct {
	Issuer    string
	Discovery string // URL of the discovery document
	Keys      string // URL of the JWKS
	Account   string // URL of a person's own pages
}

func (Home) template() string { return "home" }
func (Home) policy() policy   { return policy{} }

// CheckSession is what an app holds in a hidden frame and asks whether the login state has changed: OpenID Connect Session Management 3.2.
type CheckSession struct {
	Cookie string // name of the cookie that its script reads
}

func (CheckSession) template() string { return "checksession" }
func (CheckSession) policy() policy   { return policy{script: true, frameable: true} }

// StandardScopes tells in words what the scopes mean. Those that OpenID Connect Core 5.4 defines, and groups, have a text; openid and
// offline_access have no line: the first is what signing in is, the second is what offline reports.
func StandardScopes(names []string) (lines []ScopeLine, offline bool) {
	for _, name := range names {
		switch name {
		case "openid":
		case "offline_access":
			offline = true
		default:
			lines = append(lines, ScopeLine{Name: name, Text: scopeTexts[name]})
		}
	}
	return lines, offline
}

// StandardClaims tells in words what single claims of OpenID Connect Core 5.1, and groups and roles, tell.
func StandardClaims(names []string) []ScopeLine {
	var lines []ScopeLine
	for _, name := range names {
		lines = append(lines, ScopeLine{Name: name, Text: claimTexts[name]})
	}
	return lines
}

var claimTexts = map[string]Text{
	"name":                  "See your full name",
	"given_name":            "See your given name",
	"family_name":           "See your family name",
	"middle_name":           "See your middle name",
	"nickname":              "See your nickname",
	"preferred_username":    "See your user name",
	"profile":               "See the address of your profile page",
	"picture":               "See your picture",
	"website":               "See the address of your website",
	"gender":                "See your gender",
	"birthdate":             "See your date of birth",
	"zoneinfo":              "See your time zone",
	"locale":                "See your language",
	"updated_at":            "See when your profile last changed",
	"email":                 "See your email address",
	"email_verified":        "See whether your email address was verified",
	"address":               "See your postal address",
	"phone_number":          "See your phone number",
	"phone_number_verified": "See whether your phone number was verified",
	"groups":                "See which groups you are in",
	"roles":                 "See which roles you have",
}

var scopeTexts = map[string]Text{
	"profile": "See your name and profile",
	"email":   "See your email address",
	"address": "See your postal address",
	"phone":   "See your phone number",
	"groups":  "See which groups you are in",
	"roles":   "See which roles you have",
}
