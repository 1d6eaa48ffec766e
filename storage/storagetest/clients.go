package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
)

// fullClient has something in each field.
func fullClient(id string) storage.Client {
	return storage.Client{
		ID: id, Name: "App", Type: "web", Origin: storage.OriginFile, SecretHash: storage.HashOf([]byte("secret")),
		TokenEndpointAuthMethod: "client_secret_basic", SealedSecret: []byte{1, 2, 3}, ApplicationType: "web",
		TokenEndpointAuthSigningAlg: "ES256", JWKS: []byte(`{"keys": []}`), JWKSURI: "https://app.example/keys", SubjectType: "pairwise",
		SectorIdentifierURI: "https://app.example/sector", InitiateLoginURI: "https://app.example/login",
		RequestURIs: []string{"https://app.example/request#hash"}, DefaultACRValues: []string{"mfa"},
		FrontchannelLogoutURI: "https://app.example/front", FrontchannelLogoutSessionRequired: true,
		BackchannelLogoutURI: "https://app.example/back", BackchannelLogoutSessionRequired: true,
		RegistrationTokens: []storage.Hash{storage.HashOf([]byte("r"))},
		RedirectURIs:       []string{redirectURI, "https://app.example/other"}, PostLogoutRedirectURIs: []string{"https://app.example/"},
		GrantTypes: []string{"authorization_code"}, ResponseTypes: []string{"code"}, Scopes: []string{"openid"}, IDTokenAlg: "RS256",
		Access: []storage.Access{{Resource: "https://api.example/", Scopes: []string{"read"}}}, Resources: []string{"https://orders.example/"},
		IDTokenClaims: storage.ClaimsByScope, RefreshRotation: storage.RotationKeep, PKCE: storage.PKCERequired, Trusted: true,
		DefaultMaxAge: new(300), RequireAuthTime: true, ClientURI: "https://app.example", LogoURI: "https://app.example/l.png",
		PolicyURI: "https://app.example/p", TosURI: "https://app.example/t", Contacts: []string{"a@example.com"}, Created: now, Updated: now,
	}
}

