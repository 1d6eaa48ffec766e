package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/users"
)

// town is the program and some apps, each at a name of its own and over https: as many sites to a browser, whose cookies may cross them.
type town struct {
	t       *testing.T
	folder  string
	issuer  string
	cert    tls.Certificate
	ca      *x509.CertPool
	names   map[string]string // name of a site -> where it listens
	http    *http.Client      // knows the names
	program *process
}

// newTown has no inhabitants yet.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, folder: t.TempDir(), issuer: "https://id.example", names: map[string]string{"id.example": "127.0.0.1:" + freePort(t)}}
	w.certify("id.example", "mail.example", "photos.example", "calendar.example")
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, w.names[host])
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: w.ca}}
	t.Cleanup(transport.CloseIdleConnections)
	w.http = &http.Client{Timeout: patience, Transport: transport}
	return w
}

// certify makes a certificate for all sites, and for the address at which apps are told of logouts.
func (w *town) certify(names ...string) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	w.write("tls.crt", string(certPEM))
	w.write("tls.key", string(keyPEM))
	if w.cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		w.t.Fatal(err)
	}
	w.ca = x509.NewCertPool()
	w.ca.AppendCertsFromPEM(certPEM)
}

func (w *town) write(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

var townConfig = template.Must(template.New("").Parse(`issuer: {{.Issuer}}
listen: {{.Listen}}
tls_cert: tls.crt
tls_key: tls.key
data: data
outgoing_allow: [127.0.0.0/8]
outgoing_ca: tls.crt
rate_limit: off
log:
  level: warn
clients:
{{- range .Sites}}
  - id: {{.ID}}
    type: web
    client_name: {{.Name}}
    redirect_uris: [{{.URL}}/callback]
    post_logout_redirect_uris: [{{.URL}}/bye]
{{- if .Frame}}
    frontchannel_logout_uri: {{.URL}}/framed
    frontchannel_logout_session_required: true
{{- end}}
{{- if .Told}}
    backchannel_logout_uri: {{.Told}}
    backchannel_logout_session_required: true
{{- end}}
    secret_hash: {{.SecretHash}}
    trusted: true
{{- end}}
users:
  - username: alice
    name: Alice Liddell
    email: alice@example.com
    password_hash: {{.Password}}
`))

// start starts the program, and then the apps look for it.
func (w *town) start(sites ...*site) {
	w.t.Helper()
	hash, err := users.HashPassword(password)
	if err != nil {
		w.t.Fatal(err)
	}
	var file strings.Builder
	if err := townConfig.Execute(&file, map[string]any{
		"Issuer": w.issuer, "Listen": w.names["id.example"], "Sites": sites, "Password": hash,
	}); err != nil {
		w.t.Fatal(err)
	}
	w.write("signet.yaml", file.String())
	w.program = start(w.t, w.folder, w.t.TempDir(), "serve", "--config", "signet.yaml")
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		resp, err := w.http.Get(w.issuer + "/.well-known/openid-configuration")
		if err == nil {
			resp.Body.Close()
			break
		}
		select {
		case <-w.program.ended:
			w.t.Fatalf("signet ended (%v) and printed\n%s", w.program.cmd.ProcessState, w.program.printed())
		default:
		}
		if time.Since(began) > patience {
			w.t.Fatalf("%v\n%s", err, w.program.printed())
		}
	}
	for _, s := range sites {
		s.find()
	}
}

// command runs a command beside the server, and returns what it printed.
func (w *town) command(args ...string) string {
	w.t.Helper()
	path, err := program()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, "--config", "signet.yaml")...)
	cmd.Dir = w.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// browser makes a browser find the sites. It keeps the cookies of one in frames on another, which not all do.
func (w *town) browser() []chromedp.ExecAllocatorOption {
	var rules []string
	for name, at := range w.names {
		rules = append(rules, "MAP "+name+" "+at)
	}
	return []chromedp.ExecAllocatorOption{selfSigned, preferring(w.t, keepsNone), chromedp.Flag("host-resolver-rules", strings.Join(rules, ", "))}
}

// site is an app that ends its own session when the provider's ends, in one of the two ways. Its pages:
//
//	/          says who is signed in here, and holds the provider's check-session page (session_test.go)
//	/signin    sends the browser to the provider; what stands in the query is added to the authorization request
//	/callback  takes the answer
//	/signout   forgets who is signed in and has the provider end its session; "back=no" in the query: without a way back
//	/post      a form to the provider's end session endpoint, with what stands in the query
//	/bye       after that
//	/framed    Front-Channel Logout 1.0 section 2: forgets the browser that loads it in a frame, by its cookie
//	/told      Back-Channel Logout 1.0 section 2.5: forgets whoever signed in with that sid
type site struct {
	t               *testing.T
	town            *town
	ID, Name, URL   string
	Frame           bool
	Told            string
	SecretHash      string
	secret          string
	with            func(*testing.T, party) library
	library         library
	logout, checker string // end_session_endpoint, check_session_iframe
	verifier        *oidc.IDTokenVerifier
	refuses         bool               // it does not take logout tokens
	hold            chan chan struct{} // the next frame waits for what is in it

	mutex    sync.Mutex
	sessions map[string]guest // by cookie
	framed   []string         // sids of the frames
	told     []string         // sids of the logout tokens
	amiss    []error
}

