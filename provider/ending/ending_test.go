package ending_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/fetch"
	"signet/provider/ending"
	"signet/provider/providertest"
	"signet/provider/session"
	"signet/storage"
)

// app is a client with a server that hears of logouts.
type app struct {
	storage.Client
	secret string
	mu     sync.Mutex
	tokens []string // that were posted
	answer http.HandlerFunc
}

// heard are the claims of the tokens that came.
func (a *app) heard(t *testing.T) (all []map[string]any) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, token := range a.tokens {
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]any
		if err := json.Unmarshal(body, &claims); err != nil {
			t.Fatal(err)
		}
		all = append(all, claims)
	}
	return all
}

// now changes what it answers.
func (a *app) now(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.tokens = append(a.tokens, r.PostForm.Get("logout_token"))
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// house is a provider and its user alice.
type house struct {
	*providertest.Server
	tb    *testing.T
	alice storage.User
}

func open(t *testing.T, change ...func(*providertest.Config)) *house {
	t.Helper()
	change = append([]func(*providertest.Config){func(c *providertest.Config) {
		c.Notices = true
		waiting(time.Minute)(c)
	}}, change...)
	h := &house{Server: providertest.New(t, change...), tb: t}
	h.alice = h.User("alice")
	return h
}

// waiting has attempts wait so long for an answer.
func waiting(timeout time.Duration) func(*providertest.Config) {
	return func(c *providertest.Config) {
		c.Fetch = fetch.New(fetch.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: timeout})
	}
}

// app registers a client with a server of its own.
func (h *house) app(name string, change ...func(*storage.Client)) *app {
	h.tb.Helper()
	a := &app{}
	server := httptest.NewServer(a)
	h.tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	a.Client, a.secret = h.Client("web", name, append([]func(*storage.Client){func(c *storage.Client) {
		c.BackchannelLogoutURI = server.URL + "/out?q=1"
		c.Trusted = true
	}}, change...)...)
	return a
}

// signIn signs alice in at a new browser for these apps, and returns it with her session there.
func (h *house) signIn(apps ...*app) (*providertest.Browser, storage.Session) {
	h.tb.Helper()
	before := h.sessions()
	b := h.Browser("alice")
	for _, a := range apps {
		b.Code(a.Client)
	}
	now := h.sessions()
	i := slices.IndexFunc(now, func(s storage.Session) bool {
		return !slices.ContainsFunc(before, func(old storage.Session) bool { return old.ID == s.ID })
	})
	return b, now[i]
}

func (h *house) sessions() []storage.Session {
	h.tb.Helper()
	all, err := h.Store.Sessions(h.tb.Context(), h.alice.Sub, h.Clock.Now())
	if err != nil {
		h.tb.Fatal(err)
	}
	return all
}

// end ends sessions as a logout does.
func (h *house) end(ids ...storage.ID) storage.Ended {
	h.tb.Helper()
	ended, err := h.Store.EndSessions(h.tb.Context(), ids, storage.Change{Now: h.Clock.Now()})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.Outbox.Wake()
	return ended
}

// receipts waits until they are as wanted.
func (h *house) receipts(id storage.ID, want func([]ending.Receipt) bool) []ending.Receipt {
	h.tb.Helper()
	var all []ending.Receipt
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		var err error
		if all, err = (ending.Receipts{Store: h.Store}).Of(h.tb.Context(), id); err != nil {
			h.tb.Fatal(err)
		}
		if want(all) {
			return all
		}
	}
	h.tb.Fatalf("receipts: %+v", all)
	return nil
}

func settled(all []ending.Receipt) bool { return !ending.Pending(all) }

// tried says that the first attempt has failed, and the notice waits for another.
func tried(all []ending.Receipt) bool {
	return len(all) > 0 && all[0].State == storage.NoticePending && all[0].Problem != ""
}

