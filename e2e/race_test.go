package e2e

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// atOnce sends n requests as close together as two cores can, each over a connection of its own, and returns the answers.
func atOnce(t *testing.T, s *providertest.Server, n int, request func() *http.Request) []providertest.Answer {
	t.Helper()
	requests := make([]*http.Request, n)
	for i := range requests {
		requests[i] = request()
	}
	answers := make([]providertest.Answer, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			<-start
			answers[i] = s.Do(r)
		})
	}
	close(start)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return answers
}

func tokenRequest(s *providertest.Server, c storage.Client, secret string, form url.Values) func() *http.Request {
	return func() *http.Request {
		r := s.Request(http.MethodPost, "/token", form)
		r.SetBasicAuth(c.ID, secret)
		return r
	}
}

const (
	racers = 20
	races  = 10
)

func TestRaceForOneCode(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	for range races {
		code := b.Code(c, "scope", "openid offline_access")
		answers := atOnce(t, s, racers, tokenRequest(s, c, secret, url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {providertest.Verifier},
		}))

		// RFC 6749 section 4.1.2: "The client MUST NOT use the authorization code more than once."
		var won []providertest.Answer
		for _, a := range answers {
			switch {
			case a.Status == http.StatusOK:
				won = append(won, a)
			case a.Status != http.StatusBadRequest || a.Error() != "invalid_grant":
				t.Errorf("a loser got %d %s", a.Status, a.Body)
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d of %d redemptions of one code succeeded", len(won), racers)
		}

		// The same: "If an authorization code is used more than once, the authorization server MUST deny the request and SHOULD
		// revoke (when possible) all tokens previously issued based on that authorization code."
		for _, kind := range []string{"access_token", "refresh_token"} {
			if a := s.Post("/introspect", c, secret, url.Values{"token": {won[0].Text(kind)}}); a.JSON["active"] != false {
				t.Errorf("introspection of the winner's %s: %s", kind, a.Body)
			}
		}
		if a := s.Get("/userinfo", won[0].Text("access_token")); a.Status != http.StatusUnauthorized {
			t.Errorf("userinfo takes the winner's access token: %d", a.Status)
		}
		if a := s.Refresh(c, secret, won[0].Text("refresh_token")); a.Error() != "invalid_grant" {
			t.Errorf("the winner's refresh token: %d %s", a.Status, a.Body)
		}
	}
}

func TestRaceForOneRefreshToken(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	current := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid offline_access")).Text("refresh_token")
	if current == "" {
		t.Fatal("no refresh token")
	}
	for range races {
		answers := atOnce(t, s, racers, tokenRequest(s, c, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current}}))

		// RFC 9700 section 4.14.2, with a window for lost answers: one successor, however many ask. All ask within it: the clock stands.
		successors, accessTokens := map[string]bool{}, map[string]bool{}
		for _, a := range answers {
			if a.Status != http.StatusOK {
				t.Fatalf("one of %d uses within the window: %d %s", racers, a.Status, a.Body)
			}
			successors[a.Text("refresh_token")] = true
			accessTokens[a.Text("access_token")] = true
		}
		if len(successors) != 1 || successors[current] {
			t.Fatalf("%d uses of one refresh token gave %d successors", racers, len(successors))
		}
		if len(accessTokens) != racers {
			t.Errorf("%d answers share %d access tokens", racers, len(accessTokens))
		}
		current = answers[0].Text("refresh_token")
	}
}
