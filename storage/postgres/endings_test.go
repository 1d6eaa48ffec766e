package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// street is two nodes on one database, with a client that wants to hear of logouts.
type street struct {
	*testing.T
	nodes [2]*Store
}

func newStreet(t *testing.T) street {
	t.Helper()
	url := postgrestest.Database(t)
	s := street{t, [2]*Store{openTest(t, url), openTest(t, url)}}
	_, err := s.nodes[0].SaveClient(t.Context(), storage.Client{ID: clientID, GrantTypes: []string{"authorization_code"}, BackchannelLogoutURI: "https://app.example/out"}, change)
	s.ok(err)
	return s
}

func (s street) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// both does one act at each node, at once.
func (s street) both(acts ...func(*Store)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, act := range acts {
		all.Go(func() {
			<-start
			act(s.nodes[i%2])
		})
	}
	close(start)
	all.Wait()
}

// code issues a code in a session.
func (s street) code(issue storage.Issue) storage.Handle {
	s.Helper()
	h := storage.NewHandle(epoch.Add(time.Minute))
	issue.Code = &storage.Code{ID: h.ID, SecretHash: h.Hash(), Expires: epoch.Add(time.Minute)}
	s.ok(s.nodes[0].Authorize(s.Context(), issue))
	return h
}

// device is a device that the user of issue agreed to.
func (s street) device(issue storage.Issue) storage.Handle {
	s.Helper()
	h := storage.NewHandle(epoch.Add(time.Minute))
	s.ok(s.nodes[0].BeginDevice(s.Context(), storage.DeviceGrant{
		ID: h.ID, SecretHash: h.Hash(), UserCode: "BCDFGHJK", Client: clientID, Created: epoch, Expires: epoch.Add(time.Minute), State: storage.DevicePending,
	}, 9))
	s.ok(s.nodes[0].DecideDevice(s.Context(), storage.DeviceDecision{
		UserCode: "BCDFGHJK", Allow: true, Authorization: issue.Authorization, Idle: issue.Idle, Now: epoch,
	}))
	return h
}

func (s street) poll(h storage.Handle) (storage.Family, error) {
	done, err := s.nodes[0].PollDevice(context.Background(), storage.DevicePoll{Code: h, Client: clientID, Now: epoch}, newFamily())
	return done.Family, err
}

func newFamily() storage.Family {
	return storage.Family{ID: storage.NewID(epoch), Created: epoch, Moved: epoch, IdleExpires: epoch.Add(30 * day), Expires: epoch.Add(365 * day)}
}

// begun is what an act answered with while everything was ended.
type begun struct {
	mu       sync.Mutex
	families []storage.Family
}

func (b *begun) add(f storage.Family, err error) error {
	if err == nil {
		b.mu.Lock()
		b.families = append(b.families, f)
		b.mu.Unlock()
	}
	return err
}

// over fails the test unless all that was answered is dead and marked.
func (s street) over(b *begun) {
	s.Helper()
	marks, err := s.nodes[0].Marked(s.Context(), epoch)
	s.ok(err)
	for _, f := range b.families {
		state, err := s.nodes[1].Family(s.Context(), f.ID)
		s.ok(err)
		if err := state.Live(epoch); !errors.Is(err, storage.ErrEnded) {
			s.Errorf("a family that was begun meanwhile is alive: %v", err)
		}
		if f.Status == 0 || !slices.Contains(marks.Numbers, f.Status) {
			s.Errorf("the number %d of a family that was begun meanwhile is not marked", f.Status)
		}
	}
}

const rounds = 12

