// Package doctor checks a running deployment: what a browser or an app meets on the way through DNS, proxies and TLS ([Outside]), and
// what only the server's own folder tells ([Inside]).
//
// It asks as an app would and changes nothing: the most that it leaves behind is an authorization request that nobody finishes, which
// ends by itself. Each check says what it saw, where, and how to mend it. The checks know the specifications and what Signet does; they
// read no configuration, since what counts is what arrives.
package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/fields"
)

// Status is how a check ended.
type Status string

// The ways in which a check ends. A warning may be meant so; a failure cannot.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failure"
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"` // a word that stays the same
	Status Status `json:"status"`
	Text   string `json:"text"`            // what is so
	Where  string `json:"where,omitempty"` // a URL, a file
	Fix    string `json:"fix,omitempty"`   // how to mend it
}

// Options say what is checked from outside.
type Options struct {
	Issuer string
	CA     *x509.CertPool // who may vouch for its certificate; nil: whom the system trusts
	Now    func() time.Time

	// Client is one that may ask for a code, by which the cookies are seen; the zero Client: they are not.
	Client Client
	// Plain is where plain http of an https issuer is looked for; "": at port 80 of its host.
	Plain string
	// Published are the key ids that the server publishes, where that is known: a cache before it may have others.
	Published []string
	// Probe is a path below the issuer that says how the server sees whoever asks for it; "": it is not asked.
	Probe string
}

// Client is what an authorization request needs.
type Client struct{ ID, RedirectURI string }

// timeout is of one request. Who waits longer for a sign-in page goes away.
const timeout = 10 * time.Second

// examination is one run of the checks.
type examination struct {
	Options
	issuer   *url.URL
	base     string // the issuer without a slash at its end
	http     http.Client
	findings []Finding
	metadata map[string]any
}

// Outside checks the deployment of an issuer as its apps meet it.
func Outside(ctx context.Context, o Options) []Finding {
	e, err := newExamination(o)
	if err != nil {
		return []Finding{{"issuer", Failure, err.Error(), o.Issuer, "name it like https://id.example.com, as its tokens say it"}}
	}
	e.address()
	e.connection(ctx)
	if !e.discovery(ctx) {
		return e.findings // the rest would say the same once more
	}
	for _, check := range []func(context.Context){
		e.second, e.keys, e.headers, e.methods, e.crossOrigin, e.plainHTTP, e.cookies, e.registration, e.seen,
	} {
		check(ctx)
	}
	return e.findings
}

func newExamination(o Options) (*examination, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of an issuer", o.Issuer)
	}
	e := &examination{Options: o, issuer: u, base: strings.TrimSuffix(o.Issuer, "/")}
	e.http = http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableCompression: true,
			// What is wrong with the certificate is said by a check of its own; the others go on, so that all faults are known at once.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e, nil
}

func (e *examination) say(check string, s Status, where, fix, format string, args ...any) {
	e.findings = append(e.findings, Finding{check, s, fmt.Sprintf(format, args...), where, fix})
}

func (e *examination) ok(check, format string, args ...any) {
	e.say(check, OK, "", "", format, args...)
}

// local reports whether the issuer is for this machine alone.
func (e *examination) local() bool { return fields.Loopback(e.issuer) }

// answer is what was answered, read to its end.
type answer struct {
	*http.Response
	body []byte
	at   string // the URL that was asked
	took time.Duration
}

// maxBody is more than any of our documents has.
const maxBody = 1 << 20

// ask sends a request with these headers, by name and value.
func (e *examination) ask(ctx context.Context, method, at, body string, headers ...string) (answer, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, at, content)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("User-Agent", "signet-doctor")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	began := time.Now()
	resp, err := e.http.Do(r)
	if err != nil {
		return answer{}, plainly(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return answer{resp, read, at, time.Since(began)}, err
}

// plainly says a failure of the network without the URL, which the finding has.
func plainly(err error) error {
	if u, ok := err.(*url.Error); ok {
		if u.Timeout() {
			return fmt.Errorf("no answer within %s", timeout)
		}
		err = u.Err
	}
	if op, ok := err.(*net.OpError); ok && op.Err != nil {
		return fmt.Errorf("%s: %w", op.Addr, op.Err)
	}
	return err
}

// get asks for a path below the issuer.
func (e *examination) get(ctx context.Context, path string, headers ...string) (answer, error) {
	return e.ask(ctx, http.MethodGet, e.base+path, "", headers...)
}

// said is a text of the metadata, "" if it is not there.
func (e *examination) said(name string) string {
	s, _ := e.metadata[name].(string)
	return s
}

// endpoint is a URL of the metadata, "" if it is not there. Where the issuer is said wrong it is where it would be if it were not, so that
// the other checks can go on. Whatever does not lead to the issuer is as good as not there: what answers as the issuer shall not have this
// machine ask whom it likes.
func (e *examination) endpoint(name string) string {
	if below, ok := strings.CutPrefix(e.said(name), strings.TrimSuffix(e.said("issuer"), "/")+"/"); ok && e.said("issuer") != "" {
		return e.base + "/" + below
	}
	if strings.HasPrefix(e.said(name), e.base+"/") {
		return e.said(name)
	}
	return ""
}