var clientCases = []testCase{
	{"Client returns the client with this id, as the last acknowledged change left it", func(r *room) {
		want := fullClient("app")
		saved, err := r.SaveClient(r.ctx(), want, change)
		r.ok(err)
		want.Revision = 1
		r.same(saved, want)
		for i := range 10 {
			got, err := r.Client(r.ctx(), "app")
			r.ok(err)
			r.same(got, want)
			want.Name = fmt.Sprint("App ", i)
			want, err = r.SaveClient(r.ctx(), want, change)
			r.ok(err)
		}
	}},
	{"Client of an unknown id is ErrNotFound", func(r *room) {
		for _, id := range []string{"nobody", "", "\x00"} {
			_, err := r.Client(r.ctx(), id)
			r.refused(err, storage.ErrNotFound)
		}
	}},
	{"a returned client is the caller's own", func(r *room) {
		saved, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		for range 2 {
			got, err := r.Client(r.ctx(), "app")
			r.ok(err)
			r.same(got.RedirectURIs, fullClient("app").RedirectURIs)
			r.same(got.DefaultMaxAge, new(300))
			r.same(got, saved)
			got.RedirectURIs[0], *got.DefaultMaxAge = "https://evil.example/", 0
			got.JWKS[0], got.RequestURIs[0], got.DefaultACRValues[0], got.RegistrationTokens[0] = 'x', "", "", storage.Hash{}
		}
	}},
	{"times come back in UTC and to the millisecond", func(r *room) {
		c := fullClient("app")
		c.Created = now.In(time.FixedZone("", 3600))
		_, err := r.SaveClient(r.ctx(), c, change)
		r.ok(err)
		got, err := r.Client(r.ctx(), "app")
		r.ok(err)
		if got.Created.Location() != time.UTC || !got.Created.Equal(now) {
			r.Errorf("%v came back as %v", c.Created, got.Created)
		}
	}},
	{"Clients returns all clients, by id", func(r *room) {
		for _, id := range []string{"b", "c", "a"} {
			_, err := r.SaveClient(r.ctx(), fullClient(id), change)
			r.ok(err)
		}
		clients, err := r.Clients(r.ctx())
		r.ok(err)
		var ids []string
		for _, c := range clients {
			ids = append(ids, c.ID)
		}
		r.same(ids, []string{"a", "b", "c"})
	}},
	{"SaveClient from revision 0 is ErrExists when the id is taken", func(r *room) {
		_, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		_, err = r.SaveClient(r.ctx(), fullClient("app"), change)
		r.refused(err, storage.ErrExists)
	}},
	{"SaveClient from another revision than the stored one is ErrConflict", func(r *room) {
		first, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		second, err := r.SaveClient(r.ctx(), first, change)
		r.ok(err)
		r.same(second.Revision, uint64(2))
		for _, revision := range []uint64{1, 3} {
			second.Revision = revision
			_, err = r.SaveClient(r.ctx(), second, change)
			r.refused(err, storage.ErrConflict)
		}
	}},
	{"SaveClient of a client that is gone is ErrNotFound", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.ok(r.RemoveClient(r.ctx(), "app", change))
		_, err = r.SaveClient(r.ctx(), c, change)
		r.refused(err, storage.ErrNotFound)
	}},
	{"of concurrent SaveClient from one revision one succeeds", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.oneWins(r.race(func(int) error {
			_, err := r.SaveClient(r.ctx(), c, change)
			return err
		}), storage.ErrConflict)
	}},
	{"EndService ends the access tokens of this series and earlier ones that the client got for itself", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		for series := range uint32(3) {
			r.ok(r.EndService(r.ctx(), "app", series, change))
			c.ServiceSeries, c.Revision = series+1, c.Revision+1
			got, err := r.Client(r.ctx(), "app")
			r.ok(err)
			r.same(got, c)
		}
		e := audit.Entry{Time: now, Event: audit.AccessEnded, Origin: origin, Client: "app", Detail: change.Detail}
		r.logged(audit.Entry{Time: now, Event: audit.ClientSaved, Origin: origin, Client: "app", Detail: change.Detail}, e, e, e)
	}},
	{"EndService of what has ended, was never begun, or is of an unknown client writes nothing", func(r *room) {
		_, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.ok(r.EndService(r.ctx(), "app", 0, change))
		r.wroteNothing(func() {
			r.ok(r.EndService(r.ctx(), "app", 0, change))
			r.ok(r.EndService(r.ctx(), "app", 7, change))
			r.ok(r.EndService(r.ctx(), "nobody", 0, change))
			r.ok(r.EndService(r.ctx(), "\x00", 0, change))
		})
	}},
	{"of concurrent EndService of one series one moves it", func(r *room) {
		_, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		for _, err := range r.race(func(int) error { return r.EndService(r.ctx(), "app", 0, change) }) {
			r.ok(err)
		}
		got, err := r.Client(r.ctx(), "app")
		r.ok(err)
		r.same(got.ServiceSeries, uint32(1))
	}},
	{"SaveClient after an EndService that it does not know of is ErrConflict", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.ok(r.EndService(r.ctx(), "app", 0, change))
		_, err = r.SaveClient(r.ctx(), c, change)
		r.refused(err, storage.ErrConflict)
	}},
	{"SaveClient keeps the series whatever it is given, and moves it on when what the client authenticates with changes", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		want := uint32(0)
		for _, edit := range []struct {
			moves uint32
			of    func(*storage.Client)
		}{
			{0, func(c *storage.Client) { c.ServiceSeries = 99 }},
			{0, func(c *storage.Client) { c.Name = "Another name" }},
			{1, func(c *storage.Client) { c.SecretHash = storage.HashOf([]byte("another")) }},
			{1, func(c *storage.Client) { c.TokenEndpointAuthMethod = "private_key_jwt" }},
			{1, func(c *storage.Client) { c.JWKS = []byte(`{"keys": [{}]}`) }},
			{1, func(c *storage.Client) { c.JWKSURI = "https://app.example/other" }},
			{0, func(c *storage.Client) { c.ServiceSeries = 0 }},
		} {
			edit.of(&c)
			want += edit.moves
			c, err = r.SaveClient(r.ctx(), c, change)
			r.ok(err)
			r.same(c.ServiceSeries, want)
		}
	}},
	{"RemoveClient removes a client, whatever its revision", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		_, err = r.SaveClient(r.ctx(), c, change)
		r.ok(err)
		_, err = r.Client(r.ctx(), "app")
		r.ok(err)
		r.ok(r.RemoveClient(r.ctx(), "app", change))
		_, err = r.Client(r.ctx(), "app")
		r.refused(err, storage.ErrNotFound)
	}},
	{"RemoveClient of an unknown id is ErrNotFound", func(r *room) {
		r.refused(r.RemoveClient(r.ctx(), "nobody", change), storage.ErrNotFound)
	}},
	{"ids of clients are never given twice", func(r *room) {
		_, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.ok(r.RemoveClient(r.ctx(), "app", change))
		_, err = r.SaveClient(r.ctx(), fullClient("app"), change)
		r.refused(err, storage.ErrExists)
	}},
	{"changes and removals leave entries, refusals none", func(r *room) {
		c, err := r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		r.wroteNothing(func() {
			c.Revision = 9
			_, err := r.SaveClient(r.ctx(), c, change)
			r.refused(err, storage.ErrConflict)
		})
		r.ok(r.RemoveClient(r.ctx(), "app", change))
		e := audit.Entry{Time: now, Event: audit.ClientSaved, Origin: origin, Client: "app", Detail: change.Detail}
		removed := e
		removed.Event = audit.ClientRemoved
		r.logged(e, removed)
	}},
}

