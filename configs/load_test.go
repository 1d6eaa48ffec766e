package configs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signet/keys"
)

func parseFile(content string) (Config, error) {
	return parse("signet.yaml", []byte(content), nil, nil)
}

var comparable = cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateComparable(Place{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b time.Duration) bool { return a == b })}

func TestExample(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("signet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as it stands it is the default", func(t *testing.T) {
		t.Parallel()
		c, err := Load(Sources{File: "signet.yaml"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Default(), c, comparable); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("every setting stands in it", func(t *testing.T) {
		t.Parallel()
		var c Config
		for _, s := range table(&c) {
			_, last, nested := strings.Cut(s.name, ".")
			if !nested {
				last = s.name
			}
			if !regexp.MustCompile(`(?m)^\s*#?` + last + `:`).Match(content) {
				t.Errorf("%s is missing", s.name)
			}
		}
	})
	t.Run("what is commented out is right as well", func(t *testing.T) {
		t.Parallel()
		live := regexp.MustCompile(`(?m)^#(\S|(?: {2,4}| {6}| {8})\S)`).ReplaceAllString(string(content), "$1")
		live = strings.Replace(live, "issuer: http://localhost:8080", "issuer: https://id.example.com", 1)
		live = strings.Replace(live, "storage: bolt\n", "", 1) // storage_file takes its place
		c, err := parseFile(live)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Clients) != 4 || len(c.Resources) != 2 || len(c.Scopes) != 2 || len(c.Users) != 1 || len(c.TrustedIssuers) != 2 || len(c.TrustedIssuers[0].Entries) != 2 || len(c.TrustedProxy) != 2 || c.TLSCert == "" || c.MasterKeyFile == "" {
			t.Errorf("not all of it was read: %+v", c)
		}
	})
}

// What can be configured is what there is.
func TestEncryptions(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{nil, {"ECDH-ES"}, keys.EncryptionAlgs()} {
		c, err := parseFile("encrypted_request_objects: [" + strings.Join(list, ", ") + "]")
		if err != nil || !slices.Equal(c.EncryptedRequests, list) {
			t.Errorf("RFC 7518 4.1: %v, %v", c.EncryptedRequests, err)
		}
	}
	for _, alg := range []string{"RSA1_5", "RSA-OAEP", "dir", "A128KW", "ES256", "ECDH-ES, ECDH-ES"} {
		if _, err := parseFile("encrypted_request_objects: [" + alg + "]"); err == nil {
			t.Errorf("RFC 8725 3.2: %s is taken", alg)
		}
	}
	if len(encryptions) != len(keys.EncryptionAlgs()) {
		t.Errorf("known here: %v", encryptions)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := []byte("listen: localhost:1\ndata: file\nissuer: http://localhost:1\nlifetimes: {code: 10s}\n")
	env := []string{"SIGNET_LISTEN=localhost:2", "SIGNET_DATA=env", "SIGNET_LIFETIMES_ACCESS_TOKEN=1d", "SIGNET_ISSUER=",
		"SIGNET_TRUSTED_PROXY=10.0.0.0/8, ::1", "SIGNET_CONFIG=x", "HOME=/"}
	flags := map[string][]string{"listen": {"localhost:3"}}
	c, err := parse("f", file, env, flags)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Listen, c.Data, c.Issuer, c.Lifetimes.AccessToken, c.Lifetimes.Code, len(c.TrustedProxy), c.TrustedProxy[1].String(), c.Storage}
	want := []any{"localhost:3", "env", "http://localhost:1", 24 * time.Hour, 10 * time.Second, 2, "::1/128", "bolt"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := parse("f", []byte("listen: nonsense"), nil, flags); err != nil {
		t.Errorf("an overridden value is not judged: %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, want string }{
		"unknown key": {"isuer: http://localhost:8080", "signet.yaml:1: isuer: no such setting; did you mean issuer?"},
		"unknown key in a section": {"lifetimes:\n  acess_token: 5m",
			"signet.yaml:2: lifetimes.acess_token: no such setting; did you mean access_token?"},
		"unknown key, nothing near": {"log:\n  zzzzzz: 1", "signet.yaml:2: log.zzzzzz: no such setting; known here: level, format"},
		"twice":                     {"data: a\ndata: b", "signet.yaml:2: data: said before, on line 1; keep one of the two"},
		"no value":                  {"data:", "signet.yaml:1: data: has no value; write one, or leave the line out"},
		"list for one value":        {"data: [a, b]", "signet.yaml:1: data: takes one value, not a list; write the value without brackets or dash"},
		"mapping for a value":       {"data: {a: b}", "signet.yaml:1: data: not a plain value; write a value, or a list of values"},
		"section without settings":  {"log: info", "signet.yaml:1: log: a section without settings; indent its settings below it, or leave it out"},
		"no mapping":                {"- a", "signet.yaml:1: not a list of settings; write one setting a line, like issuer: https://id.example.com"},
		"two documents":             {"data: a\n---\ndata: b", "signet.yaml: a second document follows the first; remove what comes after the line ---"},
		"alias":                     {"data: &a x\nlisten: *a", "signet.yaml:2: listen: not a plain value; write a value, or a list of values"},
		"no YAML": {"data: a\n\tlisten: b", "signet.yaml:2: found a tab character that violates indentation; " +
			"this is not YAML; look at the indentation and the colons on this line and the one before"},
		"duration without unit": {"lifetimes: {code: 60}", `signet.yaml:1: lifetimes.code: "60" has no unit; write 60s if seconds are meant`},
		"RFC 6749 4.1.2: code at most ten minutes": {"lifetimes: {code: 11m}",
			"signet.yaml:1: lifetimes.code: 11m is too long (RFC 6749 section 4.1.2); write 10m or less"},
		"fraction":           {"lifetimes: {access_token: 1500ms}", "signet.yaml:1: lifetimes.access_token: 1.5s is no whole number of seconds; write 1s or 2s"},
		"negative":           {"lifetimes: {code: -1m}", `signet.yaml:1: lifetimes.code: "-1m" is no duration; write it like 10s, 5m, 12h or 30d`},
		"idle over absolute": {"lifetimes:\n  session_idle: 20d", "signet.yaml:2: lifetimes.session_idle: lifetimes.session_idle (20d) is longer than lifetimes.session_absolute (14d); make it shorter, or the other longer"},
		"absolute under idle": {"lifetimes:\n  session_absolute: 1h",
			"signet.yaml:2: lifetimes.session_absolute: lifetimes.session_idle (1d) is longer than lifetimes.session_absolute (1h); make it shorter, or the other longer"},
		"a password in the URL of PostgreSQL":              {"storage: postgres://u:secret@h/d", "signet.yaml:1: storage: a password does not stand in this file; leave it out and use storage_file, SIGNET_STORAGE, PGPASSFILE or PGPASSWORD"},
		"a password in its query":                          {"storage: postgres://u@h/d?password=secret", "signet.yaml:1: storage: a password does not stand in this file; leave it out and use storage_file, SIGNET_STORAGE, PGPASSFILE or PGPASSWORD"},
		"a URL that is none, its password is not repeated": {"storage: postgres://u:sec/ret@[h/d", "signet.yaml:1: storage: not a URL; write postgres://USER@HOST:PORT/DATABASE, and %40, %2F, %3A for @, / and : in a password"},
		"another storage":                                  {"storage: mysql://u:secret@h/d", "signet.yaml:1: storage: neither bolt nor a URL of PostgreSQL; write bolt, or postgres://USER@HOST:PORT/DATABASE"},
		"two storages":                                     {"storage: bolt\nstorage_file: f", "signet.yaml:2: storage_file: it stands beside storage; keep one of the two"},
		"registration: another policy":                     {"registration: maybe", `signet.yaml:1: registration: "maybe" is not known; known here: off, token, open`},
		"registration_documents: another value":            {"registration_documents: open", `signet.yaml:1: registration_documents: "open" is neither on nor off; write on or off`},
		"registration_document_hosts: a URL":               {"registration_document_hosts: [https://a.example]", `signet.yaml:1: registration_document_hosts: "https://a.example" is no host; write it like agents.example.com, or *.example.com for all that end so`},
		"registration_document_hosts: a * inside":          {"registration_document_hosts: [a.*.example]", `signet.yaml:1: registration_document_hosts: "a.*.example" is no host; write it like agents.example.com, or *.example.com for all that end so`},
		"registration_document_hosts: everything":          {"registration_document_hosts: ['*']", `signet.yaml:1: registration_document_hosts: "*" is no host; write it like agents.example.com, or *.example.com for all that end so`},
		"registration_pkce: another value":                 {"registration_pkce: never", `signet.yaml:1: registration_pkce: "never" is not known; known here: required, optional`},
		"everywhere as outgoing":                           {"outgoing_allow: [\"::/0\"]", "signet.yaml:1: outgoing_allow: ::/0 is every address, those of this machine too; write the range that the apps are in"},
		"all of IPv4 as outgoing":                          {"outgoing_allow: [\"::ffff:0.0.0.0/96\"]", "signet.yaml:1: outgoing_allow: ::ffff:0.0.0.0/96 is every address, those of this machine too; write the range that the apps are in"},
		"no address as outgoing":                           {"outgoing_allow: [localhost]", `signet.yaml:1: outgoing_allow: "localhost" is no address and no range; write 10.0.0.0/8 or 192.0.2.7`},
		"a rate without a burst":                           {"rate_limits:\n  address: 50/s", `signet.yaml:2: rate_limits.address: "50/s" is no rate; write it like 50/s burst 500: so many a second (s), minute (m) or hour (h), and so many at once`},
		"a rate of nothing":                                {"rate_limits: {client: 0/s burst 1}", `signet.yaml:1: rate_limits.client: "0/s burst 1" is no rate; write it like 50/s burst 500: so many a second (s), minute (m) or hour (h), and so many at once`},
		"resource without id":                              {"resources:\n  - name: Orders", "signet.yaml:2: resources: an entry without id; give it one: it is how the entry is found again"},
		"resource twice":                                   {"resources:\n  - id: https://a.example\n  - id: https://a.example", "signet.yaml:3: resources: https://a.example is declared already, on line 2; remove one of the two"},
		"Discovery 3: RS256 is required":                   {"keys: {algorithms: [ES256]}", "signet.yaml:1: keys.algorithms: RS256 is missing, and OpenID Connect Discovery 3 requires it; add RS256"},
		"algorithm without key":                            {"access_tokens: {algorithm: ES384}", "signet.yaml:1: access_tokens.algorithm: ES384 has no key; add it to keys.algorithms, or choose one of those"},
		"access tokens by a client's secret":               {"keys: {algorithms: [RS256, HS256]}\naccess_tokens: {algorithm: HS256}", `signet.yaml:2: access_tokens.algorithm: "HS256" is not known; did you mean RS256?`},
		"algorithm none":                                   {"keys: {algorithms: [RS256, none]}", `signet.yaml:1: keys.algorithms: "none" is not known; known here: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256`},
		"everybody as proxy":                               {"trusted_proxy: [0.0.0.0/0]", "signet.yaml:1: trusted_proxy: 0.0.0.0/0 is everybody, and then any address can be claimed; write the proxy's own range"},
		"IPv4 as IPv6":                                     {"trusted_proxy: [\"::ffff:10.0.0.0/104\"]", "signet.yaml:1: trusted_proxy: ::ffff:10.0.0.0/104 is IPv4 written as IPv6; write 10.0.0.0/8"},
		"an IPv4 address as IPv6":                          {"trusted_proxy: [\"::ffff:10.0.0.7\"]", "signet.yaml:1: trusted_proxy: ::ffff:10.0.0.7 is IPv4 written as IPv6; write 10.0.0.7"},
		"host bits of IPv4 as IPv6":                        {"trusted_proxy: [\"::ffff:10.1.0.0/104\"]", "signet.yaml:1: trusted_proxy: ::ffff:10.1.0.0/104 is IPv4 written as IPv6; write 10.0.0.0/8"},
		"all of IPv4 as IPv6":                              {"trusted_proxy: [\"::ffff:0.0.0.0/96\"]", "signet.yaml:1: trusted_proxy: ::ffff:0.0.0.0/96 holds every IPv4 address, and then any address can be claimed; write the proxy's own range"},
		"host bits":                                        {"trusted_proxy: [10.1.0.0/8]", "signet.yaml:1: trusted_proxy: 10.1.0.0/8 has bits beyond its length; write 10.0.0.0/8"},
		"http beyond this machine":                         {"issuer: http://id.example.com", "signet.yaml:1: issuer: http beyond this machine lets anybody on the way read tokens and passwords; use https; on a closed test network, set allow_insecure_issuer: true"},
		"https and nothing speaks TLS":                     {"issuer: https://id.example.com", "signet.yaml:1: issuer: it says https, and nothing here speaks TLS; set tls_cert and tls_key; or, where a proxy speaks TLS for us, trusted_proxy to the proxy's address"},
		"TLS for http":                                     {"tls_cert: a\ntls_key: b", "default: issuer: it says http, and tls_cert makes us speak TLS; begin the issuer with https://, or leave tls_cert and tls_key out"},
		"certificate without key":                          {"issuer: https://a.example\ntls_cert: a", "signet.yaml:2: tls_cert: the key is missing; set tls_key as well"},
		"listen is no URL":                                 {"listen: http://localhost:8080", "signet.yaml:1: listen: not an address with a port; write it like localhost:8080, or :8080 for every address"},
		"metrics where everybody comes":                    {"metrics_listen: :8080", "signet.yaml:1: metrics_listen: it is the address of listen, where everybody would read the metrics; choose another port, like localhost:9464"},
		"metrics at no address":                            {"metrics_listen: localhost", "signet.yaml:1: metrics_listen: not an address with a port; write it like localhost:8080, or :8080 for every address"},
		"traces to a receiver without a path":              {"tracing: {endpoint: http://localhost:4318}", "signet.yaml:1: tracing.endpoint: it has no path; OTLP receivers take traces at /v1/traces, so write it like http://localhost:4318/v1/traces"},
		"traces with a secret in the URL":                  {"tracing: {endpoint: 'https://k:s3cret@otlp.example/v1/traces'}", "signet.yaml:1: tracing.endpoint: it has a user name, a query or a fragment; leave these out, and name a receiver's key in the variable OTEL_EXPORTER_OTLP_HEADERS"},
		"mail without a server":                            {"mail:\n  from: a@example.com", "signet.yaml:2: mail.from: it says nothing without mail.host; set mail.host, or leave it out"},
		"mail from nobody":                                 {"mail:\n  host: mail.example.com", "signet.yaml:2: mail.from: is missing; write the address that messages come from, like Signet <signet@example.com>"},
		"mail from two":                                    {"mail: {host: localhost, from: 'a@example.com, b@example.com'}", "signet.yaml:1: mail.from: not one address; write it like signet@example.com, or Signet <signet@example.com>"},
		"mail from two lines":                              {`mail: {host: localhost, from: "a@example.com\r\nBcc: b@example.com"}`, "signet.yaml:1: mail.from: not one address; write it like signet@example.com, or Signet <signet@example.com>"},
		"mail to a URL":                                    {"mail: {host: 'smtp://mail.example.com:587', from: a@example.com}", "signet.yaml:1: mail.host: the host is not a name and not an address; write it like mail.example.com; the port is mail.port"},
		"mail to a host with its port":                     {"mail: {host: 'mail.example.com:587', from: a@example.com}", "signet.yaml:1: mail.host: the host is not a name and not an address; write it like mail.example.com; the port is mail.port"},
		"mail to no port":                                  {"mail: {host: localhost, from: a@example.com, port: 0}", `signet.yaml:1: mail.port: "0" is no port; write a number from 1 to 65535`},
		"mail to a port beyond all":                        {"mail: {host: localhost, from: a@example.com, port: 65536}", `signet.yaml:1: mail.port: "65536" is no port; write a number from 1 to 65535`},
		"mail with TLS where it can be had":                {"mail: {host: localhost, from: a@example.com, tls: maybe}", `signet.yaml:1: mail.tls: "maybe" is not known; known here: starttls, tls, none`},
		"mail in the clear, beyond this machine":           {"mail: {host: mail.example.com, from: a@example.com, tls: none}", "signet.yaml:1: mail.tls: none lets anybody on the way to mail.example.com read what is sent; write starttls or tls; none is for a mail server on this machine"},
		"mail by a user without a password":                {"mail: {host: localhost, from: a@example.com, user: u}", "signet.yaml:1: mail.user: the password is missing; set mail.password_file as well; it names a file that holds the password"},
		"mail by nobody with a password":                   {"mail: {host: localhost, from: a@example.com, password_file: f}", "signet.yaml:1: mail.password_file: the user is missing; set mail.user as well"},
		"a password of mail in the file":                   {"mail: {host: localhost, from: a@example.com, user: u, password_file: f, password: s3cret}", "signet.yaml:1: mail.password: no such setting; known here: host, port, tls, from, user, password_file"},
		"who stays signed in stays shorter":                {"lifetimes: {session_kept: 1d}", "signet.yaml:1: lifetimes.session_kept: lifetimes.session_absolute (14d) is longer than lifetimes.session_kept (1d); make it shorter, or the other longer"},
		"more than all traces":                             {"tracing: {sample: 10}", "signet.yaml:1: tracing.sample: \"10\" is no share; write a number from 0 (none) to 1 (all), like 0.1"},
		"client without id":                                {"clients:\n  - type: web", "signet.yaml:2: clients: an entry without id; give it one: it is how the entry is found again"},
		"client twice":                                     {"clients:\n  - id: a\n  - id: a", "signet.yaml:3: clients: a is declared already, on line 2; remove one of the two"},
		"users as a mapping":                               {"users: {a: b}", "signet.yaml:1: users: not a list; begin each entry with a dash, as in \"- username: …\""},
		"control characters do not reach the terminal":     {`"a\e[31m": 1`, "signet.yaml:1: a\uFFFD[31m: no such setting; known here: issuer, listen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseFile(tt.file)
			if err == nil {
				t.Fatalf("accepted; want %s", tt.want)
			}
			if got := err.Error(); got != tt.want && !(strings.HasSuffix(tt.want, "listen") && strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want Mail
		port int
	}{
		"none": {"", Mail{TLS: MailSTARTTLS}, 587},
		"RFC 6409 3.1: submission": {"mail:\n  host: mail.example.com\n  from: Signet <signet@example.com>\n  user: signet\n  password_file: f",
			Mail{Host: "mail.example.com", TLS: MailSTARTTLS, From: "Signet <signet@example.com>", User: "signet", PasswordFile: "f"}, 587},
		"RFC 8314 3.3: submissions": {"mail: {host: 2001:db8::1, from: a@example.com, tls: tls}", Mail{Host: "2001:db8::1", TLS: MailTLS, From: "a@example.com"}, 465},
		"on this machine":           {"mail: {host: localhost, from: a@example.com, tls: none}", Mail{Host: "localhost", TLS: MailClear, From: "a@example.com"}, 25},
		"at another port":           {"mail: {host: '::1', from: a@example.com, tls: none, port: 1025}", Mail{Host: "::1", Port: 1025, TLS: MailClear, From: "a@example.com"}, 1025},
	} {
		c, err := parseFile(tt.file)
		if err != nil || c.Mail != tt.want || c.Mail.At() != tt.port {
			t.Errorf("%s: %+v, %v", name, c.Mail, err)
		}
	}
	c, err := parse("", nil, []string{"SIGNET_MAIL_HOST=localhost", "SIGNET_MAIL_FROM=a@example.com", "SIGNET_MAIL_PORT=2525"}, nil)
	if err != nil || c.Mail.At() != 2525 || c.Mail.Host != "localhost" {
		t.Errorf("%+v, %v", c.Mail, err)
	}
}

// Who stays signed in stays no shorter than who does not, without a word about it.
func TestSessionKept(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for file, want := range map[string]time.Duration{
		"": 30 * day, "lifetimes: {session_absolute: 60d}": 60 * day, "lifetimes: {session_kept: 90d}": 90 * day, "lifetimes: {session_absolute: 1d}": 30 * day,
	} {
		if c, err := parseFile(file); err != nil || c.Lifetimes.SessionKept != want {
			t.Errorf("%q: %s, %v", file, c.Lifetimes.SessionKept, err)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parse("c.yaml", []byte("log:\n  level: loud\nissuer: ftp://x\nnonsense: 1\n"),
		[]string{"SIGNET_TRUSTED_PROXIES=1.2.3.4", "SIGNET_LISTEN=x"}, map[string][]string{"registration": {"maybe"}})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var places []string
	for _, f := range faults {
		places = append(places, f.Place.String())
	}
	want := []string{"c.yaml:2", "c.yaml:3", "c.yaml:4", "SIGNET_LISTEN", "SIGNET_TRUSTED_PROXIES", "--registration"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
	if !strings.Contains(err.Error(), "did you mean SIGNET_TRUSTED_PROXY?") {
		t.Error(err)
	}
}

// No fault hides another one.
func TestFaultsBesideOthers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"half a pair, and an issuer that is refused": {"issuer: http://auth.example.com\ntls_cert: a", []string{
			"signet.yaml:1: issuer: http beyond this machine", "signet.yaml:2: tls_cert: the key is missing"}},
		"half a pair, and a proxy that is none": {"trusted_proxy: [x]\ntls_key: a", []string{
			`signet.yaml:1: trusted_proxy: "x" is no address`, "signet.yaml:2: tls_key: the certificate is missing"}},
		"the other half cannot be read": {"issuer: https://a.example\ntls_cert: a\ntls_key: [b]", []string{"signet.yaml:3: tls_key: takes one value"}},
		"each value of a list, at its line": {"trusted_proxy:\n  - x\n  - 10.0.0.1\n  - y\nkeys: {algorithms: [A, RS256, B, RS256]}", []string{
			`signet.yaml:2: trusted_proxy: "x"`, `signet.yaml:4: trusted_proxy: "y"`,
			`signet.yaml:5: keys.algorithms: "A"`, `signet.yaml:5: keys.algorithms: "B"`, "signet.yaml:5: keys.algorithms: RS256 is there twice"}},
		"values that are none": {"keys:\n  algorithms:\n  - {a: b}\n  -\n  - RS256", []string{
			"signet.yaml:3: keys.algorithms: not a plain value", "signet.yaml:4: keys.algorithms: has no value"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseFile(tt.file)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("got  %q\nwant %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
	t.Run("an entry whose id is another's", func(t *testing.T) {
		t.Parallel()
		c, err := parseFile("clients:\n  - id: a\n  - id: a\n    type: x")
		if err == nil || len(c.Clients) != 2 || c.Clients[1].Fields[0].Place.Line != 4 {
			t.Errorf("%+v, %v", c.Clients, err)
		}
	})
	t.Run("a variable that overrides a fault of a list in the file", func(t *testing.T) {
		t.Parallel()
		_, err := parse("f", []byte("trusted_proxy: [10.0.0.1, 10.0.0.2]"), []string{"SIGNET_TRUSTED_PROXY=10.0.0.1,x,10.0.0.3"}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), `SIGNET_TRUSTED_PROXY: trusted_proxy: "x"`) {
			t.Error(err)
		}
	})
}

func TestNearMatches(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"SIGNET_ZORK": "unset it; variables that begin with SIGNET_ are ours", "SIGNET_DAT": "did you mean SIGNET_DATA?",
		"SIGNET_TRUSTED_PROXIES": "did you mean SIGNET_TRUSTED_PROXY?", "SIGNET_SERVICE_PORT": "unset it; variables that begin with SIGNET_ are ours",
	} {
		_, err := parse("", nil, []string{variable + "=1"}, nil)
		if err == nil || err.Error() != variable+": no such setting; "+want {
			t.Error(err)
		}
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://localhost", "http://127.0.0.1:8080", "http://[::1]:8080/a", "https://id.example.com/", "https://id.example.com/a/b",
		"https://id.example.com:8443/a_b~c"} {
		if problem, _ := issuerFault(good, false); problem != "" {
			t.Errorf("%s: %s", good, problem)
		}
	}
	for _, bad := range []string{"", "id.example.com", "//id.example.com", "https:///a", "https:id", "HTTPS://id.example.com", "https://ID.example.com", "https://a?", "https://a#", "https://a/?x=1",
		"https://u@a", "https://a//b", "https://a/../b", "https://a/./b", "https://a/b//", "https://a/%62", "https://a/ü", "https://a b", "https://a:", "https://a:0", "https://a:99999",
		"http://192.168.0.1", "http://localhost.example.com", "https://[fe80::1%25eth0]/", "https://a/\x00", "javascript:alert(1)"} {
		if problem, fix := issuerFault(bad, false); problem == "" || fix == "" {
			t.Errorf("%q was accepted", bad)
		}
	}
	if problem, _ := issuerFault("http://id.example.com", true); problem != "" {
		t.Errorf("allow_insecure_issuer: %s", problem)
	}
	c, err := parse("", nil, nil, map[string][]string{"issuer": {"http://localhost:8080/"}})
	if err != nil || c.Issuer != "http://localhost:8080/" {
		t.Errorf("byte for byte: %q, %v", c.Issuer, err)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file or directory",
		dir:                             "is a directory",
	} {
		_, err := Load(Sources{File: path})
		if err == nil || err.Error() != path+": "+want+"; name a readable file with --config" {
			t.Errorf("%v", err)
		}
	}
}

func TestFlagsAreSettings(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range Flags() {
		names = append(names, f.Name)
		if f.Help == "" || f.Arg == "" {
			t.Errorf("%s has no help", f.Name)
		}
	}
	want := "issuer listen metrics-listen data storage storage-file master-key-file registration tls-cert tls-key trusted-proxy rate-limit outgoing-allow outgoing-ca"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// What was read must be safe to serve, and every fault must say where and what; nothing may panic.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("signet.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example), "")
	f.Add("clients:\n - id: a\n   redirect_uris: [x]\nusers:\n - username: b", "SIGNET_LISTEN=:1")
	f.Add("a: &a [*a]", "SIGNET_X=")
	f.Add("<<: {a: b}\n? [x]\n: y", "SIGNET_TRUSTED_PROXY=,,")
	f.Add("lifetimes: {code: 1d1h}", "SIGNET_LIFETIMES_CODE=1ns")
	f.Fuzz(func(t *testing.T, file, env string) {
		c, err := parse("f", []byte(file), []string{env}, nil)
		var faults Faults
		if err != nil && !errors.As(err, &faults) {
			t.Fatalf("not Faults: %v", err)
		}
		for _, f := range faults {
			if f.Problem == "" || f.Fix == "" || strings.Contains(f.Error(), "\n") {
				t.Errorf("not one line with problem and fix: %q", f.Error())
			}
		}
		if err == nil && (c.Lifetimes.Code <= 0 || c.Lifetimes.Code > 10*time.Minute || len(c.Keys.Algorithms) == 0) {
			t.Errorf("accepted: %+v", c)
		}
	})
}

func TestSameAddress(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"localhost:1", "localhost:1"}: true, {"127.0.0.1:1", "localhost:1"}: true, {"[::1]:1", "localhost:1"}: true, {"127.0.0.1:1", ":1"}: true,
		{"0.0.0.0:1", "192.0.2.1:1"}: true, {"[::]:1", "localhost:1"}: true, {"192.0.2.1:1", "192.0.2.1:1"}: true,
		{"localhost:1", "localhost:2"}: false, {"localhost:0", "localhost:0"}: false, {"127.0.0.1:1", "[::1]:1"}: false, {"127.0.0.1:1", "192.0.2.1:1"}: false,
	} {
		if got := sameAddress(pair[0], pair[1]); got != want || sameAddress(pair[1], pair[0]) != want {
			t.Errorf("%v: %t", pair, got)
		}
	}
}