// TestEndedMeanwhile holds that of what begins at one node while it is ended at the other nothing lives on, and nothing is forgotten.
func TestEndedMeanwhile(t *testing.T) {
	t.Parallel()
	redeem := func(s street, b *begun, h storage.Handle) func(*Store) {
		return func(n *Store) {
			r, err := n.RedeemCode(context.Background(), storage.Redemption{Code: h, Client: clientID, Now: epoch}, newFamily())
			if err := b.add(r.Family, err); err != nil && !errors.Is(err, storage.ErrEnded) {
				s.Error(err)
			}
		}
	}
	endUser := func(s street, sub string) func(*Store) {
		return func(n *Store) {
			if _, err := n.EndUser(context.Background(), sub, change); err != nil {
				s.Error(err)
			}
		}
	}
	for name, test := range map[string]func(s street, b *begun, issue storage.Issue){
		"codes are redeemed, and the user is ended": func(s street, b *begun, issue storage.Issue) {
			h, other := s.code(issue), s.code(issue)
			s.both(redeem(s, b, h), endUser(s, issue.Authorization.User), redeem(s, b, other))
		},
		"codes are redeemed, and the user is disabled": func(s street, b *begun, issue storage.Issue) {
			h, other := s.code(issue), s.code(issue)
			user, err := s.nodes[0].User(s.Context(), issue.Authorization.User)
			s.ok(err)
			user.Disabled = true
			s.both(redeem(s, b, h), func(n *Store) {
				if _, err := n.SaveUser(context.Background(), user, false, change); err != nil {
					s.Error(err)
				}
			}, redeem(s, b, other))
		},
		"codes are redeemed, and the user is removed": func(s street, b *begun, issue storage.Issue) {
			h, other := s.code(issue), s.code(issue)
			s.both(redeem(s, b, h), func(n *Store) {
				if err := n.RemoveUser(context.Background(), issue.Authorization.User, change); err != nil {
					s.Error(err)
				}
			}, redeem(s, b, other))
		},
		"codes without offline_access are redeemed, and the session is ended": func(s street, b *begun, issue storage.Issue) {
			issue.Authorization.Offline = false
			h, other := s.code(issue), s.code(issue)
			s.both(redeem(s, b, h), func(n *Store) {
				if _, err := n.EndSessions(context.Background(), []storage.ID{issue.Authorization.Session}, change); err != nil {
					s.Error(err)
				}
			}, redeem(s, b, other))
		},
		"the front channel issues, and the session is ended": func(s street, b *begun, issue storage.Issue) {
			front := func(n *Store) {
				issue, f := issue, newFamily()
				issue.Front = &f
				err := n.Authorize(context.Background(), issue)
				if err := b.add(f, err); err != nil && !errors.Is(err, storage.ErrEnded) {
					s.Error(err)
				}
			}
			s.both(front, func(n *Store) {
				if _, err := n.EndSessions(context.Background(), []storage.ID{issue.Authorization.Session}, change); err != nil {
					s.Error(err)
				}
			}, front)
		},
		"one access token is revoked, the family goes on, and the user is ended": func(s street, b *begun, issue storage.Issue) {
			r, err := s.nodes[0].RedeemCode(s.Context(), storage.Redemption{Code: s.code(issue), Client: clientID, Now: epoch}, newFamily())
			s.ok(err)
			s.ok(b.add(r.Family, nil))
			s.both(func(n *Store) {
				for generation := range uint32(3) {
					if err := n.EndAccess(context.Background(), r.Family.ID, generation, clientID, change); err != nil {
						s.Error(err)
					}
					f, _, err := n.RotateFamily(context.Background(), rotation(r.Family, generation))
					if err := b.add(f, err); err != nil {
						if !errors.Is(err, storage.ErrEnded) {
							s.Error(err)
						}
						return
					}
				}
			}, endUser(s, issue.Authorization.User))
		},
		"a family of an older program gets its number, and the user is ended": func(s street, b *begun, issue storage.Issue) {
			r, err := s.nodes[0].RedeemCode(s.Context(), storage.Redemption{Code: s.code(issue), Client: clientID, Now: epoch}, newFamily())
			s.ok(err)
			if _, err := s.nodes[0].pool.Exec(s.Context(), `UPDATE signet.families SET status = 0 WHERE id = $1`, r.Family.ID[:]); err != nil {
				s.Fatal(err)
			}
			s.both(func(n *Store) {
				f, _, err := n.RotateFamily(context.Background(), rotation(r.Family, 0))
				if err := b.add(f, err); err != nil && !errors.Is(err, storage.ErrEnded) {
					s.Error(err)
				}
			}, endUser(s, issue.Authorization.User))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t)
			total := 0
			for i := range rounds {
				var b begun
				test(s, &b, plantSession(t, s.nodes[0], fmt.Sprint("user", i)))
				s.over(&b)
				total += len(b.families)
			}
			t.Logf("%d families were begun meanwhile", total)
		})
	}
	t.Run("somebody signs in and an app takes part, and the user is ended: the app is told of it", func(t *testing.T) {
		t.Parallel()
		s := newStreet(t)
		for i := range rounds {
			sub := fmt.Sprint("user", i)
			plantSession(t, s.nodes[0], sub)
			in, h := makeSignIn(t, s.nodes[0], sub)
			issue := storage.Issue{Authorization: storage.Authorization{Client: clientID, User: sub, Scopes: []string{"openid"}}, Now: epoch, Idle: time.Hour}
			var answered, told bool
			var ended storage.Ended
			s.both(func(n *Store) {
				done, err := n.SignIn(context.Background(), in)
				if err != nil {
					return
				}
				issue.Authorization.Session = done.Session.ID
				answered = n.Authorize(context.Background(), issue) == nil
			}, func(n *Store) {
				var err error
				if ended, err = n.EndUser(context.Background(), sub, change); err != nil {
					s.Error(err)
				}
			})
			notices, err := s.nodes[0].Notices(t.Context(), ended.ID)
			s.ok(err)
			told = slices.ContainsFunc(notices, func(n storage.Notice) bool { return n.Session == issue.Authorization.Session })
			if answered != told {
				t.Errorf("the app was answered: %v, and is told of the end: %v", answered, told)
			}
			if _, live, err := s.nodes[1].Browser(t.Context(), h, epoch); err == nil && len(live) > 0 {
				t.Error("the session is alive")
			}
		}
	})
}

