package storage

import (
	"errors"
	"testing"
	"time"

	"signet/audit"
)

// The example of RFC 7636 appendix B.
const (
	rfc7636Verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfc7636Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestCodeRedeem(t *testing.T) {
	t.Parallel()
	code := Code{Authorization: Authorization{Client: "app"}, RedirectURI: "https://a/cb", Challenge: rfc7636Challenge, Expires: noon}
	right := Redemption{Client: "app", RedirectURI: "https://a/cb", Verifier: rfc7636Verifier, Now: noon.Add(-time.Millisecond)}
	for _, c := range []struct {
		name  string
		alter func(*Code, *Redemption)
		want  error
	}{
		{"RFC 6749 4.1.3: the right client, redirect URI and verifier", func(*Code, *Redemption) {}, nil},
		{"RFC 6749 4.1.3: issued to another client", func(_ *Code, r *Redemption) { r.Client = "other" }, ErrOtherClient},
		{"RFC 6749 4.1.3: another client's spent code is not a replay", func(c *Code, r *Redemption) { c.Spent, r.Client = true, "other" }, ErrOtherClient},
		{"RFC 6749 4.1.2: used twice", func(c *Code, _ *Redemption) { c.Spent = true }, ErrSpent},
		{"RFC 6749 4.1.2: used twice, and expired meanwhile", func(c *Code, r *Redemption) { c.Spent, r.Now = true, noon.Add(time.Hour) }, ErrSpent},
		{"RFC 6749 4.1.2: used twice, by someone who knows no verifier", func(c *Code, r *Redemption) { c.Spent, r.Verifier = true, "" }, ErrSpent},
		{"RFC 6749 4.1.2: expired to the millisecond", func(_ *Code, r *Redemption) { r.Now = noon }, ErrExpired},
		{"RFC 6749 4.1.3: another redirect URI", func(_ *Code, r *Redemption) { r.RedirectURI = "https://a/cb/" }, ErrRedirectURI},
		{"RFC 6749 4.1.3: no redirect URI", func(_ *Code, r *Redemption) { r.RedirectURI = "" }, ErrRedirectURI},
		{"RFC 7636 4.6: another verifier", func(_ *Code, r *Redemption) { r.Verifier = rfc7636Verifier + "A" }, ErrVerifier},
		{"RFC 7636 4.6: the challenge as verifier (plain)", func(_ *Code, r *Redemption) { r.Verifier = rfc7636Challenge }, ErrVerifier},
		{"RFC 7636 4.6: no verifier", func(_ *Code, r *Redemption) { r.Verifier = "" }, ErrVerifier},
		{"RFC 9700 4.8.2: a verifier without a challenge", func(c *Code, _ *Redemption) { c.Challenge = "" }, ErrVerifier},
		{"RFC 9700 2.1.1: neither challenge nor verifier", func(c *Code, r *Redemption) { c.Challenge, r.Verifier = "", "" }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, r := code, right
			c.alter(&code, &r)
			if err := code.Redeem(r); !errors.Is(err, c.want) {
				t.Errorf("the answer is %v, want %v", err, c.want)
			}
		})
	}
}

