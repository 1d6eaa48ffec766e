package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Letters writes e-mail in the languages of the pages. Each letter is a typed struct, as each page is; what it says is put together once, in
// parts, and those become plain text and HTML that say the same.
type Letters struct {
	host      string
	languages chooser
	voices    map[string]voice
	html      *template.Template
}

// NewLetters prepares the letters of an issuer, by its URL.
func NewLetters(issuer string) (*Letters, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("web: issuer: %w", err)
	}
	l := &Letters{host: u.Host}
	if l.languages, err = newChooser(Languages()); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if l.voices, err = voices(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	l.html, err = template.ParseFS(templateFiles, "templates/letter.html")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return l, nil
}

// Letter is one of the letters below.
type Letter interface {
	say(v voice, host string) parts
}

// Written is a letter in one language.
type Written struct {
	Subject  string // of one line; nothing in it comes from outside
	Text     string
	HTML     string
	Language string // BCP 47
}

// Write writes a letter. languages are what the person prefers, as for [Pages.Write].
func (l *Letters) Write(letter Letter, languages ...string) (Written, error) {
	tag := l.languages.choose(languages)
	p := letter.say(l.voices[tag], l.host)
	p.Language, p.Link = tag, link(p.Link)
	var page strings.Builder
	if err := l.html.Execute(&page, p); err != nil {
		return Written{}, fmt.Errorf("web: letter: %w", err)
	}
	return Written{Subject: p.Subject, Text: p.text(), HTML: page.String(), Language: tag}, nil
}

// parts are what a letter consists of, already in the language of whoever reads it.
type parts struct {
	Language string
	Subject  string
	Lead     string
	Facts    []fact
	Advice   []string
	Link     string // follows the advice; "": none
	Foot     string
}

type fact struct{ Name, Value string }

func (p parts) text() string {
	var b strings.Builder
	b.WriteString(p.Lead + "\n")
	if len(p.Facts) > 0 {
		b.WriteString("\n")
	}
	for _, f := range p.Facts {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	for _, a := range p.Advice {
		b.WriteString("\n" + a + "\n")
	}
	if p.Link != "" {
		b.WriteString("\n" + p.Link + "\n")
	}
	b.WriteString("\n-- \n" + p.Foot + "\n")
	return b.String()
}

// fill says a text without markup. What fills it are pairs of a name and a value, and stays on one line.
func (v voice) fill(t Text, filling ...string) string {
	pairs := make([]string, 0, len(filling))
	for i := 0; i+1 < len(filling); i += 2 {
		pairs = append(pairs, "{"+filling[i]+"}", oneLine(filling[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(v.text(t))
}

// oneLine bounds what comes from outside, and takes out of it what is not seen: line breaks, and what turns the direction of writing.
func oneLine(s string) string {
	const most = 200
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// NewSignIn tells a person that somebody signed in to their account from a browser that was not used for it before.
type NewSignIn struct {
	Account   string // the user name
	UserAgent string // as the browser sent it; the letter says what it means, and repeats none of it
	Address   string // IP
	Time      time.Time
	Page      string // URL of the person's own page, where sessions are ended and the password is changed
}

func (n NewSignIn) say(v voice, host string) parts {
	return parts{
		Subject: v.text("New sign-in to your account"),
		Lead:    v.fill("Somebody signed in to the account {account} at {host}, from a device that was not used for it before.", "account", n.Account, "host", host),
		Facts: []fact{
			{v.text("Device"), v.device(n.UserAgent)},
			{v.text("IP address"), oneLine(n.Address)},
			{v.text("Time"), n.Time.UTC().Format("2006-01-02 15:04 UTC")},
		},
		Advice: []string{
			v.text("If it was you, there is nothing you need to do."),
			v.text("If it was not, end that session and change your password, on the page of your account:"),
		},
		Link: n.Page,
		Foot: v.fill("Sent by {host}, because you have an account there.", "host", host),
	}
}

// Trial is the letter of an operator who tries whether letters arrive.
type Trial struct{}

func (Trial) say(v voice, host string) parts {
	return parts{
		Subject: v.text("A test message"),
		Lead:    v.fill("E-mail from {host} arrives. This message was sent to find that out, and says nothing else.", "host", host),
		Foot:    v.fill("Sent by {host}.", "host", host),
	}
}
