package account

import (
	"net/http"

	"signet/provider/interaction"
	"signet/storage"
	"signet/web"
)

// unusual says what was unusual about a sign-in; "": nothing that has words.
func unusual(what string) web.Text {
	switch what {
	case storage.UnusualDevice:
		return "It came from a browser at which you had not been signed in before."
	case storage.UnusualNetwork:
		return "It came from a network that you had not signed in from lately."
	case storage.UnusualFailures:
		return "Several failed attempts came right before it."
	}
	return ""
}

// History shows the last sign-ins, and attempts at them.
func (e *Endpoint) History() Handler {
	return e.get(HistoryPath, func(v visit) error {
		history, err := e.Store.History(v.r.Context(), v.user.Sub)
		if err != nil {
			return err
		}
		page := web.AccountHistory{Own: e.frame(v)}
		find, zone := e.clients(v.r.Context()), interaction.Zone(v.user)
		for i := len(history.Notes) - 1; i >= 0; i-- {
			n := history.Notes[i]
			row := web.HistoryRow{Time: n.Time.In(zone), Failed: n.Failed, UserAgent: n.UserAgent, Address: n.Address, Methods: methods(n.AMR)}
			if n.Client != "" {
				c, err := find(n.Client)
				if err != nil {
					return err
				}
				row.App = app(n.Client, c)
			}
			for _, u := range n.Unusual {
				if text := unusual(u); text != "" {
					row.Unusual = append(row.Unusual, text)
				}
			}
			page.Rows = append(page.Rows, row)
		}
		return e.write(v, http.StatusOK, page)
	})
}
