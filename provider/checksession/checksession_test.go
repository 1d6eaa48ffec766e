package checksession_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/provider/session"
)

// page is the page as an app's frame gets it, and its script.
func page(t *testing.T, s *providertest.Server) (a providertest.Answer, cookie, script string) {
	t.Helper()
	metadata := s.Get("/.well-known/openid-configuration", "")
	at := strings.TrimPrefix(metadata.Text("check_session_iframe"), s.Issuer)
	a = s.Get(at, "")
	found := regexp.MustCompile(`<script id="check" data-cookie="([^"]+)" src="([^"]+)"></script>`).FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || found == nil {
		t.Fatalf("%s: %d %s", at, a.Status, a.Body)
	}
	js := s.Get(strings.TrimPrefix(found[2], "/tenant"), "")
	if js.Status != http.StatusOK || !strings.HasPrefix(js.Header.Get("Content-Type"), "text/javascript") {
		t.Fatalf("%s: %d", found[2], js.Status)
	}
	return a, found[1], js.Body
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{false, true} {
		s := providertest.New(t, func(c *providertest.Config) { c.Path, c.TLS = "/tenant", https })
		a, cookie, _ := page(t, s)
		csp := a.Header.Get("Content-Security-Policy")
		if strings.Contains(csp, "frame-ancestors") || a.Header.Get("X-Frame-Options") != "" {
			t.Errorf("Session Management 3.2: an app cannot frame it: %q", csp)
		}
		if !strings.HasPrefix(csp, "default-src 'none'") || !strings.Contains(csp, "script-src 'self'") || !strings.Contains(csp, "form-action 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("CSP %q", csp)
		}
		if a.Header.Get("Set-Cookie") != "" {
			t.Error("it sets a cookie, in whichever jar the frame has")
		}
		b := s.Browser("")
		c, _ := s.Client("web", "My app")
		b.Authorize(c)
		if all := b.Cookies(); len(all) == 0 || !strings.Contains(all[0].Name+all[len(all)-1].Name, cookie) {
			t.Errorf("the script looks for %q among %v", cookie, all)
		}
		if a := s.Do(s.Request(http.MethodPost, "/check-session", nil)); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST: %d", a.Status)
		}
	}
}

// question is a message as the script gets it, in a frame whose cookies are these.
type question struct {
	Cookie   string   `json:"cookie"` // what document.cookie says
	Refused  bool     `json:"refused"`
	Above    []string `json:"above"` // ancestorOrigins; null: the browser does not tell
	Referrer string   `json:"referrer"`
	Origin   string   `json:"origin"`
	Data     any      `json:"data"`
	Self     bool     `json:"self"` // from the page itself
}

// harness runs the script once for each question; "" is no answer.
const harness = `
const vm = require("vm"), input = JSON.parse(require("fs").readFileSync(0, "utf8")), answers = [];
for (const q of input.questions) {
  let listener, said = "";
  const window = { addEventListener(type, f) { if (type === "message") listener = f; }, location: q.above ? { ancestorOrigins: q.above } : {} };
  const document = { referrer: q.referrer, getElementById: id => id === "check" ? { getAttribute: () => input.cookie } : null };
  Object.defineProperty(document, "cookie", { get() { if (q.refused) throw new Error("SecurityError"); return q.cookie; } });
  vm.runInNewContext(input.script, { window, document, unescape, encodeURIComponent });
  const source = { postMessage(m, target) { said += target === q.origin ? m : "to " + target; } };
  window.postMessage = source.postMessage;
  listener({ data: q.data, origin: q.origin, source: q.self ? window : source });
  answers.push(said);
}
console.log(JSON.stringify(answers));
`

// ask runs the script in Node.js.
func ask(t *testing.T, cookie, script string, questions []question) (answers []string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: apt-get install nodejs")
	}
	input, err := json.Marshal(map[string]any{"script": script, "cookie": cookie, "questions": questions})
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(node, "-e", harness)
	run.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	run.Stderr = &complaints
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(questions) {
		t.Fatalf("%v, %d answers: %s", err, len(answers), out)
	}
	return answers
}