func TestFamilyRotate(t *testing.T) {
	t.Parallel()
	user := User{Sub: "ann", Epoch: 3}
	family := Family{
		Authorization: Authorization{Client: "app", User: "ann", Epoch: 3, Scopes: []string{"openid", "offline_access"}, Offline: true},
		Generation:    5, Moved: noon, IdleExpires: noon.Add(24 * time.Hour), Expires: noon.Add(48 * time.Hour),
	}
	use := Rotation{Generation: 5, Client: "app", Window: 10 * time.Second, Idle: 20 * time.Hour, Now: noon.Add(time.Hour)}
	const soon = 9 * time.Second
	for _, c := range []struct {
		name       string
		alter      func(*Family, *User, *Rotation)
		want       error
		generation uint32
		ended      audit.Event
	}{
		{"RFC 9700 4.14.2: the current generation moves on", func(*Family, *User, *Rotation) {}, nil, 6, ""},
		{"the current generation stays where the client keeps it", func(_ *Family, _ *User, r *Rotation) { r.Keep = true }, nil, 5, ""},
		{"the one before, within the window, gives the same successor", func(_ *Family, _ *User, r *Rotation) { r.Generation, r.Now = 4, noon.Add(soon) }, nil, 5, ""},
		{"the one before, after the window, is theft", func(_ *Family, _ *User, r *Rotation) { r.Generation, r.Now = 4, noon.Add(10*time.Second) }, ErrReused, 5, audit.RefreshReused},
		{"the one before that, within the window, is theft", func(_ *Family, _ *User, r *Rotation) { r.Generation, r.Now = 3, noon.Add(soon) }, ErrReused, 5, audit.RefreshReused},
		{"no window, no grace", func(_ *Family, _ *User, r *Rotation) { r.Generation, r.Now, r.Window = 4, noon, 0 }, ErrReused, 5, audit.RefreshReused},
		{"a generation to come closes the family without the word theft", func(_ *Family, _ *User, r *Rotation) { r.Generation = 6 }, ErrAhead, 5, audit.RefreshAhead},
		{"the greatest generation is to come, not before the first", func(f *Family, _ *User, r *Rotation) { f.Generation, r.Generation, r.Now = 0, 1<<32-1, noon.Add(soon) }, ErrAhead, 0, audit.RefreshAhead},
		{"RFC 6749 6: issued to another client, whatever the generation", func(_ *Family, _ *User, r *Rotation) { r.Client, r.Generation = "other", 1 }, ErrOtherClient, 5, ""},
		{"RFC 6749 6: a scope that was not granted", func(_ *Family, _ *User, r *Rotation) { r.Scopes = []string{"openid", "email"} }, ErrScope, 5, ""},
		{"RFC 6749 6: a narrower scope", func(_ *Family, _ *User, r *Rotation) { r.Scopes = []string{"openid"} }, nil, 6, ""},
		{"a wrong scope ends nothing, even with an old generation", func(_ *Family, _ *User, r *Rotation) { r.Scopes, r.Generation = []string{"x"}, 1 }, ErrScope, 5, ""},
		{"without offline_access there is no refresh token", func(f *Family, _ *User, _ *Rotation) { f.Authorization.Offline = false }, ErrNotFound, 5, ""},
		{"an ended family", func(f *Family, _ *User, _ *Rotation) { f.Ended = noon }, ErrEnded, 5, ""},
		{"a disabled user", func(_ *Family, u *User, _ *Rotation) { u.Disabled = true }, ErrEnded, 5, ""},
		{"a removed user", func(_ *Family, u *User, _ *Rotation) { *u = User{} }, ErrEnded, 5, ""},
		{"a user of another epoch", func(_ *Family, u *User, _ *Rotation) { u.Epoch++ }, ErrEnded, 5, ""},
		{"idle for too long", func(f *Family, _ *User, r *Rotation) { r.Now = f.IdleExpires }, ErrExpired, 5, ""},
		{"too old", func(f *Family, _ *User, r *Rotation) { f.IdleExpires, r.Now = f.Expires.Add(1), f.Expires }, ErrExpired, 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, u, r := family, user, use
			c.alter(&f, &u, &r)
			next, err := f.Rotate(u, r)
			if !errors.Is(err, c.want) {
				t.Errorf("the answer is %v, want %v", err, c.want)
			}
			if next.Generation != c.generation {
				t.Errorf("the generation is %d, want %d", next.Generation, c.generation)
			}
			if c.ended != "" && (!next.Ended.Equal(r.Now) || next.EndedBy != string(c.ended)) {
				t.Errorf("it ended %v by %q", next.Ended, next.EndedBy)
			}
			if c.ended == "" && !next.Ended.Equal(f.Ended) {
				t.Error("it ended")
			}
		})
	}
	t.Run("a use moves the idle expiry, at most to the end", func(t *testing.T) {
		t.Parallel()
		next, err := family.Rotate(user, use)
		if want := use.Now.Add(use.Idle); err != nil || !next.IdleExpires.Equal(want) || !next.Moved.Equal(use.Now) {
			t.Errorf("it is %v, want %v; %v", next.IdleExpires, want, err)
		}
		r := use
		r.Idle = 100 * time.Hour
		if next, _ = family.Rotate(user, r); !next.IdleExpires.Equal(family.Expires) {
			t.Errorf("it is %v, want %v", next.IdleExpires, family.Expires)
		}
	})
}

