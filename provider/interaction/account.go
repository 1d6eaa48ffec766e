package interaction

import (
	"net/url"

	"signet/clients"
	"signet/provider/session"
	"signet/storage"
)

// accountParam carries, in the address that the consent form is posted to, in whose name the page asked.
const accountParam = "account"

// Account stands for a session in that address. An answer given as one user must not count for another who signed in meanwhile
// in a second tab.
func Account(s storage.ID) string { return session.SID(s, "") }

// Answering stands, in the address of a consent form, for the session and for the app as the page showed it. An app that says what it is in a
// document can say something else by the time the answer comes; other apps are what the operator, or their registration, makes them.
func Answering(s storage.ID, c storage.Client) string {
	if !clients.Documented(c) {
		return Account(s)
	}
	return session.SID(s, clients.Face(c))
}

// AgreedAs returns the account in whose name an answer was given.
func AgreedAs(query url.Values) string { return query.Get(accountParam) }

// AnswerURL is where the page is posted to that asks the session's user for consent to the client.
func (i *Interactions) AnswerURL(o Open, s storage.ID, c storage.Client) string {
	return i.URL(ContinuePath, o) + "&" + accountParam + "=" + url.QueryEscape(Answering(s, c))
}
