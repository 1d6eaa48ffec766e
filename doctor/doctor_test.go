package doctor_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/doctor"
	"signet/provider/providertest"
)

// deployment is a provider behind a proxy that speaks TLS, and that a test breaks in one way.
type deployment struct {
	*providertest.Server
	front *httptest.Server
	pool  *x509.CertPool
}

// breaks is what is wrong with a deployment; the zero value of each is nothing.
type breaks struct {
	config   func(*providertest.Config)
	request  func(*http.Request)                                 // what the proxy does to a request
	answer   func(r *http.Request, a *httptest.ResponseRecorder) // and to an answer
	instead  func(w http.ResponseWriter, r *http.Request) bool   // what answers instead; true: it has
	tls      func(*tls.Config)
	validity [2]time.Duration // of the certificate, from now
	name     string           // of the certificate; 127.0.0.1
	ask      func(*doctor.Options)
	slash    bool // the issuer is asked for with a slash at its end
	public   bool // the issuer is not for this machine alone
}

// here is where the proxy sees the test: at another address than its own.
const here = "198.51.100.9"

func deploy(t *testing.T, b breaks) *deployment {
	t.Helper()
	d := &deployment{}
	d.front = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.instead != nil && b.instead(w, r) {
			return
		}
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", strings.TrimPrefix(r.Header.Get("X-Forwarded-For")+", "+here, ", ")) // as proxies do: added at the end
		if b.request != nil {
			b.request(r)
		}
		a := httptest.NewRecorder()
		d.Provider.ServeHTTP(a, r)
		a.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		if b.answer != nil {
			b.answer(r, a)
		}
		for name, values := range a.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Code)
		_, _ = io.Copy(w, a.Body)
	}))
	if b.public { // a loopback address that is not taken for one
		l, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Skip(err)
		}
		d.front.Listener.Close()
		d.front.Listener = l
	}
	certificate, pool := certify(t, b)
	d.pool = pool
	d.front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if b.tls != nil {
		b.tls(d.front.TLS)
	}
	issuer := "https://" + d.front.Listener.Addr().String()
	d.Server = providertest.New(t, func(c *providertest.Config) {
		c.Front, c.Real, c.TrustedProxies = issuer, true, []string{"127.0.0.1/32"}
		if b.config != nil {
			b.config(c)
		}
	})
	d.front.Config.ErrorLog = nil
	d.front.StartTLS()
	t.Cleanup(d.front.Close)
	return d
}