// halt locks rows, does an act that has to wait for them with its commit, then what happens meanwhile, and lets the act go on.
func (s street) halt(lock string, key any, act func(), meanwhile func()) {
	s.Helper()
	tx, err := s.nodes[0].pool.Begin(s.Context())
	s.ok(err)
	defer tx.Rollback(context.Background())
	_, err = tx.Exec(s.Context(), lock, key)
	s.ok(err)
	var acts sync.WaitGroup
	acts.Go(act)
	for waits := false; !waits && !s.Failed(); time.Sleep(time.Millisecond) {
		s.ok(s.nodes[0].pool.QueryRow(s.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).
			Scan(&waits))
	}
	meanwhile()
	s.ok(tx.Rollback(s.Context()))
	acts.Wait()
}

// TestHalted puts one act between another's reading and its commit.
func TestHalted(t *testing.T) {
	t.Parallel()
	const (
		lockCode    = `SELECT FROM signet.codes WHERE id = $1 FOR UPDATE`
		lockUser    = `SELECT FROM signet.users WHERE sub = $1 FOR SHARE`
		lockSession = `SELECT FROM signet.sessions WHERE id = $1 FOR SHARE`
	)
	redeem := func(s street, b *begun, h storage.Handle) error {
		r, err := s.nodes[0].RedeemCode(s.Context(), storage.Redemption{Code: h, Client: clientID, Now: epoch}, newFamily())
		return b.add(r.Family, err)
	}
	for name, test := range map[string]func(s street, b *begun, issue storage.Issue){
		"the user is ended before a redemption commits": func(s street, b *begun, issue storage.Issue) {
			h := s.code(issue)
			s.halt(lockCode, h.ID[:], func() {
				if err := redeem(s, b, h); !errors.Is(err, storage.ErrEnded) {
					s.Error(err)
				}
			}, func() {
				_, err := s.nodes[1].EndUser(s.Context(), issue.Authorization.User, change)
				s.ok(err)
			})
		},
		"the session is ended before a redemption commits": func(s street, b *begun, issue storage.Issue) {
			issue.Authorization.Offline = false
			h := s.code(issue)
			s.halt(lockCode, h.ID[:], func() {
				if err := redeem(s, b, h); !errors.Is(err, storage.ErrEnded) {
					s.Error(err)
				}
			}, func() {
				_, err := s.nodes[1].EndSessions(s.Context(), []storage.ID{issue.Authorization.Session}, change)
				s.ok(err)
			})
		},
		"a family is begun before the end of its user commits": func(s street, b *begun, issue storage.Issue) {
			h := s.code(issue)
			s.halt(lockUser, issue.Authorization.User, func() {
				ended, err := s.nodes[1].EndUser(s.Context(), issue.Authorization.User, change)
				if err != nil || ended.Families != 1 {
					s.Errorf("%d families, %v", ended.Families, err)
				}
			}, func() { s.ok(redeem(s, b, h)) })
		},
		"a family gets another number before the end of its user commits": func(s street, b *begun, issue storage.Issue) {
			s.ok(redeem(s, b, s.code(issue)))
			f := b.families[0]
			s.halt(lockUser, issue.Authorization.User, func() {
				_, err := s.nodes[1].EndUser(s.Context(), issue.Authorization.User, change)
				if err != nil {
					s.Error(err)
				}
			}, func() {
				s.ok(s.nodes[0].EndAccess(s.Context(), f.ID, f.Series, clientID, change))
				next, _, err := s.nodes[0].RotateFamily(s.Context(), rotation(f, 0))
				s.ok(b.add(next, err))
			})
		},
		"a family is begun before the end of its session commits": func(s street, b *begun, issue storage.Issue) {
			issue.Authorization.Offline = false
			h := s.code(issue)
			s.halt(lockSession, issue.Authorization.Session[:], func() {
				ended, err := s.nodes[1].EndSessions(s.Context(), []storage.ID{issue.Authorization.Session}, change)
				if err != nil || ended.Families != 1 {
					s.Errorf("%d families, %v", ended.Families, err)
				}
			}, func() { s.ok(redeem(s, b, h)) })
		},
		"what a device waits for is withdrawn before its poll commits": func(s street, b *begun, issue storage.Issue) {
			h := s.device(issue)
			s.halt(`SELECT FROM signet.devices WHERE id = $1 FOR UPDATE`, h.ID[:], func() {
				if err := b.add(s.poll(h)); !errors.Is(err, storage.ErrEnded) {
					s.Error(err)
				}
			}, func() {
				_, err := s.nodes[1].Withdraw(s.Context(), issue.Authorization.User, clientID, change)
				s.ok(err)
			})
		},
		"a device gets a family before a withdrawal commits": func(s street, b *begun, issue storage.Issue) {
			h := s.device(issue)
			s.halt(lockSession, issue.Authorization.Session[:], func() {
				ended, err := s.nodes[1].Withdraw(s.Context(), issue.Authorization.User, clientID, change)
				if err != nil || ended.Families != 1 {
					s.Errorf("%d families, %v", ended.Families, err)
				}
			}, func() { s.ok(b.add(s.poll(h))) })
		},
		"a family is granted before the end of its user commits": func(s street, b *begun, issue storage.Issue) {
			s.halt(lockUser, issue.Authorization.User, func() {
				ended, err := s.nodes[1].EndUser(s.Context(), issue.Authorization.User, change)
				if err != nil || ended.Families != 1 {
					s.Errorf("%d families, %v", ended.Families, err)
				}
			}, func() {
				f := newFamily()
				f.Authorization = issue.Authorization
				s.ok(b.add(s.nodes[0].GrantFamily(s.Context(), f, change)))
			})
		},
		"somebody signs in and an app takes part before the end of the user commits": func(s street, _ *begun, issue storage.Issue) {
			sub := issue.Authorization.User
			in, _ := makeSignIn(s.T, s.nodes[0], sub)
			var ended storage.Ended
			s.halt(lockUser, sub, func() {
				var err error
				if ended, err = s.nodes[1].EndUser(s.Context(), sub, change); err != nil {
					s.Error(err)
				}
			}, func() {
				done, err := s.nodes[0].SignIn(s.Context(), in)
				s.ok(err)
				issue.Authorization.Session = done.Session.ID
				s.code(issue)
			})
			notices, err := s.nodes[0].Notices(s.Context(), ended.ID)
			s.ok(err)
			if len(ended.Sessions) != 2 || len(notices) != 1 || notices[0].Session != issue.Authorization.Session {
				s.Errorf("%d sessions, notices %+v", len(ended.Sessions), notices)
			}
		},
		"the user is ended before a sign-in commits": func(s street, _ *begun, issue storage.Issue) {
			in, _ := makeSignIn(s.T, s.nodes[0], issue.Authorization.User)
			ended := make(chan error, 1)
			s.halt(`SELECT FROM signet.interactions WHERE id = $1 FOR UPDATE`, in.Interaction.ID[:], func() {
				if _, err := s.nodes[0].SignIn(s.Context(), in); err != nil {
					s.Error(err)
				}
			}, func() {
				go func() {
					_, err := s.nodes[1].EndUser(s.Context(), issue.Authorization.User, change)
					ended <- err
				}()
				time.Sleep(50 * time.Millisecond) // it waits for the sign-in, and then has to see it
			})
			s.ok(<-ended)
			if su, err := s.nodes[0].Session(s.Context(), in.Session.ID); err != nil || su.Session.Ended.IsZero() {
				s.Errorf("the session is %+v, %v", su.Session, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t)
			var b begun
			test(s, &b, plantSession(t, s.nodes[0], "ann"))
			s.over(&b)
		})
	}
}

