package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"signet/provider/providertest"
)

// agent is a browser without a screen, for tests under load: it keeps cookies, fills in the sign-in and the consent page and
// returns errors, so that it may run anywhere and meet a server that is just dying. One at a time may use it.
type agent struct {
	http           *http.Client
	user, password string
}

func newAgent(user, password string) *agent {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only for options, and there are none
	}
	return &agent{user: user, password: password, http: &http.Client{
		Jar: jar, Timeout: patience, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signIn takes the app's client through the code flow and returns its tokens.
func (a *agent) signIn(ctx context.Context, c *oauth2.Config) (*oauth2.Token, error) {
	code, verifier, err := a.code(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.Exchange(ctx, code, oauth2.VerifierOption(verifier))
}

// code takes the app's client as far as the code.
func (a *agent) code(ctx context.Context, c *oauth2.Config) (code, verifier string, err error) {
	verifier = oauth2.GenerateVerifier()
	state := oauth2.GenerateVerifier()
	answer, err := a.authorize(ctx, c.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), c.RedirectURL)
	switch {
	case err != nil:
		return "", "", err
	case answer.Get("state") != state:
		return "", "", errors.New("the answer has another state")
	case answer.Get("code") == "":
		return "", "", &refusedError{answer}
	}
	return answer.Get("code"), verifier, nil
}

// authorize opens the address and goes on until it is sent to the redirect URI. It returns what stands there.
func (a *agent) authorize(ctx context.Context, address, redirectURI string) (url.Values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for err == nil {
		var resp *http.Response
		if resp, err = a.http.Do(r); err != nil {
			break
		}
		if to := resp.Header.Get("Location"); to != "" {
			resp.Body.Close()
			if answer, ok := strings.CutPrefix(to, redirectURI+"?"); ok {
				return url.ParseQuery(answer)
			}
			var next *url.URL
			if next, err = r.URL.Parse(to); err == nil {
				r, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil)
			}
			continue
		}
		r, err = a.fillIn(ctx, resp)
	}
	return nil, err
}

// fillIn answers a page.
func (a *agent) fillIn(ctx context.Context, page *http.Response) (*http.Request, error) {
	defer page.Body.Close()
	body, err := io.ReadAll(page.Body)
	if err != nil {
		return nil, err
	}
	form, ok := providertest.Form(string(body))
	switch {
	case page.StatusCode != http.StatusOK || !ok:
		return nil, &pageError{page.StatusCode, providertest.Text(string(body))}
	case form.Has("password"):
		form.Values.Set("username", a.user)
		form.Values.Set("password", a.password)
	case form.Has("decision"):
		form.Values.Set("decision", "allow")
	default:
		return nil, fmt.Errorf("a page that was not expected: %s", providertest.Text(string(body)))
	}
	to, err := page.Request.URL.Parse(form.Action)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(form.Values.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

// pageError is a page that cannot be filled in.
type pageError struct {
	status int
	says   string
}

func (e *pageError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.says) }

// refusedError is an authorization response without a code.
type refusedError struct{ answer url.Values }

func (e *refusedError) Error() string { return fmt.Sprintf("no code but %v", e.answer) }

// refreshed uses a refresh token, as x/oauth2 does it.
func refreshed(ctx context.Context, c *oauth2.Config, refreshToken string) (*oauth2.Token, error) {
	return c.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// refusal is the error code of the token endpoint; "" for whatever is no answer of its.
func refusal(err error) string {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return ""
}

// endpoint is a provider's, without asking for it.
func endpoint(issuer string) oauth2.Endpoint {
	return oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}
}
