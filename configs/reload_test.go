package configs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func loaded(t *testing.T, content string, env ...string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Sources{File: path, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		env           []string
		want          []string
	}{
		"nothing":               {"log: {level: debug}", "# a comment\nlog: {level: debug}", nil, nil},
		"the default is spelt":  {"", "lifetimes: {code: 1m}\nlisten: localhost:8080", nil, nil},
		"another spelling":      {"lifetimes: {code: 1m}", "lifetimes: {code: 60s}", nil, nil},
		"settings":              {"lifetimes: {code: 30s}", "registration: open\ntrusted_proxy: 10.0.0.1", nil, []string{"registration", "trusted_proxy", "lifetimes.code"}},
		"a variable wins":       {"registration: open", "registration: token", []string{"SIGNET_REGISTRATION=off"}, nil},
		"a resource's scope":    {"resources: [{id: 'https://a.example', scopes: [a]}]", "resources: [{id: 'https://a.example', scopes: [a, b]}]", nil, []string{"resources"}},
		"a client's field":      {"clients: [{id: a, type: web}]", "clients: [{id: a, type: spa}]", nil, []string{"clients"}},
		"a declaration moved":   {"users:\n- username: a", "\n\nusers:\n- username: a", nil, nil},
		"a scope and its claim": {"", "scopes: [{name: hr, claims: [x]}]\nclaims: [{name: x, from: email}]", nil, []string{"scopes", "claims"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Changed(loaded(t, c.before, c.env...), loaded(t, c.after, c.env...)); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	before := loaded(t, "issuer: https://id.example.com\ntrusted_proxy: 10.0.0.1")
	after := loaded(t, "trusted_proxy: 10.0.0.1\nissuer: https://id2.example.com\ndata: elsewhere\nregistration: open\nlisten: :8443\ntls_cert: a\ntls_key: b")
	var keys []string
	for _, f := range Fixed(before, after) {
		keys = append(keys, f.Key)
		if f.Place.Line == 0 || f.Problem == "" || f.Fix == "" {
			t.Errorf("%+v", f)
		}
	}
	if want := []string{"issuer", "data", "listen", "tls_cert"}; !slices.Equal(keys, want) {
		t.Errorf("%q, want %q", keys, want)
	}
	if back := Fixed(after, before); len(back) != 4 { // their lines are gone, and it is said where they stood
		t.Errorf("%v", back)
	}
	if same := Fixed(after, loaded(t, "issuer: https://id2.example.com\ndata: elsewhere\nlisten: :8443\ntls_cert: c\ntls_key: d")); same != nil {
		t.Errorf("another certificate is no other way to listen: %v", same)
	}
}

// Whoever adds a setting decides whether a reload can change it. Those here are read anew by the server's reload; others are fixed.
func TestEverySettingIsFixedOrRead(t *testing.T) {
	t.Parallel()
	read := []string{
		"registration", "software_statement_issuers", "registration_pkce", "registration_documents", "registration_document_hosts", "unsigned_request_objects", "encrypted_request_objects", "tls_cert", "tls_key", "trusted_proxy",
		"rate_limit", "rate_limits.address", "rate_limits.client", "rate_limits.failed_authentication", "rate_limits.registration",
		"outgoing_allow", "outgoing_ca", "allow_insecure_issuer", "lifetimes.access_token", "lifetimes.id_token", "lifetimes.code",
		"lifetimes.refresh_idle", "lifetimes.refresh_absolute", "lifetimes.refresh_reuse_window", "lifetimes.session_idle",
		"lifetimes.session_absolute", "keys.algorithms", "keys.rotate_every", "keys.announce", "access_tokens.algorithm", "access_tokens.typ",
		"access_tokens.claims", "access_tokens.status_list", "audit.retention", "log.level",
	}
	read = append(read, "lifetimes.session_kept", "mail.host", "mail.port", "mail.tls", "mail.from", "mail.user", "mail.password_file")
	c := Default()
	for _, s := range table(&c) {
		if s.fixed == slices.Contains(read, s.name) {
			t.Errorf("%s: say in the table that it is fixed, or read it in a reload and say so here", s.name)
		}
	}
}
