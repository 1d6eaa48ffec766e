package main

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"signet/mail"
	"signet/provider/account"
	"signet/storage"
	"signet/web"
)

// notices writes to users by e-mail, where a mail server is configured.
type notices struct {
	page     string // URL of the users' own pages
	letters  *web.Letters
	outgoing *mail.Outgoing

	mu   sync.Mutex
	last *lru.Cache[string, [inAnHour]time.Time] // when a user was written to, by sub; the newest last
}

// inAnHour is how many letters one user gets. Whoever signs in again and again shall neither fill a mailbox nor take the places of the letters
// to others, of which a mail server that is slow leaves few.
const inAnHour = 5

// mostWritten bounds the users for whom that is counted.
const mostWritten = 1 << 14

// newNotices prepares them; sender says by whom they are sent at the moment.
func newNotices(issuer string, sender func() *mail.Sender, log *slog.Logger) (*notices, error) {
	letters, err := web.NewLetters(issuer)
	if err != nil {
		return nil, err
	}
	last, err := lru.New[string, [inAnHour]time.Time](mostWritten)
	if err != nil {
		return nil, err
	}
	return &notices{last: last, page: strings.TrimSuffix(issuer, "/") + account.Path, letters: letters, outgoing: mail.NewOutgoing(sender, log)}, nil
}

// NewDevice tells a user that somebody has signed in at a browser that was never used for it. The user's own language counts before that of
// the browser: that may be anybody's.
func (n *notices) NewDevice(u storage.User, at storage.SignInNote, languages []string) {
	if u.Email == "" || !n.may(u.Sub, at.Time) {
		return
	}
	if u.Profile.Locale != "" {
		languages = append([]string{u.Profile.Locale}, languages...)
	}
	n.outgoing.Put(func() (mail.Message, error) {
		letter, err := n.letters.Write(web.NewSignIn{Account: u.Name, UserAgent: at.UserAgent, Address: at.Address, Time: at.Time, Page: n.page}, languages...)
		return mail.Message{To: u.Email, Subject: letter.Subject, Text: letter.Text, HTML: letter.HTML, Language: letter.Language}, err
	})
}

// may counts a letter to a user, if that is not one too many.
func (n *notices) may(sub string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, _ := n.last.Get(sub)
	if age := now.Sub(last[0]); age >= 0 && age < time.Hour {
		return false
	}
	copy(last[:], last[1:])
	last[inAnHour-1] = now
	n.last.Add(sub, last)
	return true
}