func TestLive(t *testing.T) {
	t.Parallel()
	user := User{Sub: "ann", Epoch: 1}
	session := Session{User: "ann", Epoch: 1, IdleExpires: noon, Expires: noon.Add(time.Hour)}
	client := Client{ID: "app", GrantTypes: []string{"authorization_code"}}
	family := Family{Authorization: Authorization{Client: "app", User: "ann", Session: ID{1}, Epoch: 1}, IdleExpires: noon, Expires: noon.Add(time.Hour)}
	before := noon.Add(-time.Millisecond)
	for _, c := range []struct {
		name  string
		alter func(*FamilyState)
		now   time.Time
		want  error
	}{
		{"everything lives", func(*FamilyState) {}, before, nil},
		{"the family expired", func(s *FamilyState) { s.Session.IdleExpires = noon.Add(1) }, noon, ErrExpired},
		{"the session expired", func(s *FamilyState) { s.Family.IdleExpires = noon.Add(1) }, noon, ErrExpired},
		{"the session ended", func(s *FamilyState) { s.Session.Ended = before }, before, ErrEnded},
		{"the session ended, with offline_access", func(s *FamilyState) { s.Session.Ended, s.Family.Authorization.Offline = before, true }, before, nil},
		{"the session was swept", func(s *FamilyState) { s.Session = Session{} }, before, ErrEnded},
		{"the session was swept, with offline_access", func(s *FamilyState) { s.Session, s.Family.Authorization.Offline = Session{}, true }, before, nil},
		{"nobody signed in", func(s *FamilyState) { s.Session, s.Family.Authorization.Session = Session{}, ID{} }, before, nil},
		{"nobody signed in, and the user is disabled", func(s *FamilyState) {
			s.Session, s.Family.Authorization.Session, s.User.Disabled = Session{}, ID{}, true
		}, before, ErrEnded},
		{"the user was removed", func(s *FamilyState) { s.User, s.Family.Authorization.Offline = User{}, true }, before, ErrEnded},
		{"the session is of another user", func(s *FamilyState) { s.Session.User = "bob" }, before, ErrEnded},
		{"the client was removed", func(s *FamilyState) { s.Client, s.Family.Authorization.Offline = Client{}, true }, before, ErrEnded},
		{"the client was put out of use", func(s *FamilyState) { s.Client.GrantTypes = nil }, before, ErrEnded},
		{"the epoch moved on", func(s *FamilyState) { s.User.Epoch++ }, before, ErrEnded},
		{"the user is disabled", func(s *FamilyState) { s.User.Disabled = true }, before, ErrEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			state := FamilyState{Family: family, Client: client, User: user, Session: session}
			c.alter(&state)
			if err := state.Live(c.now); !errors.Is(err, c.want) {
				t.Errorf("the answer is %v, want %v", err, c.want)
			}
		})
	}
}

func TestLoginKey(t *testing.T) {
	t.Parallel()
	for login, want := range map[string]string{"Ann": "ann", " ann@Example.COM ": "ann@example.com", "ａｎｎ": "ann", "": "", " ": "", "ÄNN": "änn"} {
		if got := LoginKey(login); got != want {
			t.Errorf("%q is %q, want %q", login, got, want)
		}
	}
}
