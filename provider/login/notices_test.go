package login_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// written are the notices that were asked for.
type written struct {
	mu  sync.Mutex
	all []storage.SignInNote
	to  []string
}

func (w *written) NewDevice(u storage.User, n storage.SignInNote, languages []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all, w.to = append(w.all, n), append(w.to, u.Email)
}

func TestNewDeviceIsTold(t *testing.T) {
	t.Parallel()
	w := &written{}
	s := providertest.New(t, func(c *providertest.Config) { c.Options.Notices = w })
	c, _ := s.Client("web", "My app")
	s.User("alice")
	first := s.Browser("alice")
	first.Code(c)
	if len(w.all) != 0 {
		t.Fatalf("the first sign-in of all is told of: %+v", w.all)
	}
	first.Code(c, "prompt", "login")
	if len(w.all) != 0 {
		t.Fatalf("a browser that is known is told of: %+v", w.all)
	}
	second := s.Browser("alice")
	second.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	second.Code(c)
	if len(w.all) != 1 || !slices.Equal(w.to, []string{"alice@example.com"}) || w.all[0].UserAgent != second.UserAgent || w.all[0].Address != "127.0.0.1" {
		t.Fatalf("%v %+v", w.to, w.all)
	}
	second.Code(c, "prompt", "login")
	third := s.Browser("")
	o := third.Open("/account")
	if got := third.Submit(o, "username", "alice", "password", "wrong horse"); got.Page.Status != http.StatusUnprocessableEntity {
		t.Fatalf("%d", got.Page.Status)
	}
	if len(w.all) != 1 {
		t.Errorf("a failure, or a browser that is known by now, is told of: %+v", w.all)
	}
	thief := s.Browser("") // who knows the password, and has a copy of what signs in, but not of what the browser is known by
	for _, cookie := range second.Cookies() {
		if !strings.HasSuffix(cookie.Name, "-device") {
			thief.SetCookies([]*http.Cookie{cookie})
		}
	}
	const next = "another horse, another battery"
	if o := thief.Submit(thief.Open("/account/password"), "current", providertest.Password, "new", next, "repeat", next); !strings.HasSuffix(o.URL, "?changed") {
		t.Fatalf("at %s: %s", o.URL, providertest.Text(o.Page.Body))
	}
	if len(w.all) != 2 {
		t.Errorf("a new password from a browser that is not known is not told of: %+v", w.all)
	}
}