// The script computes what the provider does, whatever goes into it.
func TestHash(t *testing.T) {
	t.Parallel()
	_, cookie, script := page(t, providertest.New(t))
	var questions []question
	for n := range 300 {
		client, redirect, state := "c"+strings.Repeat(rand.Text(), n%30), "https://"+strings.ToLower(rand.Text())+".example:8443/cb", rand.Text()+strings.Repeat("x", n)
		questions = append(questions, question{
			Cookie: "other=1; " + cookie + "=" + state + "; x" + cookie + "=2", Origin: session.Origin(redirect), Data: client + " " + session.SessionState(client, redirect, state),
		})
	}
	for i, answer := range ask(t, cookie, script, questions) {
		if answer != "unchanged" {
			t.Errorf("Session Management 4.2: %q to %+v", answer, questions[i])
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	_, cookie, script := page(t, providertest.New(t))
	const origin = "https://app.example"
	state := rand.Text() + ".1234"
	good := session.SessionState("app", origin+"/cb", state)
	for name, row := range map[string]struct {
		question
		want string
	}{
		"4.2: unchanged":               {question{}, "unchanged"},
		"4.2: changed":                 {question{Cookie: cookie + "=" + rand.Text()}, "changed"},
		"4.2: another client":          {question{Data: "other " + good}, "changed"},
		"4.2: another origin":          {question{Origin: "https://evil.example"}, "changed"},
		"3.1: no cookie":               {question{Cookie: "x=1"}, "error"},
		"an empty cookie":              {question{Cookie: cookie + "="}, "error"},
		"no access to cookies":         {question{Refused: true}, "error"},
		"two cookies":                  {question{Cookie: cookie + "=" + state + "; " + cookie + "=x"}, "error"},
		"the cookie of another issuer": {question{Cookie: "x" + cookie + "=" + state}, "error"},
		"4.2: no session state":        {question{Data: "app"}, "error"},
		"4.2: empty":                   {question{Data: ""}, "error"},
		"4.2: no client":               {question{Data: " " + good}, "error"},
		"4.2: no salt":                 {question{Data: "app " + good[:64]}, "error"},
		"4.2: a space more":            {question{Data: "app  " + good}, "error"},
		"4.2: a line more":             {question{Data: "app " + good + "\n"}, "error"},
		"4.2: too long":                {question{Data: "app " + good + strings.Repeat("x", 1000)}, "error"},
		"not a text":                   {question{Data: map[string]string{"a": "b"}}, ""},
		"from the page itself":         {question{Self: true, Data: "error"}, ""},
		"from a sandbox":               {question{Origin: "null"}, ""},
		"3.2: the parent's origin":     {question{Above: []string{origin, "https://top.example"}}, "unchanged"},
		"3.2: not the parent's origin": {question{Above: []string{"https://evil.example", origin}}, ""},
		"3.2: the referrer's origin":   {question{Referrer: origin + "/page"}, "unchanged"},
		"3.2: the referrer is short":   {question{Referrer: origin}, "unchanged"},
		"3.2: another referrer":        {question{Referrer: "https://evil.example/" + origin + "/"}, ""},
		"3.2: a longer host":           {question{Referrer: origin + ".evil/"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := row.question
			if q.Cookie == "" {
				q.Cookie = cookie + "=" + state
			}
			if q.Origin == "" {
				q.Origin = origin
			}
			if q.Data == nil {
				q.Data = "app " + good
			}
			if got := ask(t, cookie, script, []question{q})[0]; got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// What HtmlUnit, which the certification plans use, does not know loses it the whole script.
func TestOldBrowsers(t *testing.T) {
	t.Parallel()
	_, _, script := page(t, providertest.New(t))
	code := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(script, "")
	if found := regexp.MustCompile(`=>|\b(class|async|await|fetch|crypto|const|let|import|export)\b|\.\.\.|` + "`").FindString(code); found != "" {
		t.Errorf("it has %q", found)
	}
}
