package issue_test

import (
	"context"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/issue"
	"signet/storage"
)

func subject(tb testing.TB, i *issue.Issuer, c storage.Client, user string) string {
	tb.Helper()
	s, err := i.Subject(c, storage.User{Sub: user})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSubject(t *testing.T) {
	t.Parallel()
	i := issuer(t, "https://id.example")
	pairwise := func(uris ...string) storage.Client {
		return storage.Client{SubjectType: "pairwise", RedirectURIs: uris}
	}
	one := subject(t, i, pairwise("https://one.example/cb"), "alice")

	t.Run("Core 8: public is the user's own", func(t *testing.T) {
		for _, typ := range []string{"", "public"} {
			if s := subject(t, i, storage.Client{SubjectType: typ}, "alice"); s != "alice" {
				t.Error(s)
			}
		}
	})
	t.Run("Core 8.1: it is not the user's own and not another user's", func(t *testing.T) {
		if one == "alice" || one == subject(t, i, pairwise("https://one.example/cb"), "bob") {
			t.Error(one)
		}
	})
	t.Run("Core 2: at most 255 ASCII characters", func(t *testing.T) {
		if len(one) > 255 {
			t.Error(len(one))
		}
	})
	t.Run("Core 8.1: one per sector", func(t *testing.T) {
		if one == subject(t, i, pairwise("https://two.example/cb"), "alice") {
			t.Error("two sectors see the same")
		}
	})
	t.Run("Core 8.1: the same for all clients of a sector, whatever port, path and case", func(t *testing.T) {
		for _, c := range []storage.Client{
			pairwise("https://one.example/other", "https://ONE.example:8443/cb"),
			{SubjectType: "pairwise", SectorIdentifierURI: "https://one.example/uris.json", RedirectURIs: []string{"https://two.example/cb", "https://three.example/cb"}},
		} {
			if s := subject(t, i, c, "alice"); s != one {
				t.Errorf("%v: %s", c, s)
			}
		}
	})
	t.Run("Core 8.1: several hosts without a sector_identifier_uri make none", func(t *testing.T) {
		for _, c := range []storage.Client{pairwise("https://one.example/cb", "https://two.example/cb"), pairwise(), pairwise("com.example.app:/cb")} {
			if s, err := i.Subject(c, storage.User{Sub: "alice"}); err == nil {
				t.Errorf("%v: %s", c, s)
			}
		}
	})
}

func TestPairwiseSubjectsOutliveEveryKey(t *testing.T) {
	t.Parallel()
	now := instant
	clock := func() time.Time { return now }
	ring := keystest.New(t, keys.Options{Now: clock, Algs: []string{"ES256"}})
	i := issue.New(issue.Options{Issuer: "https://id.example", Keys: ring, Now: clock})
	c := storage.Client{SubjectType: "pairwise", RedirectURIs: []string{"https://one.example/cb"}}
	before, mac := subject(t, i, c, "alice"), ring.MACKey()
	for range 24 {
		now = now.Add(31 * 24 * time.Hour)
		if err := ring.Tick(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if ring.MACKey() == mac {
		t.Fatal("nothing was rotated")
	}
	if after := subject(t, i, c, "alice"); after != before {
		t.Errorf("%s became %s", before, after)
	}
}