// guest is somebody who signed in at a site.
type guest struct{ subject, sid, idToken, state string }

// how an app hears of a logout.
const (
	byFrame = iota
	byToken
)

// newSite opens an app at id.example's neighbour.
func (w *town) newSite(name string, with func(*testing.T, party) library, hears int) *site {
	w.t.Helper()
	s := &site{t: w.t, town: w, ID: strings.ToLower(name), Name: name, with: with, sessions: map[string]guest{}, hold: make(chan chan struct{}, 1)}
	s.URL = "https://" + s.ID + ".example"
	secret, hash := clients.NewSecret()
	s.secret, s.SecretHash = secret, fmt.Sprintf("%x", hash[:])
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /signin", func(rw http.ResponseWriter, r *http.Request) { s.library.signIn(rw, r) })
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("POST /signout", s.signOut)
	mux.HandleFunc("GET /post", s.post)
	mux.HandleFunc("GET /bye", s.bye)
	mux.HandleFunc("GET /framed", s.frame)
	mux.HandleFunc("POST /told", s.tell)
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{w.cert}}
	server.StartTLS()
	w.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	w.names[s.ID+".example"] = server.Listener.Addr().String()
	if s.Frame = hears == byFrame; !s.Frame {
		s.Told = server.URL + "/told" // by its address: the server asks the machine's own resolver for names
	}
	return s
}

// find looks for the provider.
func (s *site) find() {
	s.t.Helper()
	s.library = s.with(s.t, party{issuer: s.town.issuer, id: s.ID, secret: s.secret, redirectURI: s.URL + "/callback", scopes: []string{"openid"}, http: s.town.http})
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), s.town.http), s.town.issuer)
	if err != nil {
		s.t.Fatal(err)
	}
	var more struct {
		Logout  string `json:"end_session_endpoint"`
		Checker string `json:"check_session_iframe"`
	}
	if err := provider.Claims(&more); err != nil || more.Logout == "" || more.Checker == "" {
		s.t.Fatalf("%v: %+v", err, more)
	}
	s.logout, s.checker, s.verifier = more.Logout, more.Checker, provider.Verifier(&oidc.Config{ClientID: s.ID})
}

// siteCookie has to come into a frame on the provider's pages, where Lax would not.
const siteCookie = "__Host-session"

func (s *site) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: siteCookie, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode}
}

// guest is who is signed in at r's browser.
func (s *site) guest(r *http.Request) (v guest, cookie string) {
	c, err := r.Cookie(siteCookie)
	if err != nil {
		return v, ""
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.sessions[c.Value], c.Value
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	v, _ := s.guest(r)
	write(w, `<h1 id="who">{{with .Guest.subject}}{{.}}{{else}}nobody{{end}}</h1><p id="error">{{.Error}}</p>
<form method="post" action="/signout{{.Query}}"><button id="signout">Sign out</button></form>
{{if .Message}}<iframe id="op" hidden src="{{.Frame}}"></iframe>
<script>
const message = {{.Message}}, op = {{.Origin}}, answers = [];
addEventListener("message", e => { if (e.origin === op) answers.push(e.data); });
const ask = m => document.getElementById("op").contentWindow.postMessage(m, op);
document.getElementById("op").addEventListener("load", () => ask(message));
</script>{{end}}`, map[string]any{
		"Guest": map[string]string{"subject": v.subject}, "Error": r.URL.Query().Get("error"), "Query": "?" + r.URL.RawQuery,
		"Message": message(s.ID, v), "Frame": s.checker, "Origin": s.town.issuer,
	})
}

func message(id string, v guest) string {
	if v.state == "" {
		return ""
	}
	return id + " " + v.state
}

func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(oidc.ClientContext(r.Context(), s.town.http))
	got, err := s.library.callback(w, r)
	if err != nil {
		http.Redirect(w, r, "/?error="+url.QueryEscape(r.FormValue("error")+": "+err.Error()), http.StatusSeeOther)
		return
	}
	var claims struct{ SID string }
	jws, err := jose.ParseSignedCompact(got.id, []jose.SignatureAlgorithm{jose.RS256}) // which the library verified
	if err == nil {
		err = json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims)
	}
	if err != nil || claims.SID == "" {
		s.blame(fmt.Errorf("an ID token without sid: %v", err))
	}
	id := rand.Text()
	s.mutex.Lock()
	s.sessions[id] = guest{subject: got.subject, sid: claims.SID, idToken: got.id, state: r.FormValue("session_state")}
	s.mutex.Unlock()
	http.SetCookie(w, s.cookie(id, 0))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut is RP-Initiated Logout 1.0 section 2.