// makeSignIn prepares a sign-in at a browser that is new.
func makeSignIn(t *testing.T, s *Store, sub string) (storage.SignIn, storage.Handle) {
	t.Helper()
	h, b := storage.NewHandle(epoch.Add(time.Hour)), storage.NewHandle(epoch)
	if err := s.BeginInteraction(t.Context(), storage.Interaction{ID: h.ID, SecretHash: h.Hash(), Created: epoch, Expires: epoch.Add(time.Hour)}, 1000); err != nil {
		t.Fatal(err)
	}
	return storage.SignIn{
		Interaction: h, Session: storage.Session{ID: storage.NewID(epoch), User: sub, Created: epoch, IdleExpires: epoch.Add(day), Expires: epoch.Add(day)},
		Browser: storage.Browser{ID: b.ID, SecretHash: b.Hash(), Created: epoch, Expires: epoch.Add(day)},
	}, b
}

// TestNoticesOfTwoNodes holds that no notice is claimed by two, and none is left.
func TestNoticesOfTwoNodes(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	const users = 60
	for i := range users {
		issue := plantSession(t, s.nodes[0], fmt.Sprint("user", i))
		s.code(issue)
		ended, err := s.nodes[i%2].EndSessions(t.Context(), []storage.ID{issue.Authorization.Session}, change)
		s.ok(err)
		if ended.Notices != 1 {
			t.Fatalf("%d notices, want 1", ended.Notices)
		}
	}
	var mu sync.Mutex
	claimed := map[storage.ID]int{}
	until := epoch.Add(time.Minute)
	claim := func(n *Store) {
		for {
			notices, err := n.ClaimNotices(context.Background(), epoch, until, 3)
			if err != nil {
				t.Error(err)
			}
			if len(notices) == 0 {
				return
			}
			for _, notice := range notices {
				mu.Lock()
				claimed[notice.Session]++
				mu.Unlock()
				if notice.Attempts != 1 || !notice.Next.Equal(until) {
					t.Errorf("%d attempts, the next at %v", notice.Attempts, notice.Next)
				}
			}
		}
	}
	s.both(claim, claim, claim, claim, claim, claim)
	for _, n := range claimed {
		if n != 1 {
			t.Errorf("a notice was claimed %d times", n)
		}
	}
	if len(claimed) != users { // what another node was just claiming was passed by, and is claimed by that one
		t.Errorf("%d notices were claimed, want %d", len(claimed), users)
	}
	// Whoever claimed them is gone: they are due again, and count on.
	again, err := s.nodes[1].ClaimNotices(t.Context(), until, until.Add(time.Minute), users*2)
	s.ok(err)
	if len(again) != users || again[0].Attempts != 2 {
		t.Errorf("%d are due again, want %d", len(again), users)
	}
	late := again[0]
	late.Attempts, late.State = 1, storage.NoticeDelivered
	if err := s.nodes[0].SettleNotice(t.Context(), late, change); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("who lost a claim settles it: %v", err)
	}
	for _, err := range race(s.nodes, func(n *Store, i int) error {
		done := again[0]
		done.State, done.Settled = storage.NoticeDelivered, until
		if err := n.SettleNotice(t.Context(), done, change); !errors.Is(err, storage.ErrConflict) {
			return err
		}
		return nil
	}) {
		s.ok(err)
	}
	if n := logged(t, s.nodes[0], audit.NoticeDelivered); n != 1 {
		t.Errorf("the log has %d deliveries, want 1", n)
	}
	pending, since, failed, err := s.nodes[0].Owed(t.Context(), 10)
	s.ok(err)
	if pending != users-1 || !since.Equal(epoch) || len(failed) != 0 {
		t.Errorf("%d are owed since %v, %d failed", pending, since, len(failed))
	}
}

