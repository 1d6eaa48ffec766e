package resources

import (
	"errors"
	"slices"
	"strings"
	"time"

	"signet/fields"
	"signet/storage"
)

// Fields is what of a resource can be set by name, for the commands, the configuration file and the documentation.
var Fields = fields.Table[storage.Resource]{
	fields.String("name", "what people see where they are asked for access to it", func(r *storage.Resource) *string { return &r.Name }),
	scopes,
	fields.Bool("open", "true: every client may ask users for access to it; otherwise only those whose access names it", func(r *storage.Resource) *bool { return &r.Open }),
	permissions,
	fields.String("format", "jwt: the API verifies access tokens alone; opaque: it asks us about each", func(r *storage.Resource) *string { return &r.Format }),
	fields.String("access_token_alg", "what its access tokens are signed with: ES256, RS256, EdDSA, PS256 …", func(r *storage.Resource) *string { return &r.Alg }),
	fields.String("access_token_typ", "at+jwt (RFC 9068), or JWT for decoders that refuse that", func(r *storage.Resource) *string { return &r.Typ }),
	fields.Duration("access_token_lifetime", "how long an access token is good, like 10m", func(r *storage.Resource) *time.Duration { return &r.Lifetime }),
	fields.Words("claims", "groups, roles, permissions: what of the user its access tokens carry", func(r *storage.Resource) *[]string { return &r.Claims }),
}

// scopes are written as "name", or "name=text".
var scopes = fields.Field[storage.Resource]{
	Name: "scopes", Many: true,
	Help: "a scope of its own, NAME or NAME=TEXT; people read the text where they are asked for it",
	Set: func(r *storage.Resource, values []string) error {
		r.Scopes = nil
		for _, v := range given(values) {
			name, text, _ := strings.Cut(v, "=")
			r.Scopes = append(r.Scopes, storage.Scope{Name: strings.TrimSpace(name), Text: strings.TrimSpace(text)})
		}
		return nil
	},
	Get: func(r *storage.Resource) (values []string) {
		for _, s := range r.Scopes {
			values = append(values, scopeValue(s))
		}
		return values
	},
}

func scopeValue(s storage.Scope) string {
	if s.Text == "" {
		return s.Name
	}
	return s.Name + "=" + s.Text
}

// permissions are written as "name=role:admin,group:staff".
var permissions = fields.Field[storage.Resource]{
	Name: "permissions", Many: true,
	Help: "what users may do there by their roles and groups, NAME=role:ROLE,group:GROUP",
	Set: func(r *storage.Resource, values []string) error {
		var all []storage.Permission
		var faults []error
		for _, v := range given(values) {
			p, ok := parsePermission(v)
			if !ok {
				faults = append(faults, &fields.Error{Field: "permissions", Value: v,
					Problem: fields.Quote(v) + " does not say who has it; write it like orders:write=role:admin,group:staff"})
			}
			all = append(all, p)
		}
		if faults != nil {
			return errors.Join(faults...)
		}
		r.Permissions = all
		return nil
	},
	Get: func(r *storage.Resource) (values []string) {
		for _, p := range r.Permissions {
			values = append(values, permissionValue(p))
		}
		return values
	},
}

// The names of groups come from directories and may have commas, so what parts two holders is a comma with one of these words behind it.
const roleWord, groupWord = "role:", "group:"

func parsePermission(v string) (p storage.Permission, ok bool) {
	name, holders, ok := strings.Cut(v, "=")
	p.Name = strings.TrimSpace(name)
	var holder string
	for rest := strings.TrimSpace(holders); ok && rest != ""; {
		holder, rest = nextHolder(rest)
		switch kind, who, named := strings.Cut(holder, ":"); {
		case !named:
			return p, false
		case kind+":" == roleWord:
			p.Roles = append(p.Roles, who)
		case kind+":" == groupWord:
			p.Groups = append(p.Groups, who)
		default:
			return p, false
		}
	}
	return p, len(p.Roles)+len(p.Groups) > 0
}

func nextHolder(s string) (holder, rest string) {
	for i := range len(s) {
		if s[i] != ',' {
			continue
		}
		rest := strings.TrimLeft(s[i+1:], " ")
		if strings.HasPrefix(rest, roleWord) || strings.HasPrefix(rest, groupWord) {
			return strings.TrimRight(s[:i], " "), rest
		}
	}
	return s, ""
}

func permissionValue(p storage.Permission) string {
	var holders []string
	for _, r := range p.Roles {
		holders = append(holders, roleWord+r)
	}
	for _, g := range p.Groups {
		holders = append(holders, groupWord+g)
	}
	return p.Name + "=" + strings.Join(holders, ",")
}

// given are the values of a list; one empty value is none.
func given(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

// Set sets the named field of r; see [Fields].
func Set(r *storage.Resource, field string, values []string) error {
	return Fields.Set(r, field, values)
}

// Settle has the claim permissions follow the permissions, where whoever changed before to r said nothing of the claims: it comes with the
// first and goes with the last. Where tokens carry it, each is for that one resource alone (RFC 9068 section 5).
func Settle(before storage.Resource, r *storage.Resource) {
	switch {
	case len(before.Permissions) == 0 && len(r.Permissions) > 0 && !slices.Contains(r.Claims, ClaimPermissions):
		r.Claims = append(slices.Clone(r.Claims), ClaimPermissions)
	case len(before.Permissions) > 0 && len(r.Permissions) == 0:
		r.Claims = slices.DeleteFunc(slices.Clone(r.Claims), func(c string) bool { return c == ClaimPermissions })
	}
}