func certify(t *testing.T, b breaks) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	if b.validity == [2]time.Duration{} {
		b.validity = [2]time.Duration{-time.Hour, 90 * 24 * time.Hour}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(b.validity[0]), NotAfter: time.Now().Add(b.validity[1]),
		IsCA: true, BasicConstraintsValid: true,
	}
	if b.name != "" {
		template.DNSNames = []string{b.name}
	} else {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// examine asks with all that is known inside.
func (d *deployment) examine(t *testing.T, b breaks) []doctor.Finding {
	t.Helper()
	c, _ := d.Client("web", "My app")
	probe, err := d.Provider.Probe()
	if err != nil {
		t.Fatal(err)
	}
	o := doctor.Options{Issuer: d.Issuer, CA: d.pool, Client: doctor.Client{ID: c.ID, RedirectURI: c.RedirectURIs[0]}, Probe: probe}
	for _, k := range d.Keys.List() {
		if k.State.Published(k.Alg) {
			o.Published = append(o.Published, k.KID)
		}
	}
	if b.slash {
		o.Issuer += "/"
	}
	if b.ask != nil {
		b.ask(&o)
	}
	return doctor.Outside(t.Context(), o)
}

// Nothing is wrong with a sound deployment, and every check has looked.
func TestSound(t *testing.T) {
	t.Parallel()
	d := deploy(t, breaks{})
	var looked []string
	for _, f := range d.examine(t, breaks{}) {
		looked = append(looked, f.Check)
		if f.Status != doctor.OK {
			t.Errorf("%+v", f)
		}
	}
	slices.Sort(looked)
	want := "clock cookies cors discovery headers issuer jwks keys metadata methods proxy tls"
	if got := strings.Join(looked, " "); got != want {
		t.Errorf("looked at %s\nwant %s", got, want)
	}
}

// A proxy that breaks one thing at a time is found out by the check for it, and by no other: each row names all that is not ok.
func TestBroken(t *testing.T) {
	t.Parallel()
	without := func(names ...string) func(*http.Request, *httptest.ResponseRecorder) {
		return func(_ *http.Request, a *httptest.ResponseRecorder) {
			for _, n := range names {
				a.Header().Del(n)
			}
		}
	}
	with := func(path, name, value string) func(*http.Request, *httptest.ResponseRecorder) {
		return func(r *http.Request, a *httptest.ResponseRecorder) {
			if path == "" || r.URL.Path == path {
				a.Header().Set(name, value)
			}
		}
	}
	cookie := func(old, replacement string) func(*http.Request, *httptest.ResponseRecorder) {
		return func(_ *http.Request, a *httptest.ResponseRecorder) {
			if c := a.Header().Get("Set-Cookie"); c != "" {
				a.Header().Set("Set-Cookie", strings.Replace(c, old, replacement, 1))
			}
		}
	}
	document := func(path, old, replacement string) func(*http.Request, *httptest.ResponseRecorder) {
		return func(r *http.Request, a *httptest.ResponseRecorder) {
			if r.URL.Path == path {
				body := bytes.Replace(a.Body.Bytes(), []byte(old), []byte(replacement), 1)
				a.Body = bytes.NewBuffer(body)
				a.Header().Del("Content-Length")
			}
		}
	}
	keySet := func(change func([]map[string]any) []map[string]any) func(*http.Request, *httptest.ResponseRecorder) {
		return func(r *http.Request, a *httptest.ResponseRecorder) {
			var set struct {
				Keys []map[string]any `json:"keys"`
			}
			if r.URL.Path == "/jwks" && json.Unmarshal(a.Body.Bytes(), &set) == nil && len(set.Keys) > 0 {
				set.Keys = change(set.Keys)
				body, _ := json.Marshal(set)
				a.Body = bytes.NewBuffer(body)
				a.Header().Del("Content-Length")
			}
		}
	}
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		breaks breaks
		want   []string // check, status, and words of the text, with a | between
	}{
		"the certificate ended":             {breaks{validity: [2]time.Duration{-2 * day, -day}}, []string{"tls|failure|ended at"}},
		"the certificate has yet to begin":  {breaks{validity: [2]time.Duration{day, 2 * day}}, []string{"tls|failure|begins at"}},
		"the certificate ends tomorrow":     {breaks{validity: [2]time.Duration{-day, day}}, []string{"tls|failure|ends in"}},
		"the certificate ends in two weeks": {breaks{validity: [2]time.Duration{-day, 14*day + time.Hour}}, []string{"tls|warning|ends in 14 days"}},
		"the certificate is another's":      {breaks{name: "other.example"}, []string{"tls|failure|is for other.example, not for 127.0.0.1"}},
		"nobody knows the authority":        {breaks{ask: func(o *doctor.Options) { o.CA = x509.NewCertPool() }}, []string{"tls|failure|authority that nobody here knows"}},
		"RFC 8996: TLS 1.1 is accepted": {breaks{tls: func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }},
			[]string{"tls-version|failure|TLS 1.1 is accepted"}},
		"the clock is ten minutes ahead": {breaks{answer: func(_ *http.Request, a *httptest.ResponseRecorder) {
			a.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
		}}, []string{"clock|failure|ahead of"}},
		"the clock is ten seconds behind": {breaks{answer: func(_ *http.Request, a *httptest.ResponseRecorder) {
			a.Header().Set("Date", time.Now().Add(-10*time.Second).UTC().Format(http.TimeFormat))
		}}, []string{"clock|warning|behind"}},
		"Discovery 4.3: a slash more": {breaks{slash: true}, []string{"issuer|failure|slash at the end differs"}},
		"the issuer is configured as http": {breaks{config: func(c *providertest.Config) { c.Front = strings.Replace(c.Front, "https:", "http:", 1) },
			ask: func(o *doctor.Options) {
				o.Issuer, o.Client = strings.Replace(o.Issuer, "http:", "https:", 1), doctor.Client{}
			}},
			[]string{"issuer|failure|by http", "headers|warning|Strict-Transport-Security"}},
		"the issuer is configured as another": {breaks{config: func(c *providertest.Config) { c.Front = strings.Replace(c.Front, "127.0.0.1", "localhost", 1) },
			ask: func(o *doctor.Options) {
				o.Issuer, o.Client = strings.Replace(o.Issuer, "localhost", "127.0.0.1", 1), doctor.Client{}
			}},
			[]string{"issuer|failure|it says"}},
		"a link is rewritten": {breaks{answer: document("/.well-known/openid-configuration", "/userinfo\"", "/userinfo\",\"x_endpoint\":\"http://backend:8080/x\"")}, []string{"links|failure|x_endpoint lead elsewhere"}},
		"the path is not passed": {breaks{instead: func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				http.NotFound(w, r)
				return true
			}
			return false
		}}, []string{"discovery|failure|404"}},
		"another program answers": {breaks{instead: func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<h1>Welcome to nginx!</h1>"))
			return true
		}}, []string{"discovery|failure|no JSON"}},
		"discovery is a redirect": {breaks{instead: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://www.example/", http.StatusMovedPermanently)
			return true
		}}, []string{"discovery|failure|redirect"}},
		"the document of RFC 8414 is not passed": {breaks{instead: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/.well-known/oauth-authorization-server" {
				http.NotFound(w, r)
				return true
			}
			return false
		}}, []string{"metadata|warning|404"}},
		"Cache-Control is dropped":      {breaks{answer: without("Cache-Control")}, []string{"discovery|warning|Cache-Control", "jwks|warning|Cache-Control"}},
		"Cache-Control is replaced":     {breaks{answer: with("", "Cache-Control", "no-store, max-age=0")}, []string{"discovery|warning|no-store", "jwks|warning|no-store"}},
		"ETag is dropped":               {breaks{answer: without("ETag")}, []string{"discovery|warning|no ETag", "jwks|warning|no ETag"}},
		"If-None-Match is dropped":      {breaks{request: func(r *http.Request) { r.Header.Del("If-None-Match") }}, []string{"discovery|warning|not as 304", "jwks|warning|not as 304"}},
		"Content-Type is replaced":      {breaks{answer: with("/.well-known/openid-configuration", "Content-Type", "text/plain")}, []string{"discovery|warning|text/plain"}},
		"a cache serves an old key set": {breaks{answer: keySet(func(k []map[string]any) []map[string]any { return k[1:] })}, []string{"keys|failure|does not arrive"}},
		"an algorithm has no key": {breaks{answer: keySet(func(k []map[string]any) []map[string]any {
			return slices.DeleteFunc(k, func(k map[string]any) bool { return k["alg"] == "EdDSA" })
		}), ask: func(o *doctor.Options) { o.Published = nil }}, []string{"keys|failure|announces EdDSA"}},
		"two keys have one id":          {breaks{answer: keySet(func(k []map[string]any) []map[string]any { return append(k, k[0]) })}, []string{"keys|failure|two keys have the id"}},
		"a key is published in full":    {breaks{answer: keySet(func(k []map[string]any) []map[string]any { k[0]["d"] = "AAAA"; return k })}, []string{"keys|failure|private half"}},
		"RFC 6797: HSTS is dropped":     {breaks{answer: without("Strict-Transport-Security")}, []string{"headers|warning|Strict-Transport-Security"}},
		"HSTS for a minute":             {breaks{answer: with("", "Strict-Transport-Security", "max-age=60")}, []string{"headers|warning|max-age=60"}},
		"the pages' policy is replaced": {breaks{answer: with("/", "Content-Security-Policy", "default-src 'self' 'unsafe-inline'")}, []string{"headers|failure|unsafe-inline"}},
		"headers are set twice": {breaks{answer: func(_ *http.Request, a *httptest.ResponseRecorder) {
			a.Header().Add("X-Content-Type-Options", "nosniff")
		}}, []string{"headers|warning|twice"}},
		"no-referrer makes Origin null": {breaks{answer: with("/", "Referrer-Policy", "no-referrer")}, []string{"headers|warning|no-referrer"}},
		"the proxy answers wrong methods": {breaks{instead: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" && r.Method == http.MethodGet {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}}, []string{"methods|failure|403"}},
		"OPTIONS is answered by the proxy": {breaks{instead: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return true
			}
			return false
		}}, []string{"cors|failure|not let in", "cors|failure|not let in", "cors|failure|not let in", "cors|failure|not let in"}},
		"the proxy lets all origins in everywhere": {breaks{answer: func(r *http.Request, a *httptest.ResponseRecorder) {
			if r.URL.Path == "/introspect" || r.URL.Path == "/authorize" {
				a.Header().Set("Access-Control-Allow-Origin", "*")
			}
		}}, []string{"cors|failure|other sites' scripts", "cors|failure|other sites' scripts"}},
		"the proxy adds its own CORS": {breaks{answer: func(r *http.Request, a *httptest.ResponseRecorder) {
			if r.URL.Path == "/token" && r.Method == http.MethodOptions {
				a.Header().Add("Access-Control-Allow-Origin", "*")
			}
		}}, []string{"cors|failure|twice"}},
		"with people's cookies":                {breaks{answer: with("/userinfo", "Access-Control-Allow-Credentials", "true")}, []string{"cors|failure|cookies"}},
		"RFC 6265bis: the cookie loses Secure": {breaks{answer: cookie("; Secure", "")}, []string{"cookies|failure|not Secure"}},
		"the cookie loses HttpOnly":            {breaks{answer: cookie("; HttpOnly", "")}, []string{"cookies|failure|no HttpOnly"}},
		"the cookie loses SameSite":            {breaks{answer: cookie("SameSite=Lax", "SameSite=None")}, []string{"cookies|failure|SameSite"}},
		"the cookie loses its prefix":          {breaks{answer: cookie("__Host-", "")}, []string{"cookies|failure|without the prefix"}},
		"the cookie gets a path":               {breaks{answer: cookie("Path=/", "Path=/auth")}, []string{"cookies|failure|Path is /auth"}},
		"the cookie gets a domain":             {breaks{answer: cookie("Path=/", "Path=/; Domain=example.com")}, []string{"cookies|failure|all of example.com"}},
		"Set-Cookie is dropped":                {breaks{answer: without("Set-Cookie")}, []string{"cookies|failure|without a cookie"}},
		"Location is rewritten": {breaks{answer: func(r *http.Request, a *httptest.ResponseRecorder) {
			if r.URL.Path == "/authorize" && a.Code/100 == 3 {
				a.Header().Set("Location", "http://backend:8080/signin")
			}
		}}, []string{"cookies|failure|http://backend:8080"}},
		"a client that is not there": {breaks{ask: func(o *doctor.Options) { o.Client.ID = "nobody" }}, []string{"cookies|warning|cannot begin a sign-in"}},
		"anybody may register":       {breaks{config: func(c *providertest.Config) { c.Registration.Policy = "open" }}, nil},
		"anybody on the internet may register": {breaks{public: true, config: func(c *providertest.Config) { c.Registration.Policy = "open" }},
			[]string{"registration|warning|anybody on the internet"}},
		"apps register with a token":             {breaks{public: true, config: func(c *providertest.Config) { c.Registration.Policy = "token" }}, nil},
		"a made-up X-Forwarded-For is passed on": {breaks{request: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.77") }}, []string{"proxy|failure|made-up X-Forwarded-For is believed"}},
		"everybody is trusted": {breaks{config: func(c *providertest.Config) { c.TrustedProxies = []string{"127.0.0.0/8"} }, request: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.77, 127.0.0.9") }},
			[]string{"proxy|failure|made-up X-Forwarded-For is believed"}},
		"asked from the proxy's machine": {breaks{request: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.77, 127.0.0.1") }}, []string{"proxy|warning|own machine"}},
		"the proxy is not named":         {breaks{config: func(c *providertest.Config) { c.TrustedProxies = nil }}, []string{"proxy|failure|is not named"}},
		"the proxy says nothing":         {breaks{request: func(r *http.Request) { r.Header.Del("X-Forwarded-For") }}, []string{"proxy|warning|nobody said another"}},
		"Host is rewritten":              {breaks{request: func(r *http.Request) { r.Host = "backend:8080" }}, []string{"proxy|warning|backend:8080"}},
		"X-Forwarded-Proto lies":         {breaks{request: func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }}, []string{"proxy|warning|come by http"}},
		"another server answers":         {breaks{ask: func(o *doctor.Options) { o.Probe = "/doctor/AAAA" }}, []string{"proxy|failure|another server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range deploy(t, row.breaks).examine(t, row.breaks) {
				if f.Status != doctor.OK {
					got = append(got, f.Check+"|"+string(f.Status)+"|"+f.Text)
					if f.Fix == "" || f.Where == "" {
						t.Errorf("it says neither where nor how to mend it: %+v", f)
					}
				}
			}
			match := len(got) == len(row.want)
			for i, want := range row.want {
				match = match && strings.HasPrefix(got[i], want[:strings.LastIndex(want, "|")+1]) && strings.Contains(got[i], want[strings.LastIndex(want, "|")+1:])
			}
			if !match {
				t.Errorf("found %q\nwant %q", got, row.want)
			}
		})
	}
}

// What plain http does beside https.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	d := deploy(t, breaks{})
	status := func(plain string) doctor.Status {
		for _, f := range d.examine(t, breaks{ask: func(o *doctor.Options) { o.Plain = plain }}) {
			if f.Check == "http" {
				return f.Status
			}
		}
		return "not looked at"
	}
	for to, want := range map[string]doctor.Status{"https://id.example/": doctor.OK, "http://id.example/": doctor.Warning, "": doctor.Warning} {
		plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if to != "" {
				http.Redirect(w, r, to, http.StatusPermanentRedirect)
			}
		}))
		if got := status(plain.URL); got != want {
			t.Errorf("redirect to %q: %s", to, got)
		}
		plain.Close()
		if got := status(plain.URL); got != doctor.OK {
			t.Errorf("closed: %s", got)
		}
	}
}