// counting refuses and says how often; after says that it has done so n times. A notice that is being tried has the problem of the time
// before.
func counting() http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		says(500, fmt.Sprintf(`{"error":"no %d"}`, n.Add(1)))(w, r)
	}
}

func after(n int) func([]ending.Receipt) bool {
	return func(all []ending.Receipt) bool {
		return len(all) > 0 && (all[0].Problem == fmt.Sprintf("its server answers 500: no %d", n) || settled(all))
	}
}

// Back-Channel Logout 2.3 and 2.5: each client that took part in the session hears of its end, once, by the session's name towards it.
func TestDelivers(t *testing.T) {
	t.Parallel()
	h := open(t)
	one, two, other := h.app("One"), h.app("Two", func(c *storage.Client) { c.SubjectType = "pairwise" }), h.app("Other")
	_, s := h.signIn(one, two)
	other.Name = "took no part"
	all := h.receipts(h.end(s.ID).ID, settled)
	if len(all) != 2 || all[0].Name != "One" || all[0].State != storage.NoticeDelivered || all[0].Attempts != 1 || all[0].Problem != "" || all[1].State != storage.NoticeDelivered {
		t.Errorf("%+v", all)
	}
	for _, a := range []*app{one, two} {
		heard := a.heard(t)
		if len(heard) != 1 || heard[0]["sid"] != session.SID(s.ID, a.ID) || heard[0]["aud"] != a.ID {
			t.Errorf("%s heard %v", a.Name, heard)
		}
	}
	if sub := two.heard(t)[0]["sub"]; sub == h.alice.Sub || sub == "" {
		t.Errorf("Core 8: a pairwise client hears of sub %v", sub)
	}
	if heard := other.heard(t); heard != nil {
		t.Errorf("who took no part heard %v", heard)
	}
}

// Section 2.8, and what stands in the documentation about the rest.
func TestAnswers(t *testing.T) {
	t.Parallel()
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, row := range map[string]struct {
		answer  http.HandlerFunc
		state   storage.NoticeState
		problem string
	}{
		"2.8: 200":                             {says(200, ""), storage.NoticeDelivered, ""},
		"2.8: 204":                             {says(204, ""), storage.NoticeDelivered, ""},
		"202 is neither":                       {says(202, ""), storage.NoticeFailed, "its server answers 202, which is neither 200 nor 204"},
		"2.8: 400 with its error":              {says(400, `{"error":"invalid_request","error_description":"secret"}`), storage.NoticeFailed, "its server answers 400: invalid_request"},
		"400 without":                          {says(400, `nothing`), storage.NoticeFailed, "its server answers 400"},
		"an error that is no text":             {says(400, `{"error":{"a":1}}`), storage.NoticeFailed, "its server answers 400"},
		"an error with controls and overrides": {says(400, `{"error":"a\u0000b\u001b[31mc\u202ed\n<script>"}`), storage.NoticeFailed, "its server answers 400: ab[31mcd<script>"},
		"an error that is long":                {says(400, `{"error":"`+strings.Repeat("é", 500)+`"}`), storage.NoticeFailed, "its server answers 400: " + strings.Repeat("é", 80) + "…"},
		"an error longer than is read":         {says(400, `{"error":"`+strings.Repeat("x", 1<<16)+`"}`), storage.NoticeFailed, "its server answers 400"},
		"404":                                  {says(404, ``), storage.NoticeFailed, "its server answers 404"},
		"501":                                  {says(501, `{"error":"unsupported"}`), storage.NoticePending, "its server answers 501: unsupported"},
		"500":                                  {says(500, ``), storage.NoticePending, "its server answers 500"},
		"503":                                  {says(503, ``), storage.NoticePending, "its server answers 503"},
		"408":                                  {says(408, ``), storage.NoticePending, "its server answers 408"},
		"429":                                  {says(429, ``), storage.NoticePending, "its server answers 429"},
		"it redirects":                         {redirect, storage.NoticeFailed, "its server answers 302, a redirect, and those are not followed"},
		"it hangs":                             {hang, storage.NoticePending, "its server does not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if name == "it hangs" {
				patience = 3 * time.Second // the time to reach it is in that
			}
			h := open(t, waiting(patience))
			a := h.app("App")
			a.now(row.answer)
			_, s := h.signIn(a)
			all := h.receipts(h.end(s.ID).ID, func(all []ending.Receipt) bool { return settled(all) || tried(all) })
			if len(all) != 1 || all[0].State != row.state || all[0].Problem != row.problem || all[0].Attempts != 1 {
				t.Errorf("%+v", all)
			}
			if n := len(a.heard(t)); n != 1 {
				t.Errorf("it was told %d times", n)
			}
		})
	}
}

