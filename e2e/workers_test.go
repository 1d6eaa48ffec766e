package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The workers use a cluster, each in its own way, and remember what they were told. All of them know one thing of failures: an answer
// that is lost, or says 503, is no answer, and they ask again.

// memory is what was acknowledged. The slices are under mutex.
type memory struct {
	refreshed, reasked, done atomic.Int64 // refreshes, those asked again for a lost answer, those of them that had happened
	signedIn, codes          atomic.Int64
	introspected, verified   atomic.Int64
	codeRaces, refreshRaces  atomic.Int64
	commands, commandsFailed atomic.Int64
	rotations                atomic.Int64

	killed             int // nodes
	crashed, recovered int // PostgreSQL, and one process of it
	alone              int // the standby
	took               time.Duration

	mutex    sync.Mutex
	families []*family
	spent    []spentCode
	revoked  []string // refresh tokens and access tokens
	sessions []*agent
	left     []*agent // who signed out
	clients  [][2]string
	users    []string
}

// family is a line of refresh tokens of one worker.
type family struct {
	refresh, before string // the last one that was acknowledged, and its predecessor
	access          string
	lost            time.Time // since when an answer is missing; zero: none is
}

type spentCode struct{ code, verifier string }

// away says whether an error is no answer at all: a connection that broke, or 503.
func away(err error) bool {
	var token *oauth2.RetrieveError
	var page *pageError
	var refused *refusedError
	var status *statusError
	switch {
	case err == nil:
		return false
	case errors.As(err, &token):
		return token.Response.StatusCode == http.StatusServiceUnavailable
	case errors.As(err, &page):
		return page.status == http.StatusServiceUnavailable
	case errors.As(err, &status):
		return status.code == http.StatusServiceUnavailable
	case errors.As(err, &refused):
		return refused.answer.Get("error") == "temporarily_unavailable"
	}
	return dead(err)
}

// patient repeats something until it is answered.
func (c *cluster) patient(f func() error) error {
	for deadline := time.Now().Add(window); ; {
		err := f()
		if !away(err) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer in a minute: %w", err)
		}
		time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
	}
}

// any is one of the nodes.
func (c *cluster) any() *node { return c.nodes[rand.IntN(len(c.nodes))] }

// refreshes uses one refresh token after the other. Now and then it looks from another side: a token is good at each node, and the
// one before is not.
func (c *cluster) refreshes(ctx context.Context, m *memory, f *family, stop <-chan struct{}) error {
	for !over(stop) {
		if err := c.refresh(ctx, m, f); err != nil {
			return err
		}
		switch rand.IntN(8) {
		case 0:
			if err := c.hold(ctx, m, f.access, true); err != nil {
				return err
			}
		case 1:
			if err := c.hold(ctx, m, f.before, false); err != nil {
				return err
			}
		case 2:
			if err := c.verify(ctx, m, c.any(), f.access); err != nil {
				return err
			}
		}
	}
	return nil
}

// refresh uses a refresh token until there is an answer.
func (c *cluster) refresh(ctx context.Context, m *memory, f *family) error {
	for {
		token, err := refreshed(ctx, c.config, f.refresh)
		switch {
		case err == nil:
			f.before, f.refresh, f.access, f.lost = f.refresh, token.RefreshToken, token.AccessToken, time.Time{}
			m.refreshed.Add(1)
			c.works()
			return nil
		case !away(err):
			return fmt.Errorf("a refresh token that was acknowledged (an answer is missing since %v): %w", f.lost, err)
		case !f.lost.IsZero() && time.Since(f.lost) > window:
			return fmt.Errorf("no answer since %v: %w", f.lost, err)
		}
		if f.lost.IsZero() {
			f.lost = time.Now()
		}
		time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
		if active, err := c.active(ctx, c.config, f.refresh); err == nil {
			m.reasked.Add(1)
			if !active {
				m.done.Add(1)
			}
		}
	}
}

// hold holds what some node says of a token to what it must be, now.
func (c *cluster) hold(ctx context.Context, m *memory, token string, want bool) error {
	n := c.any()
	active, err := c.active(ctx, c.at(n), token)
	switch {
	case away(err):
		return nil
	case err != nil:
		return err
	case active != want:
		return fmt.Errorf("%s says %v of a token that is active: %v", n.name, active, want)
	}
	m.introspected.Add(1)
	return nil
}

// active asks for a token.
func (c *cluster) active(ctx context.Context, config *oauth2.Config, token string) (bool, error) {
	address := strings.TrimSuffix(config.Endpoint.TokenURL, "/token") + "/introspect"
	resp, err := post(ctx, address, config.ClientID, config.ClientSecret, token)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, &statusError{resp.StatusCode, ""}
	}
	var answer struct {
		Active bool `json:"active"`
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Active, err
}

