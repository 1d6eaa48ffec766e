package clients

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"signet/storage"
	"signet/web"
)

// Each near miss was somebody's vulnerability or somebody's lost hour.
func TestRedirectURI(t *testing.T) {
	t.Parallel()
	const registered = "https://app.example/cb"
	web := storage.Client{Type: Web, ApplicationType: "web", RedirectURIs: []string{
		registered, "https://app.example/q?a=b", "http://127.0.0.1:3000/cb", "http://localhost/cb"}}
	native := storage.Client{Type: Native, ApplicationType: "native", RedirectURIs: []string{
		"http://127.0.0.1/cb", "http://[::1]:8000/cb", "http://localhost:80/cb?a=b", "com.example.app:/cb", "https://app.example:8443/cb", "http://127.0.0.1"}}
	for name, c := range map[string]struct {
		client storage.Client
		sent   string
		want   bool
	}{
		"the same bytes":                  {web, registered, true},
		"the same bytes, query":           {web, "https://app.example/q?a=b", true},
		"the same bytes, loopback":        {web, "http://127.0.0.1:3000/cb", true},
		"nothing":                         {web, "", false},
		"userinfo":                        {web, "https://app.example@evil.example/cb", false},
		"userinfo before the same host":   {web, "https://x@app.example/cb", false},
		"userinfo, escaped":               {web, "https://app.example%40evil.example/cb", false},
		"dot segment":                     {web, "https://app.example/x/../cb", false},
		"dot segment behind":              {web, "https://app.example/cb/../evil", false},
		"dot segment, escaped":            {web, "https://app.example/cb/%2e%2e/evil", false},
		"dot segment with a parameter":    {web, "https://app.example/cb/..;/evil", false},
		"the registered one as a prefix":  {web, "https://app.example/cbx", false},
		"the registered one and a path":   {web, "https://app.example/cb/x", false},
		"the registered host as a prefix": {web, "https://app.example.evil.example/cb", false},
		"a subdomain":                     {web, "https://x.app.example/cb", false},
		"case of the path":                {web, "https://app.example/CB", false},
		"case of the host":                {web, "https://APP.example/cb", false},
		"case of the scheme":              {web, "HTTPS://app.example/cb", false},
		"a slash behind":                  {web, "https://app.example/cb/", false},
		"a slash too many":                {web, "https://app.example//cb", false},
		"an escaped letter":               {web, "https://app.example/%63b", false},
		"a backslash":                     {web, `https://app.example\cb`, false},
		"a backslash before another host": {web, `https://evil.example\@app.example/cb`, false},
		"another scheme":                  {web, "http://app.example/cb", false},
		"no scheme":                       {web, "//app.example/cb", false},
		"the default port":                {web, "https://app.example:443/cb", false},
		"a fragment":                      {web, "https://app.example/cb#", false},
		"a query added":                   {web, "https://app.example/cb?", false},
		"a query added, with a value":     {web, "https://app.example/cb?a=b", false},
		"a query dropped":                 {web, "https://app.example/q", false},
		"a query's value changed":         {web, "https://app.example/q?a=c", false},
		"a space before":                  {web, " https://app.example/cb", false},
		"a newline behind":                {web, "https://app.example/cb\n", false},
		"NUL behind":                      {web, "https://app.example/cb\x00", false},
		"javascript in mixed case":        {web, "JaVaScRiPt:alert(1)//https://app.example/cb", false},
		"another port, but not native":    {web, "http://127.0.0.1:3001/cb", false},
		"no port, but not native":         {web, "http://127.0.0.1/cb", false},
		"a port, but not native":          {web, "http://localhost:3000/cb", false},

		"RFC 8252 7.3: any port":                  {native, "http://127.0.0.1:51004/cb", true},
		"RFC 8252 7.3: any port of IPv6":          {native, "http://[::1]:51004/cb", true},
		"RFC 8252 7.3: the registered port":       {native, "http://[::1]:8000/cb", true},
		"RFC 8252 7.3: no port":                   {native, "http://[::1]/cb", true},
		"RFC 8252 7.3: localhost, with its query": {native, "http://localhost:51004/cb?a=b", true},
		"RFC 8252 7.3: without a path":            {native, "http://127.0.0.1:51004", true},
		"RFC 8252 7.1: private-use scheme":        {native, "com.example.app:/cb", true},
		"the highest port":                        {native, "http://127.0.0.1:65535/cb", true},
		"CVE-2020-15233: the query dropped":       {native, "http://localhost:51004/cb", false},
		"CVE-2020-15233: the query changed":       {native, "http://localhost:51004/cb?a=c", false},
		"the query added":                         {native, "http://127.0.0.1:51004/cb?a=b", false},
		"the path changed":                        {native, "http://127.0.0.1:51004/cb2", false},
		"a slash behind, loopback":                {native, "http://127.0.0.1:51004/cb/", false},
		"a path where none is registered":         {native, "http://127.0.0.1:51004/", false},
		"localhost for 127.0.0.1":                 {native, "http://localhost:51004/cb", false},
		"127.0.0.1 for localhost":                 {native, "http://127.0.0.1:51004/cb?a=b", false},
		"another loopback address":                {native, "http://127.0.0.2:51004/cb", false},
		"another spelling of the address":         {native, "http://127.1:51004/cb", false},
		"a decimal address":                       {native, "http://2130706433:51004/cb", false},
		"IPv6 in another spelling":                {native, "http://[0:0:0:0:0:0:0:1]:51004/cb", false},
		"IPv4 mapped":                             {native, "http://[::ffff:127.0.0.1]:51004/cb", false},
		"https":                                   {native, "https://127.0.0.1:51004/cb", false},
		"the scheme's case":                       {native, "HTTP://127.0.0.1:51004/cb", false},
		"localhost in capitals":                   {native, "http://LOCALHOST:51004/cb?a=b", false},
		"localhost with a dot":                    {native, "http://localhost.:51004/cb?a=b", false},
		"a host that begins like it":              {native, "http://127.0.0.1.evil.example/cb", false},
		"a host that begins like localhost":       {native, "http://localhost.evil.example/cb?a=b", false},
		"a port that is a password":               {native, "http://127.0.0.1:80@evil.example/cb", false},
		"userinfo, loopback":                      {native, "http://127.0.0.1@evil.example/cb", false},
		"userinfo before it":                      {native, "http://x@127.0.0.1:51004/cb", false},
		"an empty port":                           {native, "http://127.0.0.1:/cb", false},
		"port 0":                                  {native, "http://127.0.0.1:0/cb", false},
		"port 65536":                              {native, "http://127.0.0.1:65536/cb", false},
		"a port of six digits":                    {native, "http://127.0.0.1:000080/cb", false},
		"a port with a sign":                      {native, "http://127.0.0.1:+80/cb", false},
		"a port in other digits":                  {native, "http://127.0.0.1:８０/cb", false},
		"a port with a letter":                    {native, "http://127.0.0.1:8o/cb", false},
		"two ports":                               {native, "http://127.0.0.1:80:80/cb", false},
		"an escaped colon":                        {native, "http://127.0.0.1%3a80/cb", false},
		"a backslash, loopback":                   {native, `http://127.0.0.1:80\cb`, false},
		"a fragment, loopback":                    {native, "http://127.0.0.1:51004/cb#x", false},
		"a fragment for the path":                 {native, "http://127.0.0.1:51004#/cb", false},
		"dot segments, loopback":                  {native, "http://127.0.0.1:51004/x/../cb", false},
		"an escaped letter, loopback":             {native, "http://127.0.0.1:51004/%63b", false},
		"any port is for loopback alone":          {native, "https://app.example:8444/cb", false},
		"private-use scheme, case":                {native, "com.example.App:/cb", false},
		"private-use scheme, slashes":             {native, "com.example.app:///cb", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := RedirectURI(c.client, c.sent); got != c.want {
				t.Errorf("%q: %t", c.sent, got)
			}
		})
	}
}