// A client that comes back is told, with a token that was made for the attempt.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.app("App")
	a.now(counting())
	_, s := h.signIn(a)
	id := h.end(s.ID).ID
	for n, wait := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, time.Hour} {
		all := h.receipts(id, after(n+1))
		if next := all[0].Time.Sub(h.Clock.Now()); next != wait {
			t.Errorf("after attempt %d: the next one in %v, want %v", n+1, next, wait)
		}
		h.Clock.Advance(wait - time.Nanosecond)
		h.Outbox.Wake()
		time.Sleep(20 * time.Millisecond)
		if told := len(a.heard(t)); told != n+1 {
			t.Fatalf("told %d times before the time of attempt %d", told, n+2)
		}
		if n == 7 {
			a.now(nil)
		}
		h.Clock.Advance(time.Nanosecond)
		h.Outbox.Wake()
	}
	if all := h.receipts(id, settled); all[0].State != storage.NoticeDelivered || all[0].Attempts != 9 || all[0].Problem != "" {
		t.Errorf("%+v", all)
	}
	seen := map[any]bool{}
	last := 0.0
	for _, claims := range a.heard(t) {
		if seen[claims["jti"]] || claims["iat"].(float64) < last || claims["exp"].(float64) != claims["iat"].(float64)+120 {
			t.Errorf("a token was sent twice, or made before its time: %v", claims)
		}
		seen[claims["jti"]], last = true, claims["iat"].(float64)
	}
}

// It is given up after a day, with one attempt at its very end.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.app("App")
	a.now(counting())
	_, s := h.signIn(a)
	id := h.end(s.ID).ID
	began := h.Clock.Now()
	for n := 1; ; n++ {
		all := h.receipts(id, after(n))
		if settled(all) {
			if all[0].State != storage.NoticeFailed || !strings.HasSuffix(all[0].Problem, "; it was tried for a day") || all[0].Time.Sub(began) != 24*time.Hour {
				t.Errorf("%+v after %v", all, all[0].Time.Sub(began))
			}
			break
		}
		h.Clock.Advance(all[0].Time.Sub(h.Clock.Now()))
		h.Outbox.Wake()
	}
	_, _, failed, err := h.Store.Owed(t.Context(), 10)
	if err != nil || len(failed) != 1 || failed[0].Client != a.ID {
		t.Errorf("%+v %v", failed, err)
	}
}

// RFC 9110 section 10.2.3: a client says when it wants to be asked again.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"90": 90 * time.Second, "0": time.Second, "-1": time.Second, "soon": time.Second, "7200": 2 * time.Hour,
		"2147483647": 24 * time.Hour, "99999999999999999999": time.Second, "Fri, 31 Dec 2100 23:59:59 GMT": time.Second,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a := h.app("App")
			a.now(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			_, s := h.signIn(a)
			all := h.receipts(h.end(s.ID).ID, tried)
			if next := all[0].Time.Sub(h.Clock.Now()); next != want {
				t.Errorf("asked again in %v, want %v", next, want)
			}
		})
	}
}

