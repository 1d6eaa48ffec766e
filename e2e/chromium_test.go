package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take. It only matters when something is broken.
const patience = 2 * time.Minute

// chromium is a browser process with an empty profile, and one tab in it. Its methods fail the test.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mutex sync.Mutex
	said  []string // warnings and errors of the console
}

// atATime bounds the browsers: each is half a dozen processes.
var atATime = make(chan struct{}, 2)

// chromiumPath finds the browser, or skips the test.
func chromiumPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("chromium is not installed: apt-get install chromium")
	panic("unreachable")
}

func newChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	chromiumPath(t)
	atATime <- struct{}{}
	t.Cleanup(func() { <-atATime })
	return startChromium(t, more...)
}

// startChromium is newChromium for one that does not wait for its turn.
func startChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	path := chromiumPath(t)
	// Not t.TempDir: the browser's children may be writing their last words into it. Its own temporary files go there as well, by a path
	// that is short enough for its sockets.
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env("TMPDIR=" + dir), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("password-store", "basic"), chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(patience)}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, closeTab := chromedp.NewContext(alloc)
	c := &chromium{t: t, ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("closing the browser: %v", err)
		}
		closeTab()
		stop()
		os.RemoveAll(dir)
	})
	if err := chromedp.Listen(ctx, c.listen); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	// The pages' autofocus and the focus ring need a window that has the focus.
	c.do(call(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}))
	return c
}

func (c *chromium) listen(event any) {
	e, ok := event.(*log.EventEntryAdded)
	if !ok || e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.said = append(c.said, e.Entry.Text+" ("+e.Entry.URL+")")
}

// console returns what the browser complained about, and forgets it. A page that breaks its own Content-Security-Policy is told there.
func (c *chromium) console() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	said := strings.Join(c.said, "\n")
	c.said = nil
	return said
}

// complains waits until the browser has complained about something, and forgets it.
func (c *chromium) complains(about string) {
	c.t.Helper()
	said := ""
	for deadline := time.Now().Add(patience); !strings.Contains(said, about); time.Sleep(10 * time.Millisecond) {
		if said += c.console(); time.Now().After(deadline) {
			c.t.Fatalf("the browser does not complain about %s but: %s", about, said)
		}
	}
}

// quiet fails the test if the browser complained.
func (c *chromium) quiet() {
	c.t.Helper()
	if said := c.console(); said != "" {
		c.t.Errorf("the browser complained:\n%s", said)
	}
}

// step runs one part of a scenario as a sub-test. The browser and the apps that it uses (their t) fail the sub-test meanwhile; what comes after
// builds on it, so that the scenario ends where it fails.
func step(t *testing.T, name string, f func(*testing.T), with ...**testing.T) {
	t.Helper()
	ok := t.Run(name, func(t *testing.T) {
		for _, part := range with {
			before := *part
			*part = t
			defer func() { *part = before }()
		}
		f(t)
	})
	if !ok {
		t.FailNow()
	}
}

// call is an action that sends one command of the DevTools protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	run(c, chromedp.Steps(actions...))
}

// run runs an action. Where it fails, the test ends with what the browser shows at that moment.
func run[T any](c *chromium, action chromedp.Action[T]) T {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		page, _ := chromedp.Run(c.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		c.t.Fatalf("%v\nat %s\nconsole: %s", err, page, c.console())
	}
	return v
}

// open goes to an address and waits for the page.
func (c *chromium) open(address string) {
	c.t.Helper()
	c.do(chromedp.Navigate(address))
}

// see waits for an element.
func (c *chromium) see(selector string) {
	c.t.Helper()
	c.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// press clicks on an element.
func (c *chromium) press(selector string) {
	c.t.Helper()
	c.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill types into a field, in place of what is there.
func (c *chromium) fill(selector, text string) {
	c.t.Helper()
	c.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// keys presses keys, wherever the focus is.
func (c *chromium) keys(keys string) {
	c.t.Helper()
	c.do(chromedp.KeyEvent(keys))
}

// text is an element's text.
func (c *chromium) text(selector string) string {
	c.t.Helper()
	return strings.TrimSpace(run(c, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible)))
}

// script evaluates an expression in the page.
func script[T any](c *chromium, expression string) T {
	c.t.Helper()
	return run(c, chromedp.Evaluate[T](expression))
}

// focus is the id of the focused element, or its name and value.
func (c *chromium) focus() string {
	c.t.Helper()
	return script[string](c, `(e => e.id || [e.localName, e.name, e.value].filter(Boolean).join(" "))(document.activeElement)`)
}

// accessible is a node as a screen reader knows it.
type accessible struct{ role, name, description string }

// accessibles returns the nodes that a screen reader comes across, in order.
func (c *chromium) accessibles() []accessible {
	c.t.Helper()
	tree := run(c, func(ctx context.Context, t *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	text := func(v *accessibility.Value) (s string) {
		if v != nil {
			_ = json.Unmarshal(v.Value, &s) // what is no text stays ""
		}
		return s
	}
	var all []accessible
	for _, n := range tree.Nodes {
		if !n.Ignored {
			all = append(all, accessible{text(n.Role), text(n.Name), text(n.Description)})
		}
	}
	return all
}