func fullResource(id string) storage.Resource {
	return storage.Resource{
		ID: id, Name: "API", Scopes: []storage.Scope{{Name: "read", Text: "Read all"}, {Name: "write"}}, Format: storage.FormatJWT, Alg: "ES256", Typ: "at+jwt",
		Lifetime: 10 * time.Minute, Claims: []string{"groups"}, Updated: now, Origin: storage.OriginOperator, Open: true, Created: now,
		Permissions: []storage.Permission{{Name: "orders:refund", Roles: []string{"clerk"}, Groups: []string{"finance"}}},
	}
}

var resourceCases = []testCase{
	{"Resource returns the resource with this id, the default resource as well", func(r *room) {
		for _, id := range []string{storage.DefaultResource, "https://api.example/"} {
			want := fullResource(id)
			saved, err := r.SaveResource(r.ctx(), want, change)
			r.ok(err)
			want.Revision = 1
			r.same(saved, want)
			got, err := r.Resource(r.ctx(), id)
			r.ok(err)
			r.same(got, want)
		}
	}},
	{"Resource of an unknown id is ErrNotFound", func(r *room) {
		_, err := r.Resource(r.ctx(), storage.DefaultResource)
		r.refused(err, storage.ErrNotFound)
	}},
	{"Resources returns all resources, by id", func(r *room) {
		var want []storage.Resource
		for _, id := range []string{"https://b.example/", "", "https://a.example/"} {
			saved, err := r.SaveResource(r.ctx(), fullResource(id), change)
			r.ok(err)
			want = append(want, saved)
		}
		got, err := r.Resources(r.ctx())
		r.ok(err)
		r.same(got, []storage.Resource{want[1], want[2], want[0]})
	}},
	{"what a resource or a client is returned as is the caller's own to change", func(r *room) {
		_, err := r.SaveResource(r.ctx(), fullResource(""), change)
		r.ok(err)
		_, err = r.SaveClient(r.ctx(), fullClient("app"), change)
		r.ok(err)
		for range 2 {
			resource, err := r.Resource(r.ctx(), "")
			r.ok(err)
			r.same(resource.Permissions, fullResource("").Permissions)
			r.same(resource.Scopes, fullResource("").Scopes)
			resource.Scopes[0].Name, resource.Permissions[0].Name, resource.Permissions[0].Roles[0], resource.Permissions[0].Groups[0] = "x", "x", "x", "x"
			client, err := r.Client(r.ctx(), "app")
			r.ok(err)
			r.same(client.Access, fullClient("app").Access)
			r.same(client.Resources, fullClient("app").Resources)
			client.Access[0].Resource, client.Access[0].Scopes[0], client.Resources[0] = "x", "x", "x"
		}
	}},
	{"RemoveResource removes a resource, whatever its revision; its id may be given again; unknown is ErrNotFound", func(r *room) {
		for _, id := range []string{storage.DefaultResource, "https://api.example/"} {
			saved, err := r.SaveResource(r.ctx(), fullResource(id), change)
			r.ok(err)
			_, err = r.SaveResource(r.ctx(), saved, change)
			r.ok(err)
			r.ok(r.RemoveResource(r.ctx(), id, change))
			_, err = r.Resource(r.ctx(), id)
			r.refused(err, storage.ErrNotFound)
			r.wroteNothing(func() { r.refused(r.RemoveResource(r.ctx(), id, change), storage.ErrNotFound) })
			_, err = r.SaveResource(r.ctx(), saved, change)
			r.refused(err, storage.ErrNotFound)
			again, err := r.SaveResource(r.ctx(), fullResource(id), change)
			r.ok(err)
			r.same(again.Revision, uint64(1))
		}
		e := audit.Entry{Time: now, Event: audit.ResourceRemoved, Origin: origin, Detail: change.Detail}
		api := e
		api.Detail = "https://api.example/: " + change.Detail
		r.logged(e, api)
	}},
	{"SaveResource compares revisions like SaveClient", func(r *room) {
		first, err := r.SaveResource(r.ctx(), fullResource("https://api.example/"), change)
		r.ok(err)
		_, err = r.SaveResource(r.ctx(), fullResource("https://api.example/"), change)
		r.refused(err, storage.ErrExists)
		_, err = r.SaveResource(r.ctx(), first, change)
		r.ok(err)
		_, err = r.SaveResource(r.ctx(), first, change)
		r.refused(err, storage.ErrConflict)
		first.ID = "https://other.example/"
		_, err = r.SaveResource(r.ctx(), first, change)
		r.refused(err, storage.ErrNotFound)
	}},
	{"SaveResource leaves an entry", func(r *room) {
		_, err := r.SaveResource(r.ctx(), fullResource("https://api.example/"), change)
		r.ok(err)
		entries := r.log(audit.ResourceSaved)
		if len(entries) != 1 || entries[0].Origin != origin || !entries[0].Time.Equal(now) {
			r.Errorf("the log has %v", entries)
		}
	}},
}

