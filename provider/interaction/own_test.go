package interaction

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"signet/storage"
)

func TestOwn(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]bool{
		"/account": true, "/account/sessions": true, "/account/password": true,
		"": false, "/": false, "/accounts": false, "account": false, "//account": false, "//evil.example/account": false,
		"/account//evil.example": false, "/account/../signin": false, "/account/./sessions": false, "/account/": false,
		`/\evil.example`: false, `/account\..\x`: false, "https://evil.example/account": false, "javascript:alert(1)": false,
		"/account?x=1": false, "/account#x": false, "/account/%2e%2e/x": false, "/account/\n": false, " /account": false, "/account/é": false,
		"/device": true, "/device?user_code=WDJB-MJHT": true, "/device?user_code=": false, "/device?user_code=wdjb-mjht": false, "/device?user_code=WDJB-MJHT&x=1": false,
		"/device?user_code=WDJB-MJHT\n": false, "/device?user_code=//evil.example": false, "/device#x": false, "/device/": false, "/device/qr": false, "/devices": false, "//device": false,
	} {
		if own(page) != want {
			t.Errorf("%q: own is %v", page, !want)
		}
		i := New(Options{Base: "/tenant"})
		to, err := i.OwnURL(Open{Interaction: storage.Interaction{Return: page}})
		if (err == nil) != want || want && to != "/tenant"+page {
			t.Errorf("%q leads to %q, %v", page, to, err)
		}
		if !want {
			if _, err := i.BeginOwn(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), page, ""); err == nil {
				t.Errorf("%q is stored", page)
			}
		}
	}
}

func FuzzOwn(f *testing.F) {
	f.Add("/account/sessions")
	f.Add(`/account/..//evil.example`)
	f.Add("/device?user_code=WDJB-MJHT")
	f.Fuzz(func(t *testing.T, page string) {
		if !own(page) {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "https://id.example/signin", nil)
		if to, err := r.URL.Parse(page); err != nil || to.Host != "id.example" || to.Scheme != "https" || to.RequestURI() != page {
			t.Errorf("%q leads to %v, %v", page, to, err)
		}
	})
}
