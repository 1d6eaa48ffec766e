package assertion

import (
	"slices"
	"strings"
	"time"

	"signet/clients"
	"signet/fields"
)

// Declaration is what the operator says of an issuer.
type Declaration struct {
	Issuer      string   // the claim iss, byte for byte
	JWKSURI     string   // where it publishes its keys,
	JWKSFile    string   // or a file with them, a JWK set
	CAFile      string   // certificates for its jwks_uri besides the usual ones; "": none
	Audience    []string // what an assertion's one aud may be; none: our issuer, and our token endpoint
	Algorithms  []string // that it signs with
	MaxLifetime time.Duration
	SingleUse   bool
	Subjects    []Rule
}

// Rule says who a subject is here.
type Rule struct {
	Subject string // the claim sub; a * at its end stands for the rest, see fits
	Client  string // id of the client that it is,
	User    string // or the claim that names the user: UserSub, UserEmail, UserName
}

// The claims that a user can be named by.
const (
	UserSub   = "sub"                // which is the same here
	UserEmail = "email"              // where the issuer verified it, and we did
	UserName  = "preferred_username" // which is the name that the user signs in with here
)

// defaultAlgs are what most issuers sign with.
var defaultAlgs = []string{"RS256", "ES256", "PS256", "EdDSA"}

const (
	defaultLifetime = 24 * time.Hour
	maxLifetime     = 366 * 24 * time.Hour // what a cluster may write into the tokens of its workloads
	maxSubject      = 500                  // bytes
)

// NewDeclaration is an issuer of which nothing more is said.
func NewDeclaration(issuer string) Declaration {
	return Declaration{Issuer: issuer, Algorithms: slices.Clone(defaultAlgs), MaxLifetime: defaultLifetime}
}

// Fields is what of an issuer can be declared, beside its name and the list of its subjects.
var Fields = fields.Table[Declaration]{
	fields.String("jwks_uri", "where it publishes its keys", func(d *Declaration) *string { return &d.JWKSURI }),
	fields.String("jwks_file", "a file with its public keys, a JWK set", func(d *Declaration) *string { return &d.JWKSFile }),
	fields.String("ca_file", "certificates to trust at its jwks_uri, PEM", func(d *Declaration) *string { return &d.CAFile }),
	fields.Words("audience", "what aud of an assertion may be; our issuer and token endpoint if left out", func(d *Declaration) *[]string { return &d.Audience }),
	fields.Words("algorithms", "that it signs with", func(d *Declaration) *[]string { return &d.Algorithms }),
	fields.Duration("max_lifetime", "the longest time from iat to exp", func(d *Declaration) *time.Duration { return &d.MaxLifetime }),
	fields.Bool("single_use", "each assertion needs a jti and is good once", func(d *Declaration) *bool { return &d.SingleUse }),
}

// RuleFields is what of a rule can be declared, beside its subject.
var RuleFields = fields.Table[Rule]{
	fields.String("client", "id of the client that the subject is", func(r *Rule) *string { return &r.Client }),
	fields.String("user", "the claim that names the user whom the subject is: sub, email or preferred_username", func(r *Rule) *string { return &r.User }),
}

// Faults returns all faults of d but those of its subjects, joined, each a [*fields.Error]; nil if there is none. own is our issuer.
func (d Declaration) Faults(own string) error {
	var f fields.Faults
	switch {
	case d.Issuer == own:
		f.Add("issuer", "is this server itself, whose tokens are exchanged and not asserted; leave it out")
	case strings.TrimSpace(d.Issuer) != d.Issuer:
		f.Add("issuer", "begins or ends with a space, and iss is compared byte for byte")
	}
	switch {
	case d.JWKSURI == "" && d.JWKSFile == "":
		f.Add("jwks_uri", "or jwks_file is missing; say where the issuer's public keys are")
	case d.JWKSURI != "" && d.JWKSFile != "":
		f.Add("jwks_file", "stands beside jwks_uri; keep one of the two")
	}
	if d.JWKSURI != "" {
		_, problem := fields.WebURL(d.JWKSURI)
		f.Check("jwks_uri", problem)
	}
	if d.CAFile != "" && d.JWKSURI == "" {
		f.Add("ca_file", "says nothing without jwks_uri; leave it out")
	}
	for _, a := range d.Audience {
		if a == "" {
			f.Add("audience", "has an empty one; leave it out")
		}
	}
	if len(d.Algorithms) == 0 {
		f.Add("algorithms", "is empty; name those that the issuer signs with")
	}
	for _, alg := range d.Algorithms { // a shared secret would be one more to keep; none is nobody's word
		f.OneOf("algorithms", alg, clients.KeyAlgs...)
	}
	switch {
	case d.MaxLifetime < time.Minute:
		f.Add("max_lifetime", "is too short; write 1m or more")
	case d.MaxLifetime > maxLifetime:
		f.Add("max_lifetime", "is too long; write %s or less", fields.FormatDuration(maxLifetime))
	}
	if len(d.Subjects) == 0 {
		f.Add("subjects", "is missing; say who the issuer's subjects are here, as in \"- subject: system:serviceaccount:prod:orders\" with client or user below")
	}
	return f.Err()
}

// Faults is to a rule what [Declaration.Faults] is to an issuer.
func (r Rule) Faults() error {
	var f fields.Faults
	switch {
	case len(r.Subject) > maxSubject:
		f.Add("subject", "is longer than %d bytes", maxSubject)
	case strings.Contains(strings.TrimSuffix(r.Subject, "*"), "*"):
		f.Add("subject", "has a * that is not its last character; write the whole subject, or what it begins with and a *")
	case r.Subject == "*" && r.Client != "":
		f.Add("subject", "is everybody whom the issuer knows, and all of them would be this client; write more of it")
	}
	switch {
	case r.Client == "" && r.User == "":
		f.Add("client", "or user is missing; say who the subject is here")
	case r.Client != "" && r.User != "":
		f.Add("user", "stands beside client; keep one of the two")
	case r.User != "":
		f.OneOf("user", r.User, UserSub, UserEmail, UserName)
	}
	return f.Err()
}

// fits reports whether a rule is about a subject. A * at the end stands for one character or more, but for no : and no /, which divide the
// names of clusters and forges: system:serviceaccount:prod* is not about the namespace prod-test, nor is repo:acme/app* about acme/app2's jobs.
func (r Rule) fits(sub string) bool {
	beginning, open := strings.CutSuffix(r.Subject, "*")
	if !open {
		return sub == r.Subject
	}
	rest, ok := strings.CutPrefix(sub, beginning)
	return ok && rest != "" && !strings.ContainsAny(rest, ":/")
}