// fullRing has something in each field.
func fullRing() storage.Ring {
	return storage.Ring{
		Seals: []storage.SealKey{{ID: 1, Wrapped: []byte{1}, Created: now}, {ID: 2, Wrapped: []byte{2}, Created: now}},
		Signing: []storage.KeyPair{{
			KID: "k1", Alg: "ES256", Public: []byte{3}, Sealed: []byte{4}, Seal: 1, Created: now, Active: now, Retired: now, Revoked: now,
		}, {KID: "k2", Alg: "RS256", Created: now}},
		MACs: []storage.MACKey{{ID: 1, Sealed: []byte{5}, Seal: 2, Created: now}},
		Encryption: []storage.KeyPair{{
			KID: "k3", Alg: "ECDH-ES", Public: []byte{6}, Sealed: []byte{7}, Seal: 2, Created: now, Active: now, Asked: now, Retired: now, Revoked: now,
		}},
		Subjects: storage.MACKey{ID: 1, Sealed: []byte{8}, Seal: 2, Created: now},
	}
}

var ringCases = []testCase{
	{"Ring before the first SaveRing is a Ring of revision 0", func(r *room) {
		ring, err := r.Ring(r.ctx())
		r.ok(err)
		r.same(ring, storage.Ring{})
	}},
	{"SaveRing stores r and returns it with its next revision", func(r *room) {
		want := fullRing()
		saved, err := r.SaveRing(r.ctx(), want, change)
		r.ok(err)
		want.Revision = 1
		r.same(saved, want)
		got, err := r.Ring(r.ctx())
		r.ok(err)
		r.same(got, want)
	}},
	{"of concurrent SaveRing from one revision exactly one succeeds, the others change nothing", func(r *room) {
		for revision := range uint64(3) {
			saved := make([]storage.Ring, parallel)
			answers := r.race(func(i int) (err error) {
				ring := fullRing()
				ring.Revision, ring.MACs[0].ID = revision, uint32(i)
				saved[i], err = r.SaveRing(r.ctx(), ring, change)
				return err
			})
			r.oneWins(answers, storage.ErrConflict)
			winner := slices.IndexFunc(answers, func(err error) bool { return err == nil })
			got, err := r.Ring(r.ctx())
			r.ok(err)
			r.same(got, saved[winner])
			r.same(got.Revision, revision+1)
		}
		if n := len(r.log(audit.RingSaved)); n != 3 {
			r.Errorf("the log has %d changes, want 3", n)
		}
	}},
	{"SaveRing from another revision is ErrConflict", func(r *room) {
		ring := fullRing()
		ring.Revision = 1
		_, err := r.SaveRing(r.ctx(), ring, change)
		r.refused(err, storage.ErrConflict)
	}},
	{"SaveRing leaves an entry", func(r *room) {
		_, err := r.SaveRing(r.ctx(), fullRing(), change)
		r.ok(err)
		r.logged(audit.Entry{Time: now, Event: audit.RingSaved, Origin: origin, Detail: change.Detail})
	}},
}

var errStop = errors.New("stop")
