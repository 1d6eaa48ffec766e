package web

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
)

var august = time.Date(2026, 8, 31, 23, 30, 59, 0, time.FixedZone("CEST", 2*60*60))

const firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

func newLetters(t testing.TB, issuer string) *Letters {
	t.Helper()
	l, err := NewLetters(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNewSignIn(t *testing.T) {
	t.Parallel()
	letters := newLetters(t, "https://id.example.com/tenant")
	letter := NewSignIn{Account: "alice", UserAgent: firefoxOnWindows, Address: "2001:db8::7", Time: august, Page: "https://id.example.com/tenant/account"}
	for language, want := range map[string]Written{
		"tlh, en": {Language: "en", Subject: "New sign-in to your account", Text: `Somebody signed in to the account alice at id.example.com, from a device that was not used for it before.

Device: Firefox on Windows
IP address: 2001:db8::7
Time: 2026-08-31 21:30 UTC

If it was you, there is nothing you need to do.

If it was not, end that session and change your password, on the page of your account:

https://id.example.com/tenant/account

-- 
Sent by id.example.com, because you have an account there.
`},
		"de-AT": {Language: "de", Subject: "Neue Anmeldung an Ihrem Konto", Text: `Jemand hat sich am Konto alice bei id.example.com angemeldet, mit einem Gerät, das dafür noch nie benutzt wurde.

Gerät: Firefox auf Windows
IP-Adresse: 2001:db8::7
Zeit: 2026-08-31 21:30 UTC

Wenn Sie das waren, brauchen Sie nichts zu tun.

Wenn nicht, beenden Sie diese Sitzung und ändern Sie Ihr Passwort, auf der Seite Ihres Kontos:

https://id.example.com/tenant/account

-- 
Gesendet von id.example.com, weil Sie dort ein Konto haben.
`},
	} {
		got, err := letters.Write(letter, language)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := html.Parse(strings.NewReader(got.HTML))
		if err != nil {
			t.Fatal(err)
		}
		squeezed := strings.NewReplacer("-- ", "", "\n", " ").Replace
		if got, want := squeezed(text(elements(doc, "body")[0])), strings.Join(strings.Fields(squeezed(want.Text)), " "); got != want {
			t.Errorf("RFC 2046 5.1.4: HTML and text are not the same letter:\n%s\n%s", got, want)
		}
		if attr(elements(doc, "html")[0], "lang") != want.Language || attr(elements(doc, "a")[0], "href") != letter.Page {
			t.Errorf("%s", got.HTML)
		}
		got.HTML = ""
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// Whatever comes from outside: no line, no markup, no address to click on, nothing loaded.
func TestHostileLetters(t *testing.T) {
	t.Parallel()
	const evil = hostile + "\r\nBcc: mallory@evil.example\r\n\r\nhttps://evil.example"
	letters := newLetters(t, "https://id.example.com")
	usual, err := letters.Write(NewSignIn{})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"javascript:alert(1)", "https://u:p@evil.example/", "data:text/html,x"} {
		got, err := letters.Write(NewSignIn{Account: evil + strings.Repeat("long ", 1000), UserAgent: evil + firefoxOnWindows, Address: evil, Time: august, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		if got.Subject != usual.Subject || len(got.Text) > 3000 || strings.Count(got.Text, "\n") != strings.Count(usual.Text, "\n") || strings.ContainsAny(got.Text, "\r\u202e\x00") {
			t.Errorf("%q\n%q", got.Subject, got.Text)
		}
		doc, err := html.Parse(strings.NewReader(got.HTML))
		if err != nil {
			t.Fatal(err)
		}
		nothingInline(t, doc)
		for _, name := range []string{"a", "img", "script", "link", "b"} {
			if len(elements(doc, name)) > 0 {
				t.Errorf("<%s> in %s", name, got.HTML)
			}
		}
		if !strings.Contains(got.Text, "Device: Firefox on Windows\n") {
			t.Errorf("the User-Agent is repeated: %s", got.Text)
		}
	}
}

func TestTrial(t *testing.T) {
	t.Parallel()
	got, err := newLetters(t, "http://localhost:8080").Write(Trial{})
	if err != nil || got.Subject != "A test message" || !strings.HasPrefix(got.Text, "E-mail from localhost:8080 arrives.") || strings.Contains(got.HTML, "<table") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for userAgent, want := range map[string]string{
		firefoxOnWindows: "Firefox on Windows",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                          "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":                  "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":            "Samsung Internet on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                          "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/122.0.0.0":                   "Opera on ChromeOS",
		"SomeApp/1.0 (Android)": "Android",
		"Firefox/1":             "Firefox",
		"curl/8.5.0":            "A device that does not say what it is",
		"":                      "A device that does not say what it is",
	} {
		if got := (voice{}).device(userAgent); got != want {
			t.Errorf("%s: %s, want %s", userAgent, got, want)
		}
	}
}

func FuzzLetters(f *testing.F) {
	f.Add("alice", firefoxOnWindows, "192.0.2.7", "https://id.example.com/account", "de")
	f.Add(hostile, "\r\n", "\u2028", "http://[::1", "x")
	letters := newLetters(f, "https://id.example.com")
	f.Fuzz(func(t *testing.T, account, userAgent, address, page, language string) {
		w, err := letters.Write(NewSignIn{Account: account, UserAgent: userAgent, Address: address, Time: august, Page: page}, language)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(w.Text, "\n", ""), unicode.IsControl) || strings.Contains(w.Subject, "\n") {
			t.Fatalf("%q %q", w.Subject, w.Text)
		}
		if device := (voice{}).device(userAgent); strings.ContainsAny(device, "/:@.<>\"") {
			t.Fatalf("%q", device)
		}
	})
}
