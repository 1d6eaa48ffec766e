// Package storagetest is the contract of [storage.Store] as a test. Each sentence of the comments in storage/acts.go is a
// sub-test that bears it as its name; a backend is right when it passes them all.
//
// The test knows nothing of a backend but the interface. Time and ids are its own; the store's clock decides nothing here.
package storagetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/audit"
	"signet/storage"
)

// Run tests a backend. open returns a store of its own for each sub-test, and has it closed at the end of t; what the backend
// writes into a new store by itself (an audit entry, say) does not matter. Sub-tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"Clients", clientCases}, {"Resources", resourceCases}, {"Users", userCases}, {"Rings", ringCases}, {"Browsers", browserCases},
		{"Consents", consentCases}, {"Interactions", interactionCases}, {"SignIn", signInCases}, {"KeptRequests", keptCases},
		{"Authorize", issueCases}, {"RedeemCode", redeemCases}, {"Devices", deviceCases}, {"RotateFamily", rotateCases}, {"Families", familyCases}, {"GrantFamily", grantCases}, {"Denials", denialCases},
		{"Assertions", assertionCases}, {"InitialTokens", initialTokenCases}, {"Endings", endingCases}, {"Outbox", outboxCases},
		{"Statuses", statusCases}, {"Histories", historyCases}, {"Audit", auditCases}, {"Chain", chainCases}, {"Upkeep", upkeepCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.cases {
				t.Run(c.sentence, func(t *testing.T) {
					t.Parallel()
					c.test(&room{T: t, Store: open(t)})
				})
			}
		})
	}
}

// testCase is a sentence of a contract and what holds a store to it.
type testCase struct {
	sentence string
	test     func(*room)
}

// parallel is how many callers a sentence about concurrent calls is tried with.
const parallel = 20

// now is when everything happens, unless a test says otherwise.
var now = time.Date(2026, 11, 2, 9, 30, 0, 123_000_000, time.UTC)

// far is a duration beyond the lifetimes of the fixtures.
const far = 365 * 24 * time.Hour

// origin is on whose behalf the tests act.
var origin = audit.Origin{Trace: "4bf92f3577b34da6", Address: "192.0.2.7", Actor: "uid 1000"}

var change = storage.Change{Now: now, Origin: origin, Detail: "by a test"}

// room is a test with a store, and with the steps that many tests begin with.
type room struct {
	*testing.T
	storage.Store
}

func (r *room) ctx() context.Context { return r.T.Context() }

// ok ends the test unless err is nil.
func (r *room) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// refused fails the test unless err is the refusal that the contract names.
func (r *room) refused(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("the answer is %v, want %v", err, want)
	}
}

// same fails the test unless a record is the one that is wanted.
func (r *room) same(got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("not the same (-want +got):\n%s", diff)
	}
}

