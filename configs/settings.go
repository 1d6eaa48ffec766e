package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/fields"
)

// setting is one row of the table: a name, and how its values get into a Config. A problem that into returns completes the
// sentence "NAME: …", and says how to mend it after a semicolon.
type setting struct {
	name  string // as in the file, with dots for sections
	arg   string // what the flag's value is called; "": serve has no flag for it
	help  string // of the flag
	list  bool   // the file may have a list
	fixed bool   // a running server cannot change it: see [Fixed]
	into  func(values []string) error
}

// table returns all settings, tied to c.
func table(c *Config) []setting {
	const day = 24 * time.Hour
	return []setting{
		{name: "issuer", fixed: true, arg: "URL", help: "base URL; every token carries it, byte for byte", into: text(&c.Issuer)},
		{name: "listen", fixed: true, arg: "HOST:PORT", help: "address to listen on", into: text(&c.Listen)},
		{name: "metrics_listen", fixed: true, arg: "HOST:PORT", help: "address at which Prometheus finds /metrics; best on this machine alone", into: text(&c.MetricsListen)},
		{name: "data", fixed: true, arg: "DIR", help: "folder of the store, the socket and the master key", into: text(&c.Data)},
		{name: "storage", fixed: true, arg: "bolt|URL", help: "where to keep everything: a file in the data folder, or postgres://USER@HOST/DATABASE",
			into: storage(&c.Storage)},
		{name: "storage_file", fixed: true, arg: "FILE", help: "file with the URL of a PostgreSQL database, which may hold its password",
			into: text(&c.StorageFile)},
		{name: "master_key_file", fixed: true, arg: "FILE", help: "key that seals the stored keys (default master.key in the data folder)",
			into: text(&c.MasterKeyFile)},
		{name: "registration", arg: "off|token|open", help: "whether clients may register themselves: never, with a token of signet client token, or any",
			into: oneOf(&c.Registration, RegistrationOff, RegistrationToken, RegistrationOpen)},
		{name: "software_statement_issuers", list: true, into: statementIssuers(&c.StatementIssuers)},
		{name: "registration_pkce", into: oneOf(&c.RegistrationPKCE, PKCERequired, PKCEOptional)},
		{name: "registration_documents", into: boolean(&c.Documents)},
		{name: "registration_document_hosts", list: true, into: documentHosts(&c.DocumentHosts)},
		{name: "unsigned_request_objects", into: boolean(&c.UnsignedRequests)},
		{name: "encrypted_request_objects", list: true, into: someOf(&c.EncryptedRequests, encryptions...)},
		{name: "tls_cert", arg: "FILE", help: "certificate chain, PEM", into: text(&c.TLSCert)},
		{name: "tls_key", arg: "FILE", help: "its private key, PEM", into: text(&c.TLSKey)},
		{name: "trusted_proxy", arg: "CIDR", help: "proxy whose X-Forwarded-For counts; may be repeated", list: true, into: prefixes(&c.TrustedProxy)},
		{name: "rate_limit", arg: "on|off", help: "whether requests are limited by address and client (those on guessed passwords are always on)",
			into: boolean(&c.RateLimit)},
		{name: "rate_limits.address", into: rate(&c.RateLimits.Address)},
		{name: "rate_limits.client", into: rate(&c.RateLimits.Client)},
		{name: "rate_limits.failed_authentication", into: rate(&c.RateLimits.FailedAuthentication)},
		{name: "rate_limits.registration", into: rate(&c.RateLimits.Registration)},
		{name: "outgoing_allow", arg: "CIDR", help: "private addresses that keys and other documents of clients may be fetched from; may be repeated",
			list: true, into: outgoing(&c.OutgoingAllow)},
		{name: "outgoing_ca", arg: "FILE", help: "certificates to trust there besides the system's, PEM", into: text(&c.OutgoingCA)},
		{name: "allow_insecure_issuer", into: boolean(&c.AllowInsecureIssuer)},

		{name: "lifetimes.access_token", into: duration(&c.Lifetimes.AccessToken, time.Second, day, "a revoked one is good until then where nobody asks us")},
		{name: "lifetimes.id_token", into: duration(&c.Lifetimes.IDToken, time.Second, day, "it says who signed in just now")},
		{name: "lifetimes.code", into: duration(&c.Lifetimes.Code, time.Second, 10*time.Minute, "RFC 6749 section 4.1.2")},
		{name: "lifetimes.refresh_idle", into: duration(&c.Lifetimes.RefreshIdle, time.Minute, 3650*day, "")},
		{name: "lifetimes.refresh_absolute", into: duration(&c.Lifetimes.RefreshAbsolute, time.Minute, 3650*day, "")},
		{name: "lifetimes.refresh_reuse_window", into: duration(&c.Lifetimes.RefreshReuseWindow, 0, time.Minute, "a stolen refresh token works within it")},
		{name: "lifetimes.session_idle", into: duration(&c.Lifetimes.SessionIdle, time.Minute, 3650*day, "")},
		{name: "lifetimes.session_absolute", into: duration(&c.Lifetimes.SessionAbsolute, time.Minute, 3650*day, "")},
		{name: "lifetimes.session_kept", into: duration(&c.Lifetimes.SessionKept, time.Minute, 3650*day, "")},

		{name: "keys.algorithms", list: true, into: someOf(&c.Keys.Algorithms, append(slices.Clone(algorithms), hs256)...)},
		{name: "keys.rotate_every", into: duration(&c.Keys.RotateEvery, time.Hour, 3650*day, "")},
		{name: "keys.announce", into: duration(&c.Keys.Announce, 15*time.Minute, 365*day, "")},

		{name: "access_tokens.algorithm", into: oneOf(&c.AccessTokens.Algorithm, algorithms...)},
		{name: "access_tokens.typ", into: oneOf(&c.AccessTokens.Typ, "at+jwt", "JWT")},
		{name: "access_tokens.claims", list: true, into: someOf(&c.AccessTokens.Claims, "groups", "roles")},
		{name: "access_tokens.status_list", into: boolean(&c.AccessTokens.StatusList)},

		{name: "mail.host", into: text(&c.Mail.Host)},
		{name: "mail.port", into: port(&c.Mail.Port)},
		{name: "mail.tls", into: oneOf(&c.Mail.TLS, MailSTARTTLS, MailTLS, MailClear)},
		{name: "mail.from", into: text(&c.Mail.From)},
		{name: "mail.user", into: text(&c.Mail.User)},
		{name: "mail.password_file", into: text(&c.Mail.PasswordFile)},

		{name: "audit.retention", into: duration(&c.Audit.Retention, day, 36500*day, "")},

		{name: "log.level", into: oneOf(&c.Log.Level, "debug", "info", "warn", "error")},
		{name: "log.format", fixed: true, into: oneOf(&c.Log.Format, "json", "text")},

		{name: "tracing.endpoint", fixed: true, into: tracingEndpoint(&c.Tracing.Endpoint)},
		{name: "tracing.sample", fixed: true, into: share(&c.Tracing.Sample)},
	}
}

