package gate

import (
	"net/netip"
	"time"

	"signet/configs"
)

// How JWTs are checked.
const (
	CheckJWT           = "jwt"           // alone, by the issuer's keys
	CheckIntrospection = "introspection" // by asking for each
)

// Config is the file of a gate.
type Config struct {
	Issuer        string         // of the access tokens
	AllowInsecure bool           // allow_insecure_issuer: http beyond this machine
	OutgoingCA    string         // file of certificates, in PEM, that vouch for the issuer beside the system's; "": none
	Listen        string         // HOST:PORT
	TrustedProxy  []netip.Prefix // who may tell of original requests
	Resource      string         // the API's URL: the aud of its access tokens
	Origin        string         // scheme and host by which the API is reached; default: the resource's
	Check         string         // CheckJWT or CheckIntrospection
	TokenTypes    []string       // typ of JWTs that are taken; default: at+jwt
	StatusList    bool           // revoked JWTs are refused within a minute; default: on
	Introspection *Caller        // who asks about tokens; nil: nobody, and then there are no opaque ones
	SignIn        *SignIn        // nil: no browser is signed in
	Headers       []Header       // what is told of who asks
	Routes        []Route        // the first that fits counts
	Log           configs.Log
}

// Caller is a client of the issuer.
type Caller struct {
	ClientID         string
	ClientSecretFile string
}

// SignIn is how browsers are signed in.
type SignIn struct {
	Caller
	CookieKeyFile string        // what the cookies' key is derived from; "": the client's secret
	Scopes        []string      // asked for beside openid and those of the routes; default: email
	Session       time.Duration // how long a session lives at the most
	AfterSignOut  string        // path to go to
}

// Header is one that is handed out.
type Header struct {
	Name  string
	Claim string // of the access token, or where that does not have it of the ID token, but for those that say what may be done
}

// Route is what one part of the API asks for.
type Route struct {
	Path          string   // exact, with {segments}, or everything below: /orders/*
	Methods       []string // none: all
	Public        bool     // nothing is asked for
	Scopes        []string // all of them
	Permissions   []string // all of them
	AnyPermission []string // one of them at least
	SignIn        bool     // browsers without a session are sent to sign in

	pattern pattern
}

// Default is what is not written.
func Default() Config {
	return Config{
		Listen:     "localhost:9090",
		Check:      CheckJWT,
		TokenTypes: []string{"at+jwt"},
		StatusList: true,
		Headers: []Header{
			{"X-Auth-Subject", "sub"},
			{"X-Auth-Client", "client_id"},
			{"X-Auth-Scope", "scope"},
			{"X-Auth-Permissions", "permissions"},
			{"X-Auth-Groups", "groups"},
			{"X-Auth-Roles", "roles"},
			{"X-Auth-Email", "email"},
		},
		Log: configs.Log{Level: "info", Format: "json"},
	}
}

// The bounds of a session's life.
const (
	defaultSession = 8 * time.Hour
	// maxSession is how long the issuer keeps telling of a sign-in that it is over: Signet marks it in the status list for a day.
	maxSession = 24 * time.Hour
)
