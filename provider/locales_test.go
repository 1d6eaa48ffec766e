package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// The pages are in the language that the request asks for, all the way; otherwise in the browser's; otherwise in English.
func TestLanguageOfPages(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	in := func(t *testing.T, a providertest.Answer, lang, says string) {
		t.Helper()
		if a.Header.Get("Content-Language") != lang || !strings.Contains(a.Body, `<html lang="`+lang+`">`) || !strings.Contains(providertest.Text(a.Body), says) {
			t.Errorf("want a page in %q with %q, got %q: %s", lang, says, a.Header.Get("Content-Language"), providertest.Text(a.Body))
		}
	}
	t.Run("Core 3.1.2.1: ui_locales holds from page to page", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		b := s.Browser("")
		o := b.Authorize(c, "ui_locales", "fr-CA de-CH en")
		in(t, o.Page, "de", "Anmelden")
		in(t, b.Submit(o, "username", "alice", "password", "wrong").Page, "de", "Der Benutzername oder das Passwort stimmt nicht.")
		b.Undecided = true
		consent := b.Submit(o, "username", "alice", "password", providertest.Password)
		in(t, consent.Page, "de", "Erkennen, dass Sie es sind")
		in(t, b.Submit(consent, "decision", "perhaps").Page, "de", "Keine Antwort")
		in(t, b.Open("/logout?ui_locales=de").Page, "de", "Angemeldet bleiben")
		in(t, b.Open("/logout").Page, "en", "Stay signed in")
	})
	t.Run("Core 3.1.2.1: a language that we do not have is no error", func(t *testing.T) {
		t.Parallel()
		in(t, s.With(t).Browser("").Authorize(c, "ui_locales", "fr x-y-z").Page, "en", "Sign in")
	})
	t.Run("an error page, and a form_post", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		in(t, s.Browser("").Authorize(c, "ui_locales", "de", "redirect_uri", "https://evil.example/").Page, "de", "Keine registrierte Adresse")
		o := s.Browser("").Authorize(c, "ui_locales", "de", "response_mode", "form_post", "prompt", "none")
		if !slices.ContainsFunc(append(o.Hops, o.Page), func(a providertest.Answer) bool { return strings.Contains(a.Body, "Zurück zu") }) {
			t.Error("no page in German")
		}
	})
	t.Run("Accept-Language, and ui_locales before it", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		for path, want := range map[string][2]string{
			"/": {"de", "Das ist Signet"}, "/nothing": {"de", "Hier ist nichts"}, "/signin": {"de", "Diese Seite gilt nicht mehr"},
			"/authorize?ui_locales=en": {"en", "This sign-in request is invalid"},
		} {
			r := s.Request(http.MethodGet, path, nil)
			r.Header.Set("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
			in(t, s.Do(r), want[0], want[1])
		}
	})
}