// hs256 can be on as well. Its key is the secret of the client that an ID token is for (OpenID Connect Core 10.1).
const hs256 = "HS256"

// algorithms are the JWS algorithms that we sign with by a key of our own (RFC 7518 section 3.1, RFC 8037).
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// encryptions are the JWE algorithms by which we can be encrypted to (RFC 7518 section 4.1).
var encryptions = []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"}

// Flag is a setting that serve takes as a flag.
type Flag struct {
	Name    string // trusted-proxy
	Setting string // trusted_proxy
	Arg     string // what the value is called in the help
	Help    string
	Default string
	List    bool // may be repeated
}

// Flags returns the flags of serve.
func Flags() []Flag {
	d := Default()
	defaults := map[string]string{"issuer": d.Issuer, "listen": d.Listen, "data": d.Data, "storage": d.Storage,
		"registration": d.Registration, "rate_limit": "on"}
	var flags []Flag
	for _, s := range table(&d) {
		if s.arg != "" {
			flags = append(flags, Flag{
				Name: strings.ReplaceAll(s.name, "_", "-"), Setting: s.name, Arg: s.arg, Help: s.help, Default: defaults[s.name], List: s.list,
			})
		}
	}
	return flags
}

// Env is the environment variable of a setting.
func Env(name string) string {
	return "SIGNET_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

// single gives f the one value of a setting that is no list.
func single(f func(string) error) func([]string) error {
	return func(values []string) error {
		if len(values) != 1 {
			return errors.New("takes one value; write one")
		}
		return f(values[0])
	}
}

func text(p *string) func([]string) error {
	return single(func(v string) error {
		*p = v
		return nil
	})
}

func boolean(p *bool) func([]string) error {
	return single(func(v string) error {
		switch v {
		case "true", "on":
			*p = true
		case "false", "off":
			*p = false
		default:
			return fmt.Errorf("%q is neither on nor off; write on or off", v)
		}
		return nil
	})
}

func oneOf(p *string, known ...string) func([]string) error {
	return single(func(v string) error {
		if !slices.Contains(known, v) {
			return fmt.Errorf("%q is not known; %s", v, didYouMean(v, known))
		}
		*p = v
		return nil
	})
}

// elementError is what is wrong with one value of a list.
type elementError struct {
	index int
	error
}

// each gives f the values of a list one by one, and joins what is wrong with them: every bad one is reported.
func each(f func(v string) error) func([]string) error {
	return func(values []string) error {
		var faults []error
		for i, v := range values {
			if err := f(v); err != nil {
				faults = append(faults, elementError{i, err})
			}
		}
		return errors.Join(faults...)
	}
}

func someOf(p *[]string, known ...string) func([]string) error {
	return func(values []string) error {
		var list []string
		err := each(func(v string) error {
			if !slices.Contains(known, v) {
				return fmt.Errorf("%q is not known; %s", v, didYouMean(v, known))
			}
			if slices.Contains(list, v) {
				return fmt.Errorf("%s is there twice; remove one", v)
			}
			list = append(list, v)
			return nil
		})(values)
		if err == nil {
			*p = list
		}
		return err
	}
}

func prefixes(p *[]netip.Prefix) func([]string) error {
	return func(values []string) error {
		var list []netip.Prefix
		err := each(func(v string) error {
			prefix, err := ParsePrefix(v)
			list = append(list, prefix)
			return err
		})(values)
		if err == nil {
			*p = list
		}
		return err
	}
}

// outgoing are prefixes too, and not everything: then whoever writes a URL into a client's metadata could have us talk to this machine.
func outgoing(p *[]netip.Prefix) func([]string) error {
	read := prefixes(p)
	return func(values []string) error {
		for _, v := range values {
			if prefix, err := netip.ParsePrefix(v); err == nil && (prefix.Bits() == 0 || prefix.Addr().Is4In6() && prefix.Bits() <= 96) {
				return fmt.Errorf("%s is every address, those of this machine too; write the range that the apps are in", v)
			}
		}
		return read(values)
	}
}

// documentHosts are names as URLs have them, in lower case and with a port where there is one, or *. and what they end with.
func documentHosts(p *[]string) func([]string) error {
	return func(values []string) error {
		err := each(func(v string) error {
			u, err := url.Parse("https://" + strings.TrimPrefix(v, "*."))
			if err != nil || u.Host == "" || u.String() != "https://"+u.Host || u.Host != strings.ToLower(u.Host) || !hostIsPlain(u) {
				return fmt.Errorf("%q is no host; write it like agents.example.com, or *.example.com for all that end so", v)
			}
			return nil
		})(values)
		if err == nil {
			*p = values
		}
		return err
	}
}

// ParsePrefix reads a range of addresses, or one address.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		if addr.Is4In6() {
			return netip.Prefix{}, mapped(s, addr.Unmap().String())
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return prefix, fmt.Errorf("%q is no address and no range; write 10.0.0.0/8 or 192.0.2.7", s)
	case prefix.Addr().Is4In6() && prefix.Bits() > 96:
		return prefix, mapped(s, netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96).Masked().String())
	case prefix.Addr().Is4In6():
		return prefix, fmt.Errorf("%s holds every IPv4 address, and then any address can be claimed; write the proxy's own range", s)
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("%s has bits beyond its length; write %s", s, prefix.Masked())
	case prefix.Bits() == 0:
		return prefix, fmt.Errorf("%s is everybody, and then any address can be claimed; write the proxy's own range", s)
	}
	return prefix, nil
}

