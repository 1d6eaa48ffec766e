package storage

import (
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// User is a person with an account.
type User struct {
	Sub      string `json:"sub"`      // random, never reused, says nothing about the person
	Revision uint64 `json:"revision"` // counts changes; 0 is a user not stored yet
	Name     string `json:"username"` // signs in with it; unique in the form of [LoginKey]
	Origin   string `json:"origin"`

	Email         string   `json:"email,omitempty"` // signs in with it as well; unique like Name
	EmailVerified bool     `json:"email_verified"`
	Profile       Profile  `json:"profile"`
	Groups        []string `json:"groups,omitempty"`
	Roles         []string `json:"roles,omitempty"`

	PasswordHash string `json:"-" cbor:"password_hash,omitempty"` // PHC string of argon2id; empty: no password sign-in
	Disabled     bool   `json:"disabled"`

	// Epoch counts how often everything of this user was ended at once (password change, disabling, sign-out everywhere).
	// Sessions, codes and families carry the epoch they began in and are dead in any other: one write ends them all, with no
	// clock to compare and no list to walk.
	Epoch uint64 `json:"epoch"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // of the profile: the claim updated_at
}

// Profile holds the claims of OpenID Connect Core 5.1 that the scopes profile, phone and address stand for.
type Profile struct {
	Name                string   `json:"name,omitempty"`
	GivenName           string   `json:"given_name,omitempty"`
	FamilyName          string   `json:"family_name,omitempty"`
	MiddleName          string   `json:"middle_name,omitempty"`
	Nickname            string   `json:"nickname,omitempty"`
	Profile             string   `json:"profile,omitempty"`
	Picture             string   `json:"picture,omitempty"`
	Website             string   `json:"website,omitempty"`
	Gender              string   `json:"gender,omitempty"`
	Birthdate           string   `json:"birthdate,omitempty"`
	Zoneinfo            string   `json:"zoneinfo,omitempty"`
	Locale              string   `json:"locale,omitempty"`
	PhoneNumber         string   `json:"phone_number,omitempty"`
	PhoneNumberVerified bool     `json:"phone_number_verified,omitempty"`
	Address             *Address `json:"address,omitempty"`
}

// Address is the claim of OpenID Connect Core 5.1.1.
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Browser is one cookie jar. Its cookie is a [Handle]; the row keeps the hash.
type Browser struct {
	ID         ID        `json:"id"`
	SecretHash Hash      `json:"secret"`
	Sessions   []ID      `json:"sessions"` // one per account, the last used one last
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
}

// Session is one account signed in at one browser.
type Session struct {
	ID      ID     `json:"id"`
	Browser ID     `json:"browser"`
	User    string `json:"user"`  // sub
	Epoch   uint64 `json:"epoch"` // the user's, when it began

	AuthTime time.Time `json:"auth_time"` // when the user last proved who they are
	ACR      string    `json:"acr"`
	AMR      []string  `json:"amr"` // RFC 8176

	Created     time.Time `json:"created"`
	LastUsed    time.Time `json:"last_used"` // to within a tenth of the idle lifetime, or a day: not every use is worth a write
	IdleExpires time.Time `json:"idle_expires"`
	Expires     time.Time `json:"expires"`
	Ended       time.Time `json:"ended,omitzero"`
	EndedBy     string    `json:"ended_by,omitempty"` // why, in a few words
	Kept        bool      `json:"kept,omitempty"`     // the user chose to stay signed in at this browser

	Clients   []string     `json:"clients,omitempty"` // which clients took part
	Withdrawn []Withdrawal `json:"withdrawn,omitempty"`
	Address   string       `json:"address,omitempty"`
	UserAgent string       `json:"user_agent,omitempty"`
}

// Withdrawal says how often what a client had in a session was taken back ([Endings.Withdraw]). A code is good for what was allowed after the
// last time, by this number and not by the clocks.
type Withdrawal struct {
	Client string `json:"client"`
	Times  uint32 `json:"times"`
}

// TimesWithdrawn is how often what the client had in s was taken back.
func (s Session) TimesWithdrawn(client string) uint32 {
	for _, w := range s.Withdrawn {
		if w.Client == client {
			return w.Times
		}
	}
	return 0
}

// Live says whether s still signs u in at the instant now: nil, ErrEnded or ErrExpired.
func (s Session) Live(u User, now time.Time) error {
	switch {
	case !s.Ended.IsZero(), u.Disabled, u.Sub != s.User, u.Epoch != s.Epoch:
		return ErrEnded
	case !now.Before(s.Expires), !now.Before(s.IdleExpires):
		return ErrExpired
	}
	return nil
}

// Consent is what a user allowed a client, remembered.
type Consent struct {
	User      string    `json:"user"`
	Client    string    `json:"client"`
	Scopes    []string  `json:"scopes"`
	Claims    []string  `json:"claims,omitempty"`
	Resources []string  `json:"resources,omitempty"` // as in [Request.Access]
	Since     time.Time `json:"since"`
	Updated   time.Time `json:"updated"`
}

// LoginKey is the form in which sign-in names and addresses are compared: without surrounding space, case folded. Two users
// whose names differ in case alone would be a trap for people.
func LoginKey(login string) string {
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(login)))
}
