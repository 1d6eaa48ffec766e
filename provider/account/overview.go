package account

import (
	"net/http"
	"strings"

	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/storage"
	"signet/web"
)

// Overview is the first of the pages.
func (e *Endpoint) Overview() Handler {
	return e.get(Path, func(v visit) error {
		ctx := v.r.Context()
		sessions, err := e.sessions(v)
		if err != nil {
			return err
		}
		apps, err := e.access(v, sessions)
		if err != nil {
			return err
		}
		history, err := e.Store.History(ctx, v.user.Sub)
		if err != nil {
			return err
		}
		page := web.AccountOverview{Own: e.frame(v), Profile: profile(v.user), Sessions: len(sessions), Apps: len(apps)}
		for _, n := range history.Notes {
			if len(n.Unusual) > 0 {
				page.Unusual++
			}
		}
		for _, s := range v.here {
			if s.Session.ID != v.own.ID {
				page.Others = append(page.Others, web.AccountChoice{Key: interaction.Account(s.Session.ID), Name: interaction.Name(s.User)})
			}
		}
		return e.write(v, http.StatusOK, page)
	})
}

// Switch goes on as another account: one that is signed in here, or one that is about to be.
func (e *Endpoint) Switch(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	to := form.Get("to")
	if e.Interactions.Switch(w, sessions, to) || to != "" { // otherwise signed out meanwhile
		oauth.SeeOther(w, e.Base+Path)
		return nil
	}
	return e.signIn(visit{w: w, r: r, page: Path}, "")
}

// profile is what is known of a user, in the order in which people look for it.
func profile(u storage.User) []web.Detail {
	var all []web.Detail
	add := func(label web.Text, value string, note web.Text) {
		if value != "" {
			all = append(all, web.Detail{Label: label, Value: value, Note: note})
		}
	}
	verified := func(yes bool) web.Text {
		if yes {
			return "confirmed"
		}
		return "not confirmed"
	}
	p := u.Profile
	add("Name", p.Name, "")
	add("User name", u.Name, "")
	add("Nickname", p.Nickname, "")
	add("Email", u.Email, verified(u.EmailVerified))
	add("Phone", p.PhoneNumber, verified(p.PhoneNumberVerified))
	add("Postal address", postal(p.Address), "")
	add("Date of birth", p.Birthdate, "")
	add("Language", p.Locale, "")
	add("Time zone", p.Zoneinfo, "")
	add("Groups", strings.Join(u.Groups, ", "), "")
	add("Roles", strings.Join(u.Roles, ", "), "")
	return all
}

// postal is an address as it is written on a letter: as a whole where it is known so (OpenID Connect Core 5.1.1), otherwise its parts.
func postal(a *storage.Address) string {
	switch {
	case a == nil:
		return ""
	case a.Formatted != "":
		return a.Formatted
	}
	var lines []string
	for _, line := range []string{a.StreetAddress, strings.TrimSpace(a.PostalCode + " " + a.Locality), a.Region, a.Country} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