// verify holds a token to the keys that a node publishes. A node that is just away is asked again.
func (c *cluster) verify(ctx context.Context, m *memory, n *node, token string) error {
	err := c.patient(func() error {
		set := oidc.NewRemoteKeySet(ctx, "http://"+n.address+"/jwks")
		_, err := set.VerifySignature(ctx, token)
		return err
	})
	if err != nil {
		return fmt.Errorf("a token does not verify by the keys of %s: %w", n.name, err)
	}
	m.verified.Add(1)
	return nil
}

// redeems takes codes and redeems them. What comes of every second one is revoked, and that is seen at once by another node.
func (c *cluster) redeems(ctx context.Context, m *memory, a *agent, stop <-chan struct{}) error {
	for n := 0; !over(stop); n++ {
		code, verifier, err := a.code(ctx, c.config)
		if err == nil {
			var token *oauth2.Token
			if token, err = c.config.Exchange(ctx, code, oauth2.VerifierOption(verifier)); err == nil {
				m.codes.Add(1)
				err = c.use(ctx, m, token, spentCode{code, verifier}, n)
			}
		}
		if away(err) { // a code whose answer is lost may be spent; the app begins anew
			pause(stop, 100*time.Millisecond)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// use takes one of four ways with what came of a code.
func (c *cluster) use(ctx context.Context, m *memory, token *oauth2.Token, code spentCode, way int) error {
	m.mutex.Lock()
	m.spent = append(m.spent, code)
	m.mutex.Unlock()
	if id, ok := token.Extra("id_token").(string); ok && way%8 == 0 {
		if err := c.verify(ctx, m, c.any(), id); err != nil {
			return err
		}
	}
	tokens := []string{token.RefreshToken, token.AccessToken}
	switch way % 4 {
	case 0, 1: // revoke it, by either token
		if err := c.patient(func() error {
			return revoke(ctx, c.issuer+"/revoke", c.config.ClientID, c.config.ClientSecret, tokens[way%2])
		}); err != nil {
			return err
		}
		tokens = tokens[way%2:] // an access token takes no refresh token with it
	case 2: // present the code again, at some node: RFC 6749 section 4.1.2
		n := c.any()
		_, err := c.at(n).Exchange(ctx, code.code, oauth2.VerifierOption(code.verifier))
		switch {
		case away(err):
			return nil
		case refusal(err) != "invalid_grant":
			return fmt.Errorf("%s about a code that was spent: %w", n.name, err)
		}
	case 3: // keep it
		return nil
	}
	m.mutex.Lock()
	m.revoked = append(m.revoked, tokens...)
	m.mutex.Unlock()
	return c.hold(ctx, m, tokens[len(tokens)-1], false)
}

// signsIn signs people in by the pages, each in a browser of its own. Every second one signs out again.
func (c *cluster) signsIn(ctx context.Context, m *memory, client func() *http.Client, stop <-chan struct{}) error {
	for n := 0; !over(stop); n++ {
		a := c.agent(people[n%len(people)], client())
		var token *oauth2.Token
		err := c.patient(func() (err error) {
			token, err = a.signIn(ctx, c.config)
			return err
		})
		if refusal(err) == "invalid_grant" { // its answer was lost, and it is no error to begin anew
			continue
		}
		if err != nil {
			return fmt.Errorf("sign-in: %w", err)
		}
		m.signedIn.Add(1)
		if n%2 == 1 {
			id, _ := token.Extra("id_token").(string)
			if err := c.patient(func() error { return a.signOut(ctx, c.issuer, id) }); err != nil {
				return err
			}
		}
		m.mutex.Lock()
		if n%2 == 1 {
			m.left = append(m.left, a)
		} else {
			m.sessions = append(m.sessions, a)
		}
		m.mutex.Unlock()
		pause(stop, 300*time.Millisecond)
	}
	return nil
}

func (c *cluster) agent(user string, client *http.Client) *agent {
	a := newAgent(user, password)
	a.http.Transport = client.Transport
	return a
}

// signOut ends the browser's session: OpenID Connect RP-Initiated Logout 1.0 section 2.
func (a *agent) signOut(ctx context.Context, issuer, idToken string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/logout?"+url.Values{"id_token_hint": {idToken}}.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &statusError{resp.StatusCode, ""}
	}
	return nil
}

// silent asks for a code without showing a page: "" and the error code if the browser is not signed in.
func (a *agent) silent(ctx context.Context, c *oauth2.Config) (code, refused string, err error) {
	answer, err := a.authorize(ctx, c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("prompt", "none")), c.RedirectURL)
	return answer.Get("code"), answer.Get("error"), err
}

// races presents one code, and one refresh token, at all nodes at once.
func (c *cluster) races(ctx context.Context, m *memory, a *agent, f *family, stop <-chan struct{}) error {
	for !over(stop) {
		code, verifier, err := a.code(ctx, c.config)
		if err == nil {
			err = c.raceForCode(ctx, m, spentCode{code, verifier})
		}
		if err == nil {
			err = c.raceForRefresh(ctx, m, f)
		}
		if err != nil && !away(err) {
			return err
		}
		pause(stop, 300*time.Millisecond)
	}
	return nil
}

// atAllNodes does something many times at once, at one node after the other.
func (c *cluster) atAllNodes(times int, f func(*oauth2.Config) (*oauth2.Token, error)) (won []*oauth2.Token, refused, unanswered []error) {
	tokens, errs := make([]*oauth2.Token, times), make([]error, times)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() {
			<-start
			tokens[i], errs[i] = f(c.at(c.nodes[i%len(c.nodes)]))
		})
	}
	close(start)
	all.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			won = append(won, tokens[i])
		case away(err):
			unanswered = append(unanswered, err)
		default:
			refused = append(refused, err)
		}
	}
	return won, refused, unanswered
}