// TestLargeUser holds an ending to a handful of statements, whatever there is to end.
func TestLargeUser(t *testing.T) {
	t.Parallel()
	const sessions, families = 100, 1000
	var trips atomic.Int64
	s := openTest(t, with(postgrestest.Database(t), "pool_max_conns=1"), counting(&trips))
	for n := range 3 { // a statement costs one more when a connection first meets it
		sub := plantMany(t, s, sessions, families)
		before := trips.Load()
		ended, err := s.EndUser(t.Context(), sub, change)
		if err != nil || len(ended.Sessions) != sessions || ended.Families != families || ended.Notices != sessions {
			t.Fatalf("%d sessions, %d families and %d notices: %v", len(ended.Sessions), ended.Families, ended.Notices, err)
		}
		if took := trips.Load() - before; n == 2 && took > 20 { // a hundred rows are more than one turn of the connection
			t.Errorf("it takes %d round trips", took)
		}
	}
	marks, err := s.Marked(t.Context(), epoch)
	if err != nil || len(marks.Numbers) != 3*families {
		t.Errorf("%d marks: %v", len(marks.Numbers), err)
	}
}

func BenchmarkEndUser(b *testing.B) {
	s := openTest(b, postgrestest.Database(b))
	for b.Loop() {
		b.StopTimer()
		sub := plantMany(b, s, 1000, 10_000)
		b.StartTimer()
		if _, err := s.EndUser(b.Context(), sub, change); err != nil {
			b.Fatal(err)
		}
	}
}

