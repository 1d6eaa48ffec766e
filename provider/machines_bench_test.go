package provider_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/provider/assertion"
	"signet/provider/providertest"
	"signet/storage"
)

// The APIs of these benchmarks: benchAPI and the algorithm of its access tokens, or opaqueAPI.
const (
	benchAPI  = "https://api.example/"
	opaqueAPI = benchAPI + "opaque"

	introspectionJWT = "application/token-introspection+jwt"
)

// BenchmarkEmpty is a handler that reads a form and answers with as many bytes as an access token has: beside it stands what signs nothing.
func BenchmarkEmpty(b *testing.B) {
	body := bytes.Repeat([]byte{'x'}, 800)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	parallel(b, 32, func(int) {
		r, err := http.NewRequest(http.MethodPost, "http://localhost/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			b.Error(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		handler.ServeHTTP(&recorder{header: http.Header{}}, r)
	})
}

// BenchmarkMachines is what machines ask of the token endpoint, for an API that has scopes and permissions of its own: see
// [BenchmarkBareSignature] and [BenchmarkEmpty] for what it cannot be under.
func BenchmarkMachines(b *testing.B) {
	m := newMachines(b)
	for _, target := range slices.Concat(algs, []string{"opaque"}) {
		b.Run("client_credentials/"+target, func(b *testing.B) {
			form := "grant_type=client_credentials&scope=orders:read&resource=" + url.QueryEscape(benchAPI+target)
			m.ask(b, func() *http.Request { return m.service.signed(m.request("POST", "/token", form)) })
		})
	}
	for _, from := range []string{"ES256", "opaque"} {
		for _, to := range []string{"ES256", "opaque"} {
			b.Run("exchange/"+from+" for "+to, func(b *testing.B) {
				form := m.exchange(m.users(from), benchAPI+to)
				m.ask(b, func() *http.Request { return m.api.signed(m.request("POST", "/token", form)) })
			})
		}
	}
	b.Run("jwt-bearer/ES256", func(b *testing.B) {
		form := url.Values{"grant_type": {clients.GrantBearer}, "assertion": {m.asserted()}, "resource": {benchAPI + "ES256"}}.Encode()
		m.ask(b, func() *http.Request { return m.request("POST", "/token", form) })
	})
	b.Run("device_code/pending", func(b *testing.B) {
		codes := m.devices(b.N)
		parallel(b, 32, func(n int) {
			form := url.Values{"grant_type": {clients.GrantDevice}, "device_code": {codes[n]}, "client_id": {m.device.ID}}
			if w := m.send(m.request("POST", "/token", form.Encode())); !bytes.Contains(w.body, []byte("authorization_pending")) {
				b.Errorf("answer %d: %s", w.status, w.body)
			}
		})
	})
}

// BenchmarkIntrospection is an API that asks about a user's token for it, again and again.
func BenchmarkIntrospection(b *testing.B) {
	m := newMachines(b)
	for _, c := range []struct{ name, token, accept string }{
		{"JWT", m.users("ES256"), "application/json"}, {"opaque", m.users("opaque"), "application/json"}, {"JWT as JWT ES256", m.users("ES256"), introspectionJWT},
	} {
		b.Run(c.name, func(b *testing.B) {
			form := "token=" + c.token
			m.ask(b, func() *http.Request {
				r := m.api.signed(m.request("POST", "/introspect", form))
				r.Header.Set("Accept", c.accept)
				return r
			})
		})
	}
}

// machines are APIs, and who asks for them.
type machines struct {
	bench
	app     benchClient // that a user signed in to
	service benchClient // that calls the APIs in its own name
	api     benchClient // what the APIs are
	device  storage.Client
	key     *ecdsa.PrivateKey // of the cluster
}

const (
	benchCluster  = "https://kubernetes.default.svc.cluster.local"
	benchWorkload = "system:serviceaccount:prod:orders"
)

func newMachines(b *testing.B) machines {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	m := machines{key: key}
	m.bench, m.app = newBench(b, "ES256", func(c *providertest.Config) { c.TrustedIssuers = []assertion.Issuer{m.cluster(b)} })
	var all []storage.Access
	for _, target := range slices.Concat(algs, []string{"opaque"}) {
		m.Resource(benchAPI+target, func(r *storage.Resource) {
			r.Open, r.Claims = true, []string{"groups", "permissions"}
			r.Scopes = []storage.Scope{{Name: "orders:read"}, {Name: "orders:write"}}
			r.Permissions = []storage.Permission{{Name: "orders.list", Groups: []string{"staff"}}, {Name: "orders.refund", Roles: []string{"admin"}}}
			if r.Alg = target; target == "opaque" {
				r.Format, r.Alg = storage.FormatOpaque, "ES256"
			}
		})
		all = append(all, storage.Access{Resource: benchAPI + target})
	}
	client := func(typ string, change func(*storage.Client)) benchClient {
		c, secret := m.Client(typ, typ, change)
		return benchClient{c, secret}
	}
	m.service = client(clients.Service, func(c *storage.Client) { c.Access = all })
	m.api = client(clients.Service, func(c *storage.Client) {
		c.GrantTypes, c.IntrospectionAlg = append(c.GrantTypes, clients.GrantExchange), "ES256"
		for _, a := range all {
			c.Resources = append(c.Resources, a.Resource)
		}
		c.Access = all
	})
	client(clients.Service, func(c *storage.Client) {
		c.ID, c.GrantTypes, c.TokenEndpointAuthMethod, c.Access = "workload", []string{clients.GrantBearer}, clients.AuthNone, all
	})
	m.device = client(clients.Device, func(c *storage.Client) { c.RedirectURIs, c.PostLogoutRedirectURIs = nil, nil }).Client
	return m
}

// cluster vouches for its workloads.
func (m *machines) cluster(b *testing.B) assertion.Issuer {
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: m.key.Public(), KeyID: "k"}}})
	if err != nil {
		b.Fatal(err)
	}
	set, err := keyset.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	d := assertion.NewDeclaration(benchCluster)
	d.Subjects = []assertion.Rule{{Subject: benchWorkload, Client: "workload"}}
	return assertion.Issuer{Declaration: d, Keys: assertion.Known{Set: set}}
}