func TestPostLogoutRedirectURI(t *testing.T) {
	t.Parallel()
	c := storage.Client{ApplicationType: "native", PostLogoutRedirectURIs: []string{"http://127.0.0.1/out", "https://app.example/out"}}
	for sent, want := range map[string]bool{
		"http://127.0.0.1/out": true, "https://app.example/out": true, // RP-Initiated Logout 3: exact
		"http://127.0.0.1:80/out": false, "https://app.example/out/": false, "https://app.example/out?": false, "": false,
	} {
		if got := PostLogoutRedirectURI(c, sent); got != want {
			t.Errorf("%q: %t", sent, got)
		}
	}
}

// RFC 9700 2.1: the URI that was compared is the one that is answered to, byte for byte, whatever a page makes of addresses.
func TestRedirectURIsSurvivePages(t *testing.T) {
	t.Parallel()
	pages, err := web.New("https://id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	action := regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	good := 0
	for c := range byte(0x80) {
		for _, uri := range []string{"https://app.example/a" + string(c) + "b", "https://app.example/?a=b" + string(c) + "c", "https://app.example/%2" + string(c)} {
			if redirectProblem(false, uri) != "" {
				continue
			}
			good++
			w := httptest.NewRecorder()
			pages.Write(w, http.StatusOK, web.FormPost{Action: uri})
			if m := action.FindStringSubmatch(w.Body.String()); m == nil || html.UnescapeString(m[1]) != uri {
				t.Errorf("Form Post Response Mode 2: %q is sent to %q", uri, m)
			}
		}
	}
	if good < 150 {
		t.Errorf("only %d URIs pass", good)
	}
}

// A client that was stored with an empty URI, by whatever fault, is still not answered at one.
func TestRedirectURIFailsClosed(t *testing.T) {
	t.Parallel()
	c := storage.Client{ApplicationType: "native", RedirectURIs: []string{""}, PostLogoutRedirectURIs: []string{""}}
	if RedirectURI(c, "") || PostLogoutRedirectURI(c, "") {
		t.Error("no URI at all passes")
	}
}

func TestRedirectRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, uri string
		problem  string // a word of it; "" if it is good
	}{
		{Web, "https://app.example/cb?x=y", ""},
		{Web, "https://app.example", ""},
		{Web, "http://localhost:3000/cb", ""},
		{Web, "http://127.0.0.1/cb", ""},
		{SPA, "http://[::1]:3000/cb", ""},
		{Native, "https://app.example/cb", ""},
		{Native, "com.example.app:/oauth2redirect", ""},
		{Native, "com.example.app://oauth2redirect", ""},
		{Native, "com.googleusercontent.apps.123-abc:/cb", ""},

		{Web, "", "is empty"},
		{Web, "app.example/cb", "not absolute"},
		{Web, "https:///cb", "no proper host"},
		{Web, "http://app.example/cb", "not encrypted"},
		{Web, "http://127.0.0.2/cb", "not encrypted"},
		{Web, "http://localhost.example/cb", "not encrypted"},
		{Web, "http://LOCALHOST/cb", "not encrypted"},
		{Native, "http://192.168.0.1/cb", "not encrypted"},
		{Web, "https://app.example/cb#x", "fragment"},
		{Web, "https://app.example/cb#", "fragment"},
		{Web, "https://*.app.example/cb", "wildcard"},
		{Web, "https://app.example/*", "wildcard"},
		{Web, "https://u:p@app.example/cb", "user name"},
		{Web, "https://app.example/a/../cb", "segment"},
		{Web, "https://app.example/a/%2E%2e/cb", "segment"},
		{Web, "https://app.example/a/..;/cb", "segment"},
		{Web, `https://app.example\cb`, "character"},
		{Web, "https://app.example/c b", "character"},
		{Web, "https://app.example/cb\x00", "character"},
		{Web, "https://äpp.example/cb", "ASCII form"},
		{Web, "https://app.example/cb(1)", "%28"},
		{Web, "https://app.example/cb?x='y'", "%27"},
		{Web, "https://app.example/cb%281%29?x=%27y%27", ""},
		{Web, "https://app.example/" + strings.Repeat("a", 2000), "longer"},
		{Web, "com.example.app:/cb", "native clients"},
		{Native, "myapp:/cb", "reversed"},
		{Native, "myapp://cb", "reversed"},
		{Native, "com..app:/cb", "reversed"},
		{Native, "com.example.app:cb", "slash"},
		{Native, "com.example.app:", "slash"},
		{Native, "com.example.app://u@host/cb", "user name"},
		{Native, "com.Example.app:/cb", "lower case"},
		{Native, "javascript:alert(1)", "not for answers"},
		{Native, "data:text/html,x", "not for answers"},
		{Native, "file:///etc/passwd", "not for answers"},
		{Native, "vbscript:x", "not for answers"},
		{Native, "blob:https://app.example/x", "not for answers"},
		{Native, "about:blank", "not for answers"},
		{Native, "JavaScript:alert(1)", "lower case"},
		{Native, "java\tscript:alert(1)", "character"},
	} {
		got := redirectProblem(c.typ == Native, c.uri)
		if c.problem == "" && got != "" || !strings.Contains(got, c.problem) {
			t.Errorf("%s %q: %q, want %q", c.typ, c.uri, got, c.problem)
		}
	}
}

// A match is the same bytes, or an http URI on one loopback host that differs in its port alone.
func FuzzRedirectURI(f *testing.F) {
	for _, s := range [][2]string{
		{"http://127.0.0.1/cb", "http://127.0.0.1:80/cb"}, {"http://[::1]:1/", "http://[::1]:2/"}, {"http://localhost", "http://localhost:1?x"},
		{"https://a.example/cb", "https://a.example/cb"}, {"http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"},
	} {
		f.Add(s[0], s[1])
	}
	loopback := regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?((?s:[/?].*)?)$`)
	f.Fuzz(func(t *testing.T, registered, sent string) {
		web := storage.Client{ApplicationType: "web", RedirectURIs: []string{registered}}
		if RedirectURI(web, sent) != (registered == sent && sent != "") {
			t.Errorf("web: %q for %q", sent, registered)
		}
		native := storage.Client{ApplicationType: "native", RedirectURIs: []string{registered}}
		if !RedirectURI(native, sent) || registered == sent {
			return
		}
		a, b := loopback.FindStringSubmatch(registered), loopback.FindStringSubmatch(sent)
		if a == nil || b == nil || a[1] != b[1] || a[3] != b[3] {
			t.Errorf("native: %q for %q", sent, registered)
		}
	})
}