// race calls f from many goroutines at once and returns what they answered.
func (r *room) race(f func(i int) error) []error {
	answers := make([]error, parallel)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range parallel {
		all.Go(func() {
			<-start
			answers[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return answers
}

// oneWins fails the test unless exactly one of the answers is nil and the others are want.
func (r *room) oneWins(answers []error, want error) {
	r.Helper()
	won := 0
	for _, err := range answers {
		if err == nil {
			won++
			continue
		}
		r.refused(err, want)
	}
	if won != 1 {
		r.Errorf("%d of %d calls succeeded, want 1", won, len(answers))
	}
}

// log returns the entries of some events, in their order; without events, of all.
func (r *room) log(events ...audit.Event) (entries []audit.Entry) {
	r.Helper()
	r.ok(r.Entries(r.ctx(), func(e audit.Entry) error {
		if len(events) == 0 || slices.Contains(events, e.Event) {
			entries = append(entries, e)
		}
		return nil
	}))
	return entries
}

// logged fails the test unless these are all entries of their events.
func (r *room) logged(want ...audit.Entry) {
	r.Helper()
	var events []audit.Event
	for _, e := range want {
		events = append(events, e.Event)
	}
	r.same(r.log(events...), want)
}

// wroteNothing fails the test if f leaves anything in the audit log.
func (r *room) wroteNothing(f func()) {
	r.Helper()
	before := r.log()
	f()
	r.same(r.log(), before)
}

// newUser stores a user.
func (r *room) newUser(sub string) storage.User {
	r.Helper()
	u, err := r.SaveUser(r.ctx(), storage.User{Sub: sub, Name: sub, PasswordHash: "$argon2id$1", Created: now, Updated: now}, false, change)
	r.ok(err)
	return u
}

// endUser ends everything that was begun in a user's name.
func (r *room) endUser(u storage.User) {
	r.Helper()
	_, err := r.SaveUser(r.ctx(), u, true, change)
	r.ok(err)
}

// disable disables a user.
func (r *room) disable(u storage.User) {
	r.Helper()
	u.Disabled = true
	_, err := r.SaveUser(r.ctx(), u, false, change)
	r.ok(err)
}

const clientID = "4cXk0tKc7Zq1"

// declined is an authorization that does not come about.
var declined = storage.Authorization{Client: clientID}

// newInteraction stores an interaction that is open for ten minutes.
func (r *room) newInteraction() (storage.Handle, storage.Interaction) {
	r.Helper()
	h, i := makeInteraction("192.0.2.7")
	r.ok(r.BeginInteraction(r.ctx(), i, 1000))
	return h, i
}

func makeInteraction(address string) (storage.Handle, storage.Interaction) {
	expires := now.Add(10 * time.Minute)
	h := storage.NewHandle(expires)
	return h, storage.Interaction{
		ID: h.ID, SecretHash: h.Hash(), Address: address, Created: now, Expires: expires,
		Request: storage.Request{
			Client: clientID, RedirectURI: "https://app.example/cb", ResponseType: "code", ResponseMode: "query",
			Scopes: []string{"openid", "email"}, State: "s", Nonce: "n", Prompt: []string{"login"}, MaxAge: new(0),
		},
	}
}

// visit is a browser at which a user is signed in.
type visit struct {
	handle  storage.Handle
	browser storage.Browser
	session storage.Session
	user    storage.User
}

// makeSignIn is a sign-in of u at the instant at, at a new browser.
func (r *room) makeSignIn(u storage.User, old storage.Handle, at time.Time) (storage.SignIn, visit) {
	r.Helper()
	interaction, _ := r.newInteraction()
	h := storage.NewHandle(at)
	v := visit{
		handle:  h,
		browser: storage.Browser{ID: h.ID, SecretHash: h.Hash(), Created: at, Expires: at.Add(30 * 24 * time.Hour)},
		session: storage.Session{
			ID: storage.NewID(at), Browser: h.ID, User: u.Sub, Epoch: u.Epoch, AuthTime: at, ACR: "pwd", AMR: []string{"pwd"},
			Created: at, LastUsed: at, IdleExpires: at.Add(10 * time.Hour), Expires: at.Add(30 * 24 * time.Hour), Address: "192.0.2.7",
		},
		user: u,
	}
	return storage.SignIn{Interaction: interaction, Old: old, Browser: v.browser, Session: v.session, Origin: origin}, v
}

// signIn signs u in at a browser that was old before.
func (r *room) signIn(u storage.User, old storage.Handle, at time.Time) visit {
	r.Helper()
	in, v := r.makeSignIn(u, old, at)
	done, err := r.SignIn(r.ctx(), in)
	r.ok(err)
	v.session = done.Session
	return v
}

// newVisit signs a new user in, at the client that everything here is issued to.
func (r *room) newVisit(sub string) visit {
	r.Helper()
	if _, err := r.Client(r.ctx(), clientID); err != nil {
		_, err := r.SaveClient(r.ctx(), storage.Client{ID: clientID, GrantTypes: []string{"authorization_code", "refresh_token"}}, change)
		r.ok(err)
	}
	return r.signIn(r.newUser(sub), storage.Handle{}, now)
}

// sessions returns the live sessions of a browser.
func (r *room) sessions(v visit, at time.Time) (ids []storage.ID) {
	r.Helper()
	_, live, err := r.Browser(r.ctx(), v.handle, at)
	r.ok(err)
	for _, su := range live {
		ids = append(ids, su.Session.ID)
	}
	return ids
}

const (
	redirectURI = "https://app.example/cb"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	challenge   = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// makeIssue is a code for the session of v, good for a minute.
func makeIssue(v visit, offline bool) (storage.Handle, storage.Issue) {
	expires := now.Add(time.Minute)
	h := storage.NewHandle(expires)
	scopes := []string{"openid", "email"}
	if offline {
		scopes = append(scopes, "offline_access")
	}
	return h, storage.Issue{
		Authorization: storage.Authorization{
			Client: clientID, User: v.user.Sub, Session: v.session.ID, Epoch: v.user.Epoch, Scopes: scopes,
			AuthTime: v.session.AuthTime, ACR: "pwd", AMR: []string{"pwd"}, Offline: offline,
		},
		Code: &storage.Code{ID: h.ID, SecretHash: h.Hash(), RedirectURI: redirectURI, Challenge: challenge, Nonce: "n", Expires: expires},
		Idle: 10 * time.Hour, Now: now, Origin: origin,
	}
}

// newCode issues a code for the session of v.
func (r *room) newCode(v visit, offline bool) (storage.Handle, storage.Code) {
	r.Helper()
	h, issue := makeIssue(v, offline)
	r.ok(r.Authorize(r.ctx(), issue))
	code := *issue.Code
	code.Authorization = issue.Authorization
	return h, code
}

// makeFront is the family of an access token that goes out with the response of issue.
func makeFront(issue *storage.Issue) storage.Family {
	f := makeFamily()
	issue.Front = &f
	f.Authorization = issue.Authorization.InFront()
	return f
}

// redemption is how the right client spends a code.
func redemption(h storage.Handle) storage.Redemption {
	return storage.Redemption{Code: h, Client: clientID, RedirectURI: redirectURI, Verifier: verifier, Now: now, Origin: origin}
}

// makeFamily is a family as the token endpoint hands it to RedeemCode.
func makeFamily() storage.Family {
	return storage.Family{
		ID: storage.NewID(now), Moved: now, MACKey: 7, Created: now, IdleExpires: now.Add(14 * 24 * time.Hour), Expires: now.Add(90 * 24 * time.Hour),
	}
}

// newFamily spends a new code of the session of v.
func (r *room) newFamily(v visit, offline bool) storage.Family {
	r.Helper()
	h, _ := r.newCode(v, offline)
	redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
	r.ok(err)
	return redeemed.Family
}

// rotation is how the right client presents a generation of a family.
func rotation(f storage.Family, generation uint32) storage.Rotation {
	return storage.Rotation{
		Family: f.ID, Generation: generation, Client: clientID, Window: 10 * time.Second, Idle: 20 * 24 * time.Hour, Now: now.Add(time.Hour), Origin: origin,
	}
}

// stored returns a family as the store has it.
func (r *room) stored(f storage.Family) storage.FamilyState {
	r.Helper()
	state, err := r.Family(r.ctx(), f.ID)
	r.ok(err)
	return state
}

// unchanged fails the test unless the store has f as it is.
func (r *room) unchanged(f storage.Family) {
	r.Helper()
	r.same(r.stored(f).Family, f)
}

// forged is h with another secret.
func forged(h storage.Handle) storage.Handle {
	h.Secret[0] ^= 1
	return h
}