// plantMany stores a user with sessions, in each of which a client took part that wants to hear of their end, and families.
func plantMany(t testing.TB, s *Store, sessions, families int) (sub string) {
	t.Helper()
	client := rand.Text()
	sub = "user of " + client
	if _, err := s.SaveClient(t.Context(), storage.Client{ID: client, BackchannelLogoutURI: "https://app.example/out"}, change); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: sub, Name: sub}, false, change); err != nil {
		t.Fatal(err)
	}
	ids := make([]storage.ID, sessions)
	err := s.do(t.Context(), func(a *act) error {
		for i := range ids {
			ids[i] = storage.NewID(epoch)
			session := storage.Session{ID: ids[i], User: sub, Created: epoch, IdleExpires: epoch.Add(day), Expires: epoch.Add(day), Clients: []string{client}}
			a.write(insertSession, session.ID[:], sub, expiry(session.Expires), a.row(session))
		}
		return nil
	})
	for at := 0; err == nil && at < families; at += 1000 {
		err = s.do(t.Context(), func(a *act) error {
			for i := at; i < min(at+1000, families); i++ {
				f := newFamily()
				f.Authorization = storage.Authorization{Client: client, User: sub, Session: ids[i%sessions], Scopes: []string{"openid", "offline_access"}, Offline: i/sessions%2 == 0}
				a.insertFamily(f, &f.Status)
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// endEverything does each act of an ending's course once.
func endEverything(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sub := plantMany(t, s, 2, 4)
	sessions, err := s.Sessions(ctx, sub, epoch)
	ok(err)
	families, err := s.Families(ctx, sub, epoch)
	ok(err)
	client := families[0].Authorization.Client
	withdrawn, err := s.Withdraw(ctx, sub, client, change)
	ok(err)
	begun := plantMany(t, s, 2, 4)
	one, err := s.Sessions(ctx, begun, epoch)
	ok(err)
	ended, err := s.EndSessions(ctx, []storage.ID{one[0].ID}, change)
	ok(err)
	rest, err := s.EndUser(ctx, begun, change)
	ok(err)
	if len(sessions) != 2 || len(families) != 4 || withdrawn.Families != 4 || withdrawn.Notices != 2 || ended.Families != 1 || ended.Notices != 1 ||
		rest.Families != 3 || rest.Notices != 1 {
		t.Errorf("%d sessions, %d families; ended are %+v, %+v, %+v", len(sessions), len(families), withdrawn, ended, rest)
	}
	notices, err := s.ClaimNotices(ctx, epoch, epoch.Add(time.Minute), 10)
	ok(err)
	for i, n := range notices {
		n.State, n.Settled, n.Problem = storage.NoticeFailed, epoch.Add(time.Duration(i)*time.Second), "it hangs"
		ok(s.SettleNotice(ctx, n, change))
	}
	pending, _, failed, err := s.Owed(ctx, 3)
	ok(err)
	marks, err := s.Marked(ctx, epoch)
	ok(err)
	if len(notices) != 4 || pending != 0 || len(failed) != 3 || failed[2].Settled.Before(failed[0].Settled) || len(marks.Numbers) != 8 || marks.Given != 8 {
		t.Errorf("%d notices, %d pending, %d failed, marks %+v", len(notices), pending, len(failed), marks)
	}
	if n, _, err := s.Sweep(ctx, epoch.Add(storage.NoticeLife+time.Minute), 365*day, 100); err != nil || n < 4+8 {
		t.Errorf("%d rows were deleted: %v", n, err)
	}
}
