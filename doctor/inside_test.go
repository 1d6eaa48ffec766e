package doctor_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/doctor"
	"signet/keys"
	"signet/storage"
)

// What only the server's folder tells: each row is a sound folder with one thing wrong.
func TestInside(t *testing.T) {
	t.Parallel()
	now := time.Now()
	info := func(kid, alg string, state keys.State, until time.Duration) keys.Info {
		return keys.Info{KID: kid, Alg: alg, State: state, Until: now.Add(until)}
	}
	client := func(typ, uri string) storage.Client {
		return storage.Client{ID: "app", Name: "My app", Type: typ, GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{uri}}
	}
	const gib = 1 << 30
	for name, row := range map[string]struct {
		change func(*doctor.Folder)
		want   string // check, status and words of the text; "": all is well
	}{
		"sound":                          {func(*doctor.Folder) {}, ""},
		"not ready":                      {func(f *doctor.Folder) { f.Problem = "no space" }, "ready|failure|no space"},
		"another version":                {func(f *doctor.Folder) { f.Versions[1] = "2" }, "version|warning|of version 1, this program of 2"},
		"no next key":                    {func(f *doctor.Folder) { f.Keys = f.Keys[:1] }, "rotation|warning|no key is announced"},
		"a key that should have changed": {func(f *doctor.Folder) { f.Keys[0].Until = now.Add(-time.Hour) }, "rotation|failure|should have been followed"},
		"a key that changes soon":        {func(f *doctor.Folder) { f.Keys[0].Until = now.Add(time.Hour) }, ""},
		"no master key":                  {func(f *doctor.Folder) { f.MasterKey += "x" }, "master-key|failure|gone"},
		"others may read the master key": {func(f *doctor.Folder) { _ = os.Chmod(f.MasterKey, 0o644) }, "master-key|failure|can be read"},
		"others may enter the folder":    {func(f *doctor.Folder) { _ = os.Chmod(f.Data, 0o755) }, "folder|failure|0755"},
		"the disk is nearly full": {func(f *doctor.Folder) {
			f.Free = func(string) (uint64, uint64, error) { return gib / 2, 100 * gib, nil }
		}, "disk|warning|512 MiB"},
		"the disk is full": {func(f *doctor.Folder) {
			f.Free = func(string) (uint64, uint64, error) { return 1 << 20, 100 * gib, nil }
		}, "disk|failure|1 MiB"},
		"a small disk": {func(f *doctor.Folder) { f.Free = func(string) (uint64, uint64, error) { return gib / 2, gib, nil } }, ""},
		"nobody can say": {func(f *doctor.Folder) {
			f.Free = func(string) (uint64, uint64, error) { return 0, 0, errors.ErrUnsupported }
		}, ""},
		"a redirect to plain http": {func(f *doctor.Folder) { f.Clients[0] = client("web", "http://app.com/cb") }, "redirects|warning|plain http"},
		"a redirect to localhost":  {func(f *doctor.Folder) { f.Clients[0] = client("web", "http://localhost:3000/cb") }, "redirects|warning|machine of whoever signs in"},
		"localhost with a local issuer": {func(f *doctor.Folder) {
			f.Issuer, f.Clients[0] = "http://localhost:8080", client("web", "http://localhost:3000/cb")
		}, ""},
		"RFC 8252 7.3: localhost, native": {func(f *doctor.Folder) { f.Clients[0] = client("native", "http://127.0.0.1/cb") }, ""},
		"RFC 8252 7.1: a scheme":          {func(f *doctor.Folder) { f.Clients[0] = client("native", "com.example.app:/cb") }, ""},
		"a redirect to a private address": {func(f *doctor.Folder) { f.Clients[0] = client("web", "https://10.1.2.3/cb") }, "redirects|warning|private address"},
		"a redirect to a short name":      {func(f *doctor.Folder) { f.Clients[0] = client("web", "https://wiki/cb") }, "redirects|warning|private address"},
		"a short name, an inner issuer": {func(f *doctor.Folder) {
			f.Issuer, f.Clients[0] = "https://id.corp.internal", client("web", "https://wiki/cb")
		}, ""},
		"a redirect with a wildcard": {func(f *doctor.Folder) { f.Clients[0] = client("web", "https://*.app.com/cb") }, "redirects|warning|*"},
		"a redirect with a space":    {func(f *doctor.Folder) { f.Clients[0] = client("web", "https://app.com/cb ") }, "redirects|warning|spaces"},
		"a client out of use": {func(f *doctor.Folder) {
			f.Clients[0] = client("web", "http://app.com/cb")
			f.Clients[0].GrantTypes = nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			master := filepath.Join(dir, "master.key")
			if err := os.WriteFile(master, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
				t.Fatal(err)
			}
			f := doctor.Folder{
				Issuer: "https://id.example.com", Data: dir, MasterKey: master, Versions: [2]string{"1", "1"}, Now: now,
				Clients: []storage.Client{client("web", "https://app.com/cb")},
				Keys:    []keys.Info{info("a", "RS256", keys.Active, 20*24*time.Hour), info("b", "RS256", keys.Next, 20*24*time.Hour)},
				Free:    func(string) (uint64, uint64, error) { return 50 * gib, 100 * gib, nil },
			}
			row.change(&f)
			var bad []string
			for _, found := range doctor.Inside(f) {
				if found.Status != doctor.OK {
					bad = append(bad, found.Check+"|"+string(found.Status)+"|"+found.Text)
				}
			}
			if row.want == "" && bad != nil {
				t.Errorf("found %q", bad)
			}
			if row.want != "" {
				head, words := row.want[:strings.LastIndex(row.want, "|")+1], row.want[strings.LastIndex(row.want, "|")+1:]
				if len(bad) != 1 || !strings.HasPrefix(bad[0], head) || !strings.Contains(bad[0], words) {
					t.Errorf("found %q, want %s", bad, row.want)
				}
			}
		})
	}
}