func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	v, id := s.guest(r)
	s.mutex.Lock()
	delete(s.sessions, id)
	s.mutex.Unlock()
	params := url.Values{"id_token_hint": {v.idToken}}
	if r.URL.Query().Get("back") != "no" {
		params.Set("post_logout_redirect_uri", s.URL+"/bye")
		params.Set("state", "went from "+s.Name)
	}
	http.Redirect(w, r, s.logout+"?"+params.Encode(), http.StatusSeeOther)
}

func (s *site) post(w http.ResponseWriter, r *http.Request) {
	write(w, `<form method="post" action="{{.Action}}">{{range $name, $values := .Params}}{{range $values}}
<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}<button id="send">Sign out</button></form>`,
		map[string]any{"Action": s.logout, "Params": r.URL.Query()})
}

func (s *site) bye(w http.ResponseWriter, r *http.Request) {
	write(w, `<h1 id="bye">{{.}}</h1>`, r.URL.Query().Get("state"))
}

func (s *site) frame(w http.ResponseWriter, r *http.Request) {
	select {
	case held := <-s.hold:
		select {
		case <-held:
		case <-time.After(patience):
		}
	default:
	}
	q := r.URL.Query()
	v, _ := s.guest(r)
	switch {
	case q.Get("iss") != s.town.issuer || q.Get("sid") == "":
		s.blame(fmt.Errorf("a frame with %s", r.URL.RawQuery))
	case r.Header.Get("Sec-Fetch-Dest") != "iframe" || r.Header.Get("Sec-Fetch-Site") != "cross-site":
		s.blame(fmt.Errorf("a frame that comes %s into %s", r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")))
	case v.sid != "" && v.sid != q.Get("sid"):
		s.blame(errors.New("a frame with the sid of another session"))
	default:
		s.mutex.Lock()
		s.framed = append(s.framed, q.Get("sid"))
		s.mutex.Unlock()
		http.SetCookie(w, s.cookie("", -1))
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, `<p>{{.}} was signed out`, s.Name)
}

func (s *site) tell(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	sid, err := s.verified(r)
	if err != nil {
		s.blame(err)
	}
	if err != nil || s.refuses {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_request"}`))
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.told = append(s.told, sid)
	for id, v := range s.sessions {
		if v.sid == sid {
			delete(s.sessions, id)
		}
	}
}

// verified holds a logout token to Back-Channel Logout 1.0 sections 2.4 and 2.6, with a library for what it has in common with an ID token.
func (s *site) verified(r *http.Request) (sid string, err error) {
	raw := r.PostFormValue("logout_token")
	token, err := s.verifier.Verify(r.Context(), raw)
	if err != nil {
		return "", fmt.Errorf("a logout token: %w", err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", err
	}
	var claims struct {
		SID    string                     `json:"sid"`
		JTI    string                     `json:"jti"`
		Events map[string]json.RawMessage `json:"events"`
		Nonce  *string                    `json:"nonce"`
	}
	if err := token.Claims(&claims); err != nil {
		return "", err
	}
	event := bytes.TrimSpace(claims.Events["http://schemas.openid.net/event/backchannel-logout"])
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := ""
	for _, v := range s.sessions {
		if v.sid == claims.SID {
			of = v.subject
		}
	}
	switch typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; {
	case typ != "logout+jwt":
		err = fmt.Errorf("typ %v", typ)
	case claims.SID == "" || claims.JTI == "" || claims.Nonce != nil || len(claims.Events) != 1 || string(event) != "{}":
		err = fmt.Errorf("%+v", claims)
	case token.Expiry.Sub(token.IssuedAt) <= 0 || token.Expiry.Sub(token.IssuedAt) > 2*time.Minute: // section 4: "preferably at most two minutes"
		err = fmt.Errorf("good for %v", token.Expiry.Sub(token.IssuedAt))
	case of != "" && token.Subject != of:
		err = fmt.Errorf("%s of %s, who is %s here", claims.SID, token.Subject, of)
	}
	if err != nil {
		return "", fmt.Errorf("a logout token: %w", err)
	}
	return claims.SID, nil
}

func (s *site) blame(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.amiss = append(s.amiss, err)
}

// sids are those of the sessions that the app has.
func (s *site) sids() (all []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, v := range s.sessions {
		all = append(all, v.sid)
	}
	return all
}

// heard are the sids of the logouts that the app has heard of. What was wrong with one fails the test.
func (s *site) heard(t *testing.T) []string {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, err := range s.amiss {
		t.Errorf("%s: %v", s.Name, err)
	}
	return append(s.framed, s.told...)
}
