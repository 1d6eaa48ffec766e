package clients

import (
	"strings"
	"testing"

	"signet/storage"
)

func TestDocumentURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, problem string }{
		"plain":                                   {"https://app.example/oauth/client.json", ""},
		"Client ID Metadata Document 3: port":     {"https://app.example:8443/c", ""},
		"3: the root is not recommended":          {"https://app.example/", ""},
		"3: a query is not recommended":           {"https://app.example/c?v=2", ""},
		"3: https":                                {"http://app.example/c", "not https"},
		"3: a path":                               {"https://app.example", "no path"},
		"3: a path, and not a query alone":        {"https://app.example?c", "no path"},
		"3: no fragment":                          {"https://app.example/c#a", "fragment"},
		"3: no empty fragment":                    {"https://app.example/c#", "fragment"},
		"3: no user info":                         {"https://alice@app.example/c", "user name"},
		"3: no password":                          {"https://a:b@app.example/c", "user name"},
		"3: no double-dot segment":                {"https://app.example/a/../c", "segment"},
		"3: no single-dot segment":                {"https://app.example/./c", "segment"},
		"3: no dot segment in escapes":            {"https://app.example/a/%2e%2E/c", "segment"},
		"3: no dot segment at the end":            {"https://app.example/a/..", "segment"},
		"one spelling: the host in lower case":    {"https://App.example/c", "capitals"},
		"one spelling: the scheme in lower case":  {"HTTPS://app.example/c", "capitals"},
		"one spelling: no default port":           {"https://app.example:443/c", "port"},
		"one spelling: no port with zeros":        {"https://app.example:08443/c", "port"},
		"one spelling: no colon without a port":   {"https://app.example:/c", "port"},
		"one spelling: no dot behind the host":    {"https://app.example./c", "host"},
		"one spelling: names of other scripts":    {"https://äpp.example/c", "ASCII"},
		"no backslash, which browsers take for /": {`https://app.example\@evil.example/c`, "character"},
		"no space":             {"https://app.example/c d", "character"},
		"no control character": {"https://app.example/c%0d%0aX", "control"},
		"no port 0":            {"https://app.example:0/c", "port"},
		"no host":              {"https:///c", "host"},
		"an address is for the resolver to refuse": {"https://192.0.2.1/c", ""},
		"500 bytes": {"https://app.example/" + strings.Repeat("c", 480), ""},
		"501 bytes": {"https://app.example/" + strings.Repeat("c", 481), "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problem := DocumentURL(c.id)
			if (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
				t.Errorf("%s: %q", c.id, problem)
			}
		})
	}
}

// A URL is the id of who has a document there: no command, no file and no registration makes such a client.
func TestURLsAreDocuments(t *testing.T) {
	t.Parallel()
	c := valid(t, SPA)
	c.ID = "https://app.example/c"
	for origin, good := range map[string]bool{storage.OriginDocument: true, storage.OriginOperator: false, storage.OriginFile: false, storage.OriginRegistered: false} {
		c.Origin = origin
		if err := Validate(c); (err == nil) != good {
			t.Errorf("%s: %v", origin, err)
		}
	}
	c.Origin, c.ID = storage.OriginDocument, "plain"
	if Validate(c) == nil {
		t.Error("a document without a URL")
	}
}