// mapped refuses IPv4 in the clothes of IPv6: addresses are compared as IPv4, so such a range would match nothing.
func mapped(s, plain string) error {
	return fmt.Errorf("%s is IPv4 written as IPv6; write %s", s, plain)
}

func duration(p *time.Duration, least, most time.Duration, why string) func([]string) error {
	if why != "" {
		why = " (" + why + ")"
	}
	return single(func(v string) error {
		d, err := fields.ParseDuration(v)
		switch {
		case err != nil:
			return err
		case d < least:
			return fmt.Errorf("%s is too short; write %s or more", v, fields.FormatDuration(least))
		case d > most:
			return fmt.Errorf("%s is too long%s; write %s or less", v, why, fields.FormatDuration(most))
		case d%time.Second != 0: // tokens say their times in seconds
			down := d.Truncate(time.Second)
			return fmt.Errorf("%s is no whole number of seconds; write %s or %s", d, fields.FormatDuration(down), fields.FormatDuration(down+time.Second))
		}
		*p = d
		return nil
	})
}

func port(p *int) func([]string) error {
	return single(func(v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port; write a number from 1 to 65535", v)
		}
		*p = int(n)
		return nil
	})
}

// share is a part of one.
func share(p *float64) func([]string) error {
	return single(func(v string) error {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return fmt.Errorf("%q is no share; write a number from 0 (none) to 1 (all), like 0.1", v)
		}
		*p = f
		return nil
	})
}

