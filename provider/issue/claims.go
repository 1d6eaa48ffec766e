package issue

import (
	"slices"

	"signet/clients"
	"signet/storage"
)

// Scopes that mean something here, in the order in which they are published; clients can be registered for no other.
var Scopes = clients.Scopes

// UserClaims are the claims of scopes: OpenID Connect Core 5.1 and 5.4. What a user has not is left out (5.3.2).
type UserClaims struct {
	Name              string `json:"name,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	MiddleName        string `json:"middle_name,omitempty"`
	Nickname          string `json:"nickname,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Profile           string `json:"profile,omitempty"`
	Picture           string `json:"picture,omitempty"`
	Website           string `json:"website,omitempty"`
	Gender            string `json:"gender,omitempty"`
	Birthdate         string `json:"birthdate,omitempty"`
	Zoneinfo          string `json:"zoneinfo,omitempty"`
	Locale            string `json:"locale,omitempty"`
	UpdatedAt         int64  `json:"updated_at,omitempty"` // seconds since the epoch

	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"` // beside an address always, false too

	Groups []string `json:"groups,omitempty"`
}

// ClaimsOf returns what the granted scopes say about a user.
func ClaimsOf(u storage.User, scopes []string) UserClaims {
	var c UserClaims
	if slices.Contains(scopes, "profile") {
		p := u.Profile
		c = UserClaims{
			Name: p.Name, GivenName: p.GivenName, FamilyName: p.FamilyName, MiddleName: p.MiddleName, Nickname: p.Nickname,
			PreferredUsername: u.Name, Profile: p.Profile, Picture: p.Picture, Website: p.Website, Gender: p.Gender,
			Birthdate: p.Birthdate, Zoneinfo: p.Zoneinfo, Locale: p.Locale, UpdatedAt: u.Updated.Unix(),
		}
	}
	if slices.Contains(scopes, "email") && u.Email != "" {
		c.Email, c.EmailVerified = u.Email, &u.EmailVerified
	}
	if slices.Contains(scopes, "groups") {
		c.Groups = u.Groups
	}
	return c
}
