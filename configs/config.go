// Package configs says what can be configured, and reads it.
//
// A setting has one name in three spellings: trusted_proxy in the file, SIGNET_TRUSTED_PROXY in the environment and, where
// serve offers it as a flag, --trusted-proxy. A flag wins over the environment, the environment over the file, the file over
// the default. The table in settings.go is the only list of settings: all three ways lead through it, so they accept the same
// values and refuse them in the same words.
//
// Load is strict. What it does not know it refuses, since a mistyped setting that is silently ignored is a security fault that
// nobody sees. It reports all faults at once, each with its place and its fix.
//
// Scopes, claims, resources, clients and users can be declared in the file. Their fields belong to the packages of these names; here they are names
// and values with their lines, so that whoever applies the rules can say where a fault stands.
package configs

import (
	"net/netip"
	"slices"
	"time"
)

// Config is everything that can be configured. signet.yaml, beside this file, explains each setting.
type Config struct {
	Issuer              string // byte for byte as given
	Listen              string // host:port
	Data                string // folder
	Storage             string // StorageBolt, or the URL of a PostgreSQL database
	StorageFile         string // that holds such a URL; then Storage says nothing
	MasterKeyFile       string // "": master.key in Data
	Registration        string // RegistrationOff, RegistrationToken or RegistrationOpen
	StatementIssuers    []StatementIssuer
	RegistrationPKCE    string   // PKCEOptional or PKCERequired: of confidential clients that register themselves
	Documents           bool     // a client id may be the URL of a document that says what the client is
	DocumentHosts       []string // where such documents may be; none: anywhere
	UnsignedRequests    bool     // request objects with alg none are let in
	EncryptedRequests   []string // JWE algorithms by which request objects may be encrypted to us
	TLSCert, TLSKey     string   // PEM files; both or none
	TrustedProxy        []netip.Prefix
	OutgoingAllow       []netip.Prefix // addresses that are not public and that we may fetch from
	OutgoingCA          string         // PEM file; "": the system's certificates alone
	AllowInsecureIssuer bool
	RateLimit           bool

	RateLimits   RateLimits
	Lifetimes    Lifetimes
	Keys         Keys
	AccessTokens AccessTokens
	Audit        Audit
	Log          Log

	MetricsListen string // host:port; "": nowhere
	Tracing       Tracing

	Mail Mail

	Scopes []Declared // Name is the scope
	Claims []Declared // Name is the claim
	// TrustedIssuers are those whose assertions are taken. Name is the issuer; of an entry, the subject.
	TrustedIssuers []Declared
	Resources      []Declared // Name is the resource's URL
	Clients        []Declared // Name is the client's id
	Users          []Declared // Name is the username

	places map[string]Place
	values map[string][]string // as they were read
}

// Place is where a setting was read, by its name; the zero Place if it has its default.
func (c Config) Place(name string) Place { return c.places[name] }

// Values of Storage, Registration and RegistrationPKCE.
const (
	StorageBolt = "bolt" // a file in the data folder

	RegistrationOff   = "off"
	RegistrationToken = "token" // with an initial access token that the operator makes
	RegistrationOpen  = "open"

	PKCEOptional = "optional"
	PKCERequired = "required"
)

// Postgres says whether everything is kept in a PostgreSQL database.
func (c Config) Postgres() bool { return c.StorageFile != "" || c.Storage != StorageBolt }

// StatementIssuer is somebody whose software statements are taken.
type StatementIssuer struct {
	Issuer string // the claim iss, byte for byte
	File   string // a JWK set
}

// RateLimits says how much others may ask for.
type RateLimits struct {
	Address              Rate // requests of an address that no client vouches for
	Client               Rate // requests of a client that authenticated itself
	FailedAuthentication Rate // as one client from one address
	Registration         Rate // registrations and their updates from an address
}

// Rate is so many in a time, and so many at once.
type Rate struct {
	Many  int
	Per   time.Duration
	Burst int
}

// Lifetimes says how long what was issued is good.
type Lifetimes struct {
	AccessToken        time.Duration
	IDToken            time.Duration
	Code               time.Duration
	RefreshIdle        time.Duration // a family unused for so long ends
	RefreshAbsolute    time.Duration // a family ends however much it is used
	RefreshReuseWindow time.Duration // how long the previous refresh token gives the same successor
	SessionIdle        time.Duration
	SessionAbsolute    time.Duration
	SessionKept        time.Duration // of whoever chose to stay signed in, used or not; SessionAbsolute at the least
}