// tracingEndpoint is a URL without a secret in it: what is needed to be let in stands in OTEL_EXPORTER_OTLP_HEADERS.
func tracingEndpoint(p *string) func([]string) error {
	return single(func(v string) error {
		u, err := url.Parse(v)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return errors.New("it is no http or https URL; write it like http://localhost:4318/v1/traces")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return errors.New("it has a user name, a query or a fragment; leave these out, and name a receiver's key in the variable OTEL_EXPORTER_OTLP_HEADERS")
		case u.Path == "" || u.Path == "/":
			return errors.New("it has no path; OTLP receivers take traces at /v1/traces, so write it like http://localhost:4318/v1/traces")
		}
		*p = v
		return nil
	})
}

// storage never repeats a URL: it may hold a password.
func storage(p *string) func([]string) error {
	return single(func(v string) error {
		switch {
		case v == StorageBolt:
		case !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://"):
			return errors.New("neither bolt nor a URL of PostgreSQL; write bolt, or postgres://USER@HOST:PORT/DATABASE")
		default:
			if _, err := url.Parse(v); err != nil {
				return errors.New("not a URL; write postgres://USER@HOST:PORT/DATABASE, and %40, %2F, %3A for @, / and : in a password")
			}
		}
		*p = v
		return nil
	})
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,6})/([smh]) burst ([1-9][0-9]{0,6})$`)

// rate reads how often something may happen: in the long run, and at once.
func rate(p *Rate) func([]string) error {
	return single(func(v string) error {
		m := rateForm.FindStringSubmatch(v)
		if m == nil {
			return fmt.Errorf("%q is no rate; write it like 50/s burst 500: so many a second (s), minute (m) or hour (h), and so many at once", v)
		}
		many, err := strconv.Atoi(m[1])
		burst, burstErr := strconv.Atoi(m[3])
		*p = Rate{Many: many, Per: map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]], Burst: burst}
		return errors.Join(err, burstErr)
	})
}

func statementIssuers(p *[]StatementIssuer) func([]string) error {
	return func(values []string) error {
		var list []StatementIssuer
		for _, v := range values {
			at := strings.LastIndex(v, "=") // an issuer may be a URL with a query
			if at <= 0 || at == len(v)-1 {
				return fmt.Errorf("%q is no issuer with a file; write https://issuer.example=FILE", v)
			}
			i := StatementIssuer{Issuer: v[:at], File: v[at+1:]}
			if slices.ContainsFunc(list, func(known StatementIssuer) bool { return known.Issuer == i.Issuer }) {
				return fmt.Errorf("%s is there twice; put all its keys into one file", i.Issuer)
			}
			list = append(list, i)
		}
		*p = list
		return nil
	}
}
