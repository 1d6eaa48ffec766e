package web

import (
	"embed"
	"fmt"
	"html/template"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
)

// Text is something that we say to people: English, and the key under which messages/<language>.yaml says it in another language. What
// no file has is shown as it is. Names in braces are filled in.
type Text string

// messageFiles are the languages beside English. A new file is a new language: pages, matching and discovery find it by its name, a BCP
// 47 tag, and the tests want of it every text that the code and the templates have.
//
//go:embed messages
var messageFiles embed.FS

const english = "en"

// Languages are the BCP 47 tags of the languages that the pages are in, English first.
func Languages() []string {
	all := []string{english}
	entries, err := messageFiles.ReadDir("messages")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return all
}

// voice says texts in one language.
type voice struct {
	tag      string
	messages map[Text]string // nil for English
}

// voices are those of all languages, by their tags. What they say never changes, so pages and letters share them.
var voices = sync.OnceValues(func() (map[string]voice, error) {
	all := map[string]voice{}
	for _, tag := range Languages() {
		v, err := newVoice(tag)
		if err != nil {
			return nil, err
		}
		all[tag] = v
	}
	return all, nil
})

func newVoice(tag string) (voice, error) {
	v := voice{tag: tag}
	if tag == english {
		return v, nil
	}
	content, err := messageFiles.ReadFile("messages/" + tag + ".yaml")
	if err != nil {
		return v, err
	}
	if err := yaml.Unmarshal(content, &v.messages); err != nil {
		return v, fmt.Errorf("messages in %s: %w", tag, err)
	}
	return v, nil
}

func (v voice) text(t Text) string {
	if s, ok := v.messages[t]; ok {
		return s
	}
	return string(t)
}

// say makes markup of a text. What fills it are pairs of a name and a value, which is escaped unless it is markup already.
func (v voice) say(t Text, filling ...any) (template.HTML, error) {
	var pairs []string
	for i := 0; i+1 < len(filling); i += 2 {
		name, ok := filling[i].(string)
		if !ok {
			return "", fmt.Errorf("web: %q is filled by something without a name", t)
		}
		value, ok := filling[i+1].(template.HTML)
		if !ok {
			value = template.HTML(template.HTMLEscaper(filling[i+1]))
		}
		pairs = append(pairs, "{"+name+"}", string(value))
	}
	return template.HTML(strings.NewReplacer(pairs...).Replace(template.HTMLEscapeString(v.text(t)))), nil
}

// app is what an app is called; name is that as markup.
func (v voice) app(a App) string {
	if s := a.Display(); s != "" {
		return s
	}
	return v.text("the app")
}

func (v voice) name(what any) template.HTML {
	if a, ok := what.(App); ok {
		what = v.app(a)
	}
	return template.HTML(`<bdi class="name">` + template.HTMLEscaper(what) + `</bdi>`)
}

// paper links to a document of the app's owner; address is one that link has let through.
func (v voice) paper(address string, t Text) template.HTML {
	return template.HTML(`<a href="` + template.HTMLEscapeString(address) + `" target="_blank" rel="noopener noreferrer">` +
		template.HTMLEscapeString(v.text(t)) + `<span class="unseen"> ` + template.HTMLEscapeString(v.text("(opens in a new tab)")) + `</span></a>`)
}

// wait says a duration in words, rounded up: nobody is told to come back too early.
func (v voice) wait(d time.Duration) string {
	unit, one, many := time.Second, Text("1 second"), Text("{n} seconds")
	switch {
	case d > 90*time.Minute:
		unit, one, many = time.Hour, "1 hour", "{n} hours"
	case d > 90*time.Second:
		unit, one, many = time.Minute, "1 minute", "{n} minutes"
	}
	n := int((d + unit - 1) / unit)
	if n == 1 {
		return v.text(one)
	}
	return strings.ReplaceAll(v.text(many), "{n}", strconv.Itoa(n))
}

// ago says in a sentence how long ago somebody signed in, rounded down.
func (v voice) ago(d time.Duration) string {
	unit, one, many := 24*time.Hour, Text("Signed in yesterday"), Text("Signed in {n} days ago")
	switch {
	case d < time.Minute:
		return v.text("Signed in just now")
	case d < time.Hour:
		unit, one, many = time.Minute, "Signed in 1 minute ago", "Signed in {n} minutes ago"
	case d < 24*time.Hour:
		unit, one, many = time.Hour, "Signed in 1 hour ago", "Signed in {n} hours ago"
	}
	n := int(d / unit)
	if n == 1 {
		return v.text(one)
	}
	return strings.ReplaceAll(v.text(many), "{n}", strconv.Itoa(n))
}

// chooser finds the language of a page.
type chooser struct {
	tags    []string
	matcher language.Matcher
}

func newChooser(tags []string) (chooser, error) {
	var known []language.Tag
	for _, s := range tags {
		tag, err := language.Parse(s)
		if err != nil {
			return chooser{}, fmt.Errorf("%q is no language: %w", s, err)
		}
		known = append(known, tag)
	}
	return chooser{tags, language.NewMatcher(known)}, nil
}

// choose goes through the preferences, each in the form of an Accept-Language header (RFC 9110 section 12.5.4; a single BCP 47 tag is
// one), until one of them holds a language that we have; then again, for one that whoever prefers this is likely to understand, such as
// Welsh and English. What is malformed is passed over.
func (c chooser) choose(preferences []string) string {
	for _, guess := range []bool{false, true} {
		for _, p := range preferences {
			wanted, _, err := language.ParseAcceptLanguage(p)
			if err != nil {
				continue
			}
			_, i, confidence := c.matcher.Match(wanted...)
			if confidence != language.No && (guess || named(c.tags[i], wanted)) {
				return c.tags[i]
			}
		}
	}
	return english
}

// named reports whether the language of the tag is among those wanted, whatever the region.
func named(tag string, wanted []language.Tag) bool {
	own, _ := language.Make(tag).Base()
	return slices.ContainsFunc(wanted, func(w language.Tag) bool { base, _ := w.Base(); return base == own })
}
