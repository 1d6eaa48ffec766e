package interaction

import (
	"net/url"

	"signet/provider/session"
	"signet/storage"
)

// accountParam carries, in the address that the consent form is posted to, in whose name the page asked.
const accountParam = "account"

// Account stands for a session in that address. An answer given as one user must not count for another who signed in meanwhile
// in a second tab.
func Account(s storage.ID) string { return session.SID(s, "") }

// AgreedAs returns the account in whose name an answer was given.
func AgreedAs(query url.Values) string { return query.Get(accountParam) }

// AnswerURL is where the consent page of the session is posted to.
func (i *Interactions) AnswerURL(o Open, s storage.ID) string {
	return i.URL(ContinuePath, o) + "&" + accountParam + "=" + url.QueryEscape(Account(s))
}