// The page that says how a request looks is there for whoever has a fresh address of it, and for nobody else.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	path, err := s.Provider.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Get(path, ""); a.Status != 200 || a.Text("address") != "127.0.0.1" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, other := range []string{path + "A", path[:len(path)-2] + "AA", "/doctor/", "/doctor/AAAA", strings.Replace(path, "/doctor/A", "/doctor/B", 1)} {
		if a := s.Get(other, ""); a.Status != http.StatusNotFound || strings.Contains(a.Body, `"address"`) {
			t.Errorf("%s: %d", other, a.Status)
		}
	}
	s.Clock.Advance(time.Minute)
	if a := s.Get(path, ""); a.Status != http.StatusNotFound {
		t.Errorf("a minute later: %d", a.Status)
	}
}

// What answers as the issuer may name anything as its endpoints, also what only this machine reaches: nothing but the issuer is asked.
func TestNothingElseIsAsked(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was asked for", r.Method, r.URL) }))
	t.Cleanup(elsewhere.Close)
	for name, issuer := range map[string]string{"an issuer of its own": "", "an issuer elsewhere": elsewhere.URL, "no issuer": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var front string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				said := map[string]string{"issuer": front}
				switch issuer {
				case "":
				case "none":
					delete(said, "issuer")
				default:
					said["issuer"] = issuer + "/other"
				}
				for _, link := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint", "registration_endpoint"} {
					said[link] = elsewhere.URL + "/latest/meta-data"
				}
				_ = json.NewEncoder(w).Encode(said)
			}))
			t.Cleanup(server.Close)
			front = server.URL
			findings := doctor.Outside(t.Context(), doctor.Options{Issuer: front, Client: doctor.Client{ID: "app", RedirectURI: "https://app.example/cb"}})
			if !slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Check == "jwks" && f.Status == doctor.Failure }) {
				t.Errorf("nobody is told: %+v", findings)
			}
		})
	}
}
