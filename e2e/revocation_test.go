package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
)

// pythonWithJWT finds a Python that has PyJWT, or skips the test.
func pythonWithJWT(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import jwt, cryptography").Run() == nil {
			return name
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no Python with PyJWT and cryptography")
	}
	t.Skip("Python with PyJWT is not installed: apt-get install python3-jwt python3-cryptography")
	panic("unreachable")
}

// pythonAPI is the Python of docs/revocation.md, asked about one token a line.
const pythonAPI = `
import sys
for line in sys.stdin:
    try:
        accept(line.strip())
        print("accepted", flush=True)
    except Exception as e:
        print("refused:", e, flush=True)
`

// An API in Python that knows the key set and the status list, written as docs/revocation.md says, refuses a revoked access token within a
// minute and goes on to accept the others. The minute is a real one.
func TestRevocationInPython(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for most of a minute")
	}
	python := pythonWithJWT(t)
	s := providertest.New(t, func(c *providertest.Config) { c.Real = true })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	token := func() string {
		a := s.Redeem(c, secret, b.Code(c))
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return a.Text("access_token")
	}
	revoked, good := token(), token()
	accept := startPython(t, python, pythonOf(t, "../docs/revocation.md", "https://id.example.com", s.Issuer)+pythonAPI)
	for _, token := range []string{revoked, good} {
		if said := accept(token); said != "accepted" {
			t.Fatalf("before: %s", said)
		}
	}
	if said := accept(providertest.Tampered(good)); !strings.HasPrefix(said, "refused") {
		t.Errorf("a tampered one: %s", said)
	}
	if a := s.Post("/revoke", c, secret, url.Values{"token": {revoked}}); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	began := time.Now()
	for accept(revoked) == "accepted" {
		if time.Since(began) > time.Minute {
			t.Fatal("a minute after it was revoked it is accepted")
		}
		if said := accept(good); said != "accepted" {
			t.Fatalf("one that was not revoked: %s", said)
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Logf("refused after %s", time.Since(began).Round(time.Second))
	if said := accept(revoked); said != "refused: revoked" {
		t.Errorf("%s", said)
	}
	if said := accept(good); said != "accepted" {
		t.Errorf("one that was not revoked: %s", said)
	}
}

// pythonOf is the Python of a page with other names in it: each text that is to be replaced, and by what.
func pythonOf(t *testing.T, file string, names ...string) string {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(page), "```python\n")
	code, _, found := strings.Cut(code, "```")
	for i := 0; i < len(names); i += 2 {
		found = found && strings.Contains(code, names[i])
	}
	if !found {
		t.Fatalf("%s has no Python, or other names in it than %q", file, names)
	}
	return strings.NewReplacer(names...).Replace(code)
}

// startPython runs a script that answers each line with one, and returns what asks it.
func startPython(t *testing.T, python, code string) (ask func(line string) string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "api.py")
	if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("Python: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	return func(line string) string {
		t.Helper()
		if _, err := fmt.Fprintln(in, line); err != nil {
			t.Fatalf("Python: %v", err)
		}
		answer, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("Python: %v", err)
		}
		return strings.TrimSpace(answer)
	}
}
