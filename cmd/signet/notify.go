package main

import (
	"log/slog"
	"strings"

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
}

// newNotices prepares them; sender says by whom they are sent at the moment.
func newNotices(issuer string, sender func() *mail.Sender, log *slog.Logger) (*notices, error) {
	letters, err := web.NewLetters(issuer)
	if err != nil {
		return nil, err
	}
	return &notices{page: strings.TrimSuffix(issuer, "/") + account.Path, letters: letters, outgoing: mail.NewOutgoing(sender, log)}, nil
}

// NewDevice tells a user that somebody has signed in at a browser that was never used for it. The user's own language counts before that of
// the browser: that may be anybody's.
func (n *notices) NewDevice(u storage.User, at storage.SignInNote, languages []string) {
	if u.Email == "" {
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
