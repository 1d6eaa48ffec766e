package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/configs"
	"signet/fetch"
	"signet/provider/assertion"
)

// jwksFile is a file with a fresh public key.
func jwksFile(t *testing.T, path string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// loaded is what a file comes to.
func loaded(t *testing.T, content string) (configured, configs.Faults) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(configs.Sources{File: path})
	var faults configs.Faults
	if err != nil {
		faults = err.(configs.Faults)
	}
	d, more := readDeclared(c)
	return configured{Config: c, declared: d}, append(faults, more...)
}

func TestTrustedIssuers(t *testing.T) {
	t.Parallel()
	jwks := jwksFile(t, filepath.Join(t.TempDir(), "cluster.jwks"))
	file := `trusted_issuers:
  - issuer: https://cluster.example
    jwks_file: ` + jwks + `
    max_lifetime: 1h
    single_use: true
    subjects:
      - subject: system:serviceaccount:prod:orders
        client: orders
      - subject: system:serviceaccount:prod:*
        client: prod
  - issuer: https://login.example
    jwks_uri: https://login.example/jwks
    subjects: [{subject: "*", user: email}]
`
	cfg, faults := loaded(t, file)
	if faults != nil {
		t.Fatal(faults)
	}
	way := fetch.New(fetch.Options{})
	first, err := trust(cfg, nil, way, nil, nil)
	if err != nil || len(first) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	d := first[0].Declaration
	if d.Issuer != "https://cluster.example" || !d.SingleUse || len(d.Subjects) != 2 || d.Subjects[1] != (assertion.Rule{Subject: "system:serviceaccount:prod:*", Client: "prod"}) {
		t.Errorf("%+v", d)
	}
	if _, err := first[0].Keys.Verification(t.Context(), "ES256", "k"); err != nil {
		t.Errorf("its key: %v", err)
	}

	again, faults := loaded(t, file)
	if faults != nil {
		t.Fatal(faults)
	}
	next, err := trust(again, nil, way, first, nil)
	if err != nil || next[1].fetched != first[1].fetched {
		t.Errorf("a reload forgets what was fetched: %v", err)
	}
	if next, err = trust(again, nil, fetch.New(fetch.Options{}), first, nil); err != nil || next[1].fetched == first[1].fetched {
		t.Errorf("a reload keeps what was fetched by another way: %v", err)
	}
	jwksFile(t, jwks)
	changed, faults := loaded(t, file)
	if faults != nil || sameIssuer(changed.declared.issuers[0], cfg.declared.issuers[0]) || !sameIssuer(changed.declared.issuers[1], cfg.declared.issuers[1]) {
		t.Errorf("a reload reads the file again: %v", faults)
	}
	if other, _ := loaded(t, strings.Replace(file, "client: prod", "client: test", 1)); len(configs.Changed(cfg.Config, other.Config)) != 1 || configs.Changed(cfg.Config, other.Config)[0] != "trusted_issuers" {
		t.Errorf("a rule is a change: %v", configs.Changed(cfg.Config, other.Config))
	}
}

func TestTrustedIssuerFaults(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ content, want string }{
		"no list":                  {"trusted_issuers: https://a.example", ":1: trusted_issuers: not a list"},
		"no name":                  {"trusted_issuers:\n  - jwks_uri: https://a.example/jwks", ":2: trusted_issuers: an entry without issuer"},
		"twice":                    {"trusted_issuers:\n  - issuer: a\n  - issuer: a", ":3: trusted_issuers: a is declared already, on line 2"},
		"no keys":                  {"trusted_issuers:\n  - issuer: a\n    subjects: [{subject: x, client: x}]", ":2: trusted_issuers.a.jwks_uri: or jwks_file is missing"},
		"no subjects":              {"trusted_issuers:\n  - issuer: a\n    jwks_uri: https://a.example/jwks", ":2: trusted_issuers.a.subjects: is missing"},
		"a field that is none":     {"trusted_issuers:\n  - issuer: a\n    jwks_url: https://a.example/jwks", ":3: trusted_issuers.a.jwks_url: no such field; did you mean jwks_uri?"},
		"a file that is not there": {"trusted_issuers:\n  - issuer: a\n    jwks_file: /nowhere/at/all", ":3: trusted_issuers.a.jwks_file: open /nowhere/at/all"},
		"RFC 8725 3.2: none":       {"trusted_issuers:\n  - issuer: a\n    algorithms:\n      - RS256\n      - none", `:5: trusted_issuers.a.algorithms: "none" is not possible here`},
		"ourselves":                {"issuer: http://localhost:8080\ntrusted_issuers:\n  - issuer: http://localhost:8080", ":3: trusted_issuers.http://localhost:8080.issuer: is this server itself"},
		"a duration":               {"trusted_issuers:\n  - issuer: a\n    max_lifetime: long", ":3: trusted_issuers.a.max_lifetime: "},
		"a rule to nobody":         {"trusted_issuers:\n  - issuer: a\n    subjects:\n      - subject: x", ":4: trusted_issuers.a.subjects.x.client: or user is missing"},
		"a rule twice":             {"trusted_issuers:\n  - issuer: a\n    subjects:\n      - {subject: x, client: x}\n      - {subject: x, client: y}", ":5: trusted_issuers.subjects: x is declared already, on line 4"},
		"a rule for everybody":     {"trusted_issuers:\n  - issuer: a\n    subjects:\n      - {subject: '*', client: x}", ":4: trusted_issuers.a.subjects.*.subject: is everybody"},
		"a rule by a claim":        {"trusted_issuers:\n  - issuer: a\n    subjects:\n      - subject: x\n        user: name", ":5: trusted_issuers.a.subjects.x.user: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := loaded(t, row.content)
			if !strings.Contains(faults.Error(), row.want) {
				t.Errorf("%s\nwant %s", faults.Error(), row.want)
			}
		})
	}
}