// raceForCode: RFC 6749 section 4.1.2: "The client MUST NOT use the authorization code more than once."
func (c *cluster) raceForCode(ctx context.Context, m *memory, code spentCode) error {
	won, refused, unanswered := c.atAllNodes(racers, func(config *oauth2.Config) (*oauth2.Token, error) {
		return config.Exchange(ctx, code.code, oauth2.VerifierOption(code.verifier))
	})
	for _, err := range refused {
		if refusal(err) != "invalid_grant" {
			return fmt.Errorf("a loser got: %w", err)
		}
	}
	if len(won) > 1 || len(won) == 0 && len(unanswered) == 0 {
		return fmt.Errorf("%d of %d redemptions of one code succeeded", len(won), racers)
	}
	if len(unanswered) == 0 {
		m.codeRaces.Add(1)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(won)+len(refused) > 0 { // otherwise nobody knows
		m.spent = append(m.spent, code)
	}
	if len(won) == 1 && len(refused) > 0 { // who lost has ended what who won got
		m.revoked = append(m.revoked, won[0].RefreshToken, won[0].AccessToken)
	}
	return nil
}

// raceForRefresh: one successor, however many ask.
func (c *cluster) raceForRefresh(ctx context.Context, m *memory, f *family) error {
	won, refused, unanswered := c.atAllNodes(racers, func(config *oauth2.Config) (*oauth2.Token, error) { return refreshed(ctx, config, f.refresh) })
	if len(refused) > 0 {
		return fmt.Errorf("one of %d uses of a refresh token: %w", racers, refused[0])
	}
	successors := map[string]bool{}
	for _, token := range won {
		successors[token.RefreshToken] = true
	}
	if len(successors) > 1 || successors[f.refresh] {
		return fmt.Errorf("%d uses of one refresh token gave %d successors", racers, len(successors))
	}
	if len(won) > 0 {
		f.before, f.refresh, f.access = f.refresh, won[0].RefreshToken, won[0].AccessToken
	}
	if len(unanswered) == 0 {
		m.refreshRaces.Add(1)
	}
	return nil
}

// operates adds apps and people by commands, at one node after the other, or at the database where that node is just away.
func (c *cluster) operates(m *memory, stop <-chan struct{}) error {
	for n := 0; !over(stop); n++ {
		name := fmt.Sprintf("person%d", n)
		if n%3 == 0 {
			_, err := c.command(m, c.any(), password, "user", "add", name, "--email", name+"@example.com", "--password-stdin")
			if err == nil {
				m.mutex.Lock()
				m.users = append(m.users, name)
				m.mutex.Unlock()
			}
		} else if out, err := c.command(m, c.any(), "", "client", "add", "web", name, "--redirect-uri", "https://"+name+".example/cb", "--json"); err == nil {
			var app struct {
				ID     string `json:"client_id"`
				Secret string `json:"client_secret"`
			}
			if err := json.Unmarshal(out, &app); err != nil || app.ID == "" || app.Secret == "" {
				return fmt.Errorf("signet client add printed %s (%w)", out, err)
			}
			m.mutex.Lock()
			m.clients = append(m.clients, [2]string{app.ID, app.Secret})
			m.mutex.Unlock()
		}
		pause(stop, 400*time.Millisecond)
	}
	return nil
}

// command runs signet as the operator of a node. What fails says why in one sentence, without the password of the database.
func (c *cluster) command(m *memory, n *node, input string, args ...string) ([]byte, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, append(args, "--config", n.config)...)
	cmd.Dir = filepath.Dir(n.config)
	cmd.Stdin = strings.NewReader(input)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	m.commands.Add(1)
	if err != nil {
		m.commandsFailed.Add(1)
		if says := complaint.String(); !strings.HasPrefix(says, "signet: ") || strings.Contains(says, "hunter2") {
			c.t.Errorf("%v: %v and it says %q", args, err, says)
		}
		return nil, fmt.Errorf("%v: %w: %s", args, err, &complaint)
	}
	return out, nil
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

func pause(stop <-chan struct{}, d time.Duration) {
	select {
	case <-stop:
	case <-time.After(d):
	}
}