// Whoever cannot be told is named, and why.
func TestCannotBeTold(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change  func(*house, *app)
		state   storage.NoticeState
		problem string
	}{
		"the client was removed": {func(h *house, a *app) {
			if err := h.Store.RemoveClient(h.tb.Context(), a.ID, storage.Change{Now: h.Clock.Now()}); err != nil {
				h.tb.Fatal(err)
			}
		}, storage.NoticeFailed, "the app is not registered any more"},
		"it has no address any more": {func(h *house, a *app) { h.save(a, func(c *storage.Client) { c.BackchannelLogoutURI = "" }) },
			storage.NoticeFailed, "the app has no backchannel_logout_uri any more"},
		"nobody is there": {func(h *house, a *app) {
			h.save(a, func(c *storage.Client) { c.BackchannelLogoutURI = "http://127.0.0.1:1/" })
		}, storage.NoticePending, "its server refuses the connection"},
		"an address that is not public": {func(h *house, a *app) {
			h.save(a, func(c *storage.Client) { c.BackchannelLogoutURI = "https://10.0.0.1/" })
		}, storage.NoticeFailed, "its backchannel_logout_uri leads where this server does not go"},
		"a certificate of nobody's": {func(h *house, a *app) {
			server := httptest.NewTLSServer(http.NotFoundHandler())
			h.tb.Cleanup(server.Close)
			h.save(a, func(c *storage.Client) { c.BackchannelLogoutURI = server.URL })
		}, storage.NoticePending, "the certificate of its server is not trusted"},
		"no key signs for it": {func(h *house, a *app) { h.save(a, func(c *storage.Client) { c.IDTokenAlg = "PS512" }) },
			storage.NoticePending, "no logout token could be made for the app"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a := h.app("App")
			a.now(says(500, "")) // while it is there
			_, s := h.signIn(a)
			id := h.end(s.ID).ID
			h.receipts(id, tried)
			row.change(h, a)
			h.Clock.Advance(time.Second)
			h.Outbox.Wake()
			all := h.receipts(id, func(all []ending.Receipt) bool { return all[0].Problem != "its server answers 500" })
			if all[0].State != row.state || all[0].Problem != row.problem || strings.Contains(fmt.Sprint(all), "10.0.0.1") {
				t.Errorf("%+v", all)
			}
		})
	}
}

func (h *house) save(a *app, change func(*storage.Client)) {
	h.tb.Helper()
	c, err := h.Store.Client(h.tb.Context(), a.ID)
	if err != nil {
		h.tb.Fatal(err)
	}
	change(&c)
	if _, err := h.Store.SaveClient(h.tb.Context(), c, storage.Change{Now: h.Clock.Now()}); err != nil {
		h.tb.Fatal(err)
	}
}

// hanging answers nothing until it gives up, and then breaks off, which is no answer either.
func hanging(giveUp <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-giveUp:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
		}
	}
}