// asserted is what the cluster says of its workload.
func (m *machines) asserted() string {
	now := m.Clock.Now()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: m.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		m.b.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{
		"iss": benchCluster, "sub": benchWorkload, "aud": []string{m.Issuer}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "prod", "serviceaccount": map[string]any{"name": "orders"}},
	})
	if err != nil {
		m.b.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		m.b.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		m.b.Fatal(err)
	}
	return raw
}

// users is a user's access token for an API.
func (m *machines) users(target string) string {
	code := m.browser.Code(m.app.Client, "scope", "openid offline_access orders:read", "resource", benchAPI+target)
	return m.redeem(m.app, code)["access_token"].(string)
}

func (m *machines) exchange(token, resource string) string {
	const accessToken = "urn:ietf:params:oauth:token-type:access_token"
	return url.Values{
		"grant_type": {clients.GrantExchange}, "subject_token": {token}, "subject_token_type": {accessToken}, "resource": {resource}, "scope": {"orders:read"},
	}.Encode()
}

// devices are n device codes whose users have not decided.
func (m *machines) devices(n int) []string {
	codes := make([]string, n)
	now := m.Clock.Now()
	prepared(n, func(i int) {
		h := storage.NewHandle(now.Add(time.Hour))
		err := m.Store.BeginDevice(m.b.Context(), storage.DeviceGrant{
			ID: h.ID, SecretHash: h.Hash(), UserCode: h.ID.String(), Client: m.device.ID, Scopes: []string{"openid"}, State: storage.DevicePending,
			Address: fmt.Sprint(i), Interval: 5 * time.Second, Created: now, Expires: now.Add(time.Hour),
		}, 20)
		if err != nil {
			m.b.Error(err)
		}
		codes[i] = h.String()
	})
	return codes
}

// ask asks again and again.
func (m *machines) ask(b *testing.B, request func() *http.Request) {
	parallel(b, 32, func(int) { m.bench.ask(request()) })
}