// Keys configures the ring.
type Keys struct {
	Algorithms  []string // JWS; all that are on
	RotateEvery time.Duration
	Announce    time.Duration // how long a key is published before it signs
}

// OfRing are the algorithms that the ring has keys for, each a key of its own.
func (k Keys) OfRing() []string {
	return slices.DeleteFunc(slices.Clone(k.Algorithms), func(alg string) bool { return alg == hs256 })
}

// HS256 reports whether it is on: ID tokens and userinfo can be signed with the client's secret.
func (k Keys) HS256() bool { return slices.Contains(k.Algorithms, hs256) }

// AccessTokens configures the access tokens of the default resource, whose audience is the issuer.
type AccessTokens struct {
	Algorithm string
	Typ       string   // at+jwt or JWT
	Claims    []string // groups, roles
	// StatusList says whether they say where it is found whether they were revoked.
	StatusList bool
}

// Audit configures the audit log.
type Audit struct {
	Retention time.Duration
}

// Tracing configures where traces go.
type Tracing struct {
	Endpoint string  // URL of an OTLP receiver; "": nothing is traced
	Sample   float64 // the share of requests that are traced, from 0 to 1
}

// Mail configures how e-mail leaves.
type Mail struct {
	Host               string // of the mail server; "": there is none
	Port               int    // 0: the usual one, see Mail.At
	TLS                string // MailSTARTTLS, MailTLS or MailClear
	From               string // mailbox, as RFC 5322 section 3.4 has it
	User, PasswordFile string // both or none
}

// Values of Mail.TLS.
const (
	MailSTARTTLS = "starttls"
	MailTLS      = "tls"  // from the first byte
	MailClear    = "none" // to this machine alone
)

// At is the port of the mail server: RFC 6409 section 3.1, RFC 8314 section 3.3, RFC 5321 section 4.5.4.2.
func (m Mail) At() int {
	if m.Port == 0 {
		return map[string]int{MailSTARTTLS: 587, MailTLS: 465, MailClear: 25}[m.TLS]
	}
	return m.Port
}

// Log configures what the server writes to standard error.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // json, text
}

// Declared is a scope, a claim, a resource, a client or a user as the file declares it: names and values, to which others apply the rules.
type Declared struct {
	Name   string
	Place  Place
	Fields []Field // without the one that is Name; in the order of the file
	// Entries are those of its list of subjects, where it can have one.
	Entries []Declared
}

// Field is one line of a declaration.
type Field struct {
	Name   string
	Values []string // one, unless the file has a list
	Place  Place
	Places []Place // of each value
}

// Default returns the configuration of an empty file.
func Default() Config {
	const day = 24 * time.Hour
	return Config{
		Issuer:       "http://localhost:8080",
		Listen:       "localhost:8080",
		Data:         "signet-data",
		Storage:      StorageBolt,
		Registration: RegistrationOff, RegistrationPKCE: PKCEOptional,
		RateLimit: true,
		RateLimits: RateLimits{
			Address:              Rate{50, time.Second, 500},
			Client:               Rate{5000, time.Second, 10000},
			FailedAuthentication: Rate{1, time.Second, 20},
			Registration:         Rate{2, time.Second, 60},
		},
		Lifetimes: Lifetimes{
			AccessToken:        10 * time.Minute,
			IDToken:            10 * time.Minute,
			Code:               time.Minute,
			RefreshIdle:        30 * day,
			RefreshAbsolute:    90 * day,
			RefreshReuseWindow: 10 * time.Second,
			SessionIdle:        day,
			SessionAbsolute:    14 * day,
			SessionKept:        30 * day,
		},
		Keys: Keys{
			Algorithms:  []string{"RS256", "ES256", "EdDSA", "PS256"},
			RotateEvery: 30 * day,
			Announce:    day,
		},
		AccessTokens: AccessTokens{Algorithm: "ES256", Typ: "at+jwt", StatusList: true},
		Audit:        Audit{Retention: 90 * day},
		Log:          Log{Level: "info", Format: "json"},
		Tracing:      Tracing{Sample: 1},
		Mail:         Mail{TLS: MailSTARTTLS},
	}
}