// One server that hangs delays nobody, however much waits for it; and it is not stormed.
func TestHangingDelaysNobody(t *testing.T) {
	t.Parallel()
	h := open(t, waiting(5*time.Minute))
	slow, good := h.app("Slow"), h.app("Good")
	giveUp := make(chan struct{})
	hang := hanging(giveUp)
	var mu sync.Mutex
	var now, most int
	slow.now(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			now--
			mu.Unlock()
		}()
		hang(w, r)
	})
	var ids []storage.ID
	for range 20 {
		_, s := h.signIn(slow)
		ids = append(ids, s.ID)
	}
	_, s := h.signIn(good)
	first := h.end(ids...)
	if all := h.receipts(h.end(s.ID).ID, settled); all[0].State != storage.NoticeDelivered { // while the other one hangs
		t.Errorf("%+v", all)
	}
	close(giveUp)
	if all := h.receipts(first.ID, tried); all[0].Notices != 20 {
		t.Errorf("%+v", all)
	}
	began := time.Now()
	for n := 0; n < 20; { // all of them were settled by the few that were tried
		notices, err := h.Store.Notices(t.Context(), first.ID)
		if err != nil || time.Since(began) > 30*time.Second {
			t.Fatal("not all of them have an outcome", err)
		}
		n = 0
		for _, notice := range notices {
			if notice.Problem != "" {
				n++
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most > 2 || len(slow.heard(t)) > 6 {
		t.Errorf("%d at once, %d in all", most, len(slow.heard(t)))
	}
}

// Many servers that hang are of somebody, and delay nobody else.
func TestHangingAppsDelayNobodyElse(t *testing.T) {
	t.Parallel()
	h := open(t, waiting(5*time.Minute))
	mallory := h.User("mallory")
	b := h.Browser("mallory")
	for n := range 24 {
		a := h.app(fmt.Sprint("Hangs ", n))
		a.now(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		b.Code(a.Client)
	}
	_, s := h.signIn(h.app("Good"))
	if _, err := h.Store.EndUser(t.Context(), mallory.Sub, storage.Change{Now: h.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Second)                                                             // who waits longest is tried first
	if all := h.receipts(h.end(s.ID).ID, settled); all[0].State != storage.NoticeDelivered { // while all others hang
		t.Errorf("%+v", all)
	}
}

// Whoever registers an address at somebody else's server that hangs does not keep the others of that server from being tried.
func TestHangingAddressDelaysNoOtherClient(t *testing.T) {
	t.Parallel()
	h := open(t, waiting(5*time.Minute))
	good := h.app("Good")
	giveUp := make(chan struct{})
	hang := hanging(giveUp)
	good.now(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			hang(w, r)
		}
	})
	mallory := h.User("mallory")
	b := h.Browser("mallory")
	for n := range 8 {
		c, _ := h.Client("web", fmt.Sprint("Hangs ", n), func(c *storage.Client) {
			c.BackchannelLogoutURI, c.Trusted = strings.Replace(good.BackchannelLogoutURI, "/out", "/hang", 1), true
		})
		b.Code(c)
	}
	_, s := h.signIn(good)
	if _, err := h.Store.EndUser(t.Context(), mallory.Sub, storage.Change{Now: h.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Second) // who waits longest is tried first
	id := h.end(s.ID).ID
	h.receipts(id, func([]ending.Receipt) bool { // until it waits behind those that hang
		notices, err := h.Store.Notices(t.Context(), id)
		return err == nil && len(notices) == 1 && notices[0].Next.After(h.Clock.Now())
	})
	close(giveUp)
	all := h.receipts(id, func(all []ending.Receipt) bool { return settled(all) || tried(all) })
	if all[0].State != storage.NoticeDelivered {
		t.Errorf("%+v", all)
	}
}

// At the end, attempts under way come to their end, and what was not tried is due at once for whoever comes next.
func TestEnds(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *providertest.Config) { c.Ended = func() {} })
	a := h.app("App")
	begun, going := make(chan struct{}, 10), make(chan struct{})
	a.now(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-going
	})
	var ids []storage.ID
	for range 5 {
		_, s := h.signIn(a)
		ids = append(ids, s.ID)
	}
	ended := h.end(ids...)
	<-begun
	<-begun
	// The house's own worker has two in hand and three in wait. It ends with the test; a second one, on the same store, finds none of them.
	notices, err := h.Store.ClaimNotices(t.Context(), h.Clock.Now(), h.Clock.Now().Add(time.Minute), 10)
	if err != nil || len(notices) != 0 {
		t.Fatalf("claimed twice: %+v %v", notices, err)
	}
	h.StopOutbox(func() { close(going) })
	notices, err = h.Store.Notices(t.Context(), ended.ID)
	states := map[storage.NoticeState]int{}
	for _, n := range notices {
		states[n.State]++
		if n.State == storage.NoticePending && n.Next.After(h.Clock.Now()) {
			t.Errorf("nobody may have it before %v: %+v", n.Next, n)
		}
	}
	if err != nil || states[storage.NoticeDelivered] != 2 || states[storage.NoticePending] != 3 {
		t.Errorf("%v %v", states, err)
	}
}
