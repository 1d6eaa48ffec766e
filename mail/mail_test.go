package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
)

var message = Message{To: "alice@example.com", Subject: "Anmeldung – neu", Text: "Grüße\n.\n..\nhttps://id.example.com/account\n", HTML: "<p>Grüße</p>", Language: "de"}

// sender is one to s, and what it logs.
func sender(t *testing.T, s *server, change ...func(*Options)) (*Sender, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o := Options{Host: "127.0.0.1", Port: s.port(), TLS: Clear, From: "Signet <id@example.com>", Name: "id.example.com:8443", Log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, f := range change {
		f(&o)
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m, &log
}

func TestMessage(t *testing.T) {
	t.Parallel()
	s := start(t)
	m, log := sender(t, s)
	id, err := m.Send(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	commands, data := s.told()
	for _, want := range []string{"EHLO id.example.com", "MAIL FROM:<id@example.com>", "RCPT TO:<alice@example.com>"} {
		if !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, want) }) {
			t.Errorf("RFC 5321 4.1: no %s in %q", want, commands)
		}
	}
	got, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != message.Subject {
		t.Errorf("RFC 2047: subject %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"From": `"Signet" <id@example.com>`, "To": "<alice@example.com>", "Message-Id": "<" + id + "@example.com>", "Auto-Submitted": "auto-generated",
		"Content-Language": "de", "Mime-Version": "1.0", "User-Agent": "", "X-Mailer": "", "Bcc": "", "Cc": "",
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("RFC 5322 3.6: %s is %q, want %q", name, h, want)
		}
	}
	if at, err := got.Header.Date(); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("RFC 5322 3.6.1: %v, %v", at, err)
	}
	typ, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/alternative" {
		t.Fatalf("RFC 2046 5.1.4: %s, %v", typ, err)
	}
	parts := multipart.NewReader(got.Body, params["boundary"])
	for _, want := range []struct{ typ, text string }{{"text/plain", message.Text}, {"text/html", message.HTML}} { // the best one last
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if typ, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || typ != want.typ || strings.TrimRight(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n") != strings.TrimRight(want.text, "\n") {
			t.Errorf("%s %q, %v", typ, b, err)
		}
	}
	if !strings.Contains(log.String(), "mail="+id) {
		t.Errorf("the log does not have the id: %s", log)
	}
	silent(t, log)
}

// silent: whoever reads the log learns of nobody, and no secret.
func silent(t *testing.T, log *bytes.Buffer) {
	t.Helper()
	for _, s := range []string{"alice", "Anmeldung", "Gr", "pass word", "cGFzcyB3b3Jk", "/account"} {
		if strings.Contains(log.String(), s) {
			t.Errorf("the log has %q: %s", s, log)
		}
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	good, pool := authority(t, "127.0.0.1", "localhost")
	other, _ := authority(t, "127.0.0.1")
	elsewhere, elsewherePool := authority(t, "mail.example.com")
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for name, c := range map[string]struct {
		server func(*server)
		sender func(*Options)
		want   string // of the error; "": none
	}{
		"RFC 3207: STARTTLS":                    {func(s *server) { s.tls = good }, func(o *Options) { o.TLS, o.CA = STARTTLS, pool }, ""},
		"RFC 8314 3.3: TLS from the beginning":  {func(s *server) { s.tls, s.implicit = good, true }, func(o *Options) { o.TLS, o.CA = TLS, pool }, ""},
		"to localhost, which has two addresses": {func(s *server) { s.tls = good }, func(o *Options) { o.TLS, o.CA, o.Host = STARTTLS, pool, "localhost" }, ""},
		"RFC 3207 6: a server that does not offer it": {func(s *server) {}, func(o *Options) { o.TLS, o.CA = STARTTLS, pool },
			"the server cannot be used: STARTTLS mode set to"},
		"a server that refuses it":                   {func(s *server) { s.tls, s.answer["STARTTLS"] = good, "454 4.7.0 not now" }, func(o *Options) { o.TLS, o.CA = STARTTLS, pool }, "the server refuses to talk to us (454)"},
		"RFC 8314 5: a certificate of somebody else": {func(s *server) { s.tls = other }, func(o *Options) { o.TLS, o.CA = STARTTLS, pool }, "certificate"},
		"the same, from the beginning":               {func(s *server) { s.tls, s.implicit = other, true }, func(o *Options) { o.TLS, o.CA = TLS, pool }, "certificate"},
		"a certificate for another host":             {func(s *server) { s.tls = elsewhere }, func(o *Options) { o.TLS, o.CA = STARTTLS, elsewherePool }, "certificate"},
		"RFC 8996: TLS 1.1":                          {func(s *server) { s.tls = old }, func(o *Options) { o.TLS, o.CA = STARTTLS, pool }, "protocol version"},
		"TLS to a server that greets in the clear":   {func(s *server) { s.tls = good }, func(o *Options) { o.TLS, o.CA = TLS, pool }, "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.server)
			m, log := sender(t, s, c.sender, func(o *Options) { o.User, o.Password = "user", "pass word" }, func(o *Options) { s.auth = "PLAIN" })
			_, err := m.Send(t.Context(), message)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			commands, data := s.told()
			if c.want != "" && (data != "" || slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, "AUTH") || strings.HasPrefix(c, "MAIL") })) {
				t.Errorf("something was said to it: %q", commands)
			}
			silent(t, log)
			s.gone()
		})
	}
}

// gone waits until nobody is connected.
func (s *server) gone() {
	s.t.Helper()
	eventually(s.t, "the connection is closed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open == 0
	})
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offered, password, want string
	}{
		"RFC 4616: PLAIN":                      {"LOGIN PLAIN", "pass word", ""},
		"LOGIN, where there is nothing better": {"XOAUTH2 LOGIN", "pass word", ""},
		"another password":                     {"PLAIN", "wrong", "the server does not take the user and the password (535)"},
		"another password, by LOGIN":           {"LOGIN", "wrong", "the server does not take the user and the password (535)"},
		"neither":                              {"CRAM-MD5", "pass word", "the server asks for no user and password that way"},
		"none at all":                          {"", "pass word", "the server asks for no user and password that way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) { s.auth = c.offered })
			m, log := sender(t, s, func(o *Options) { o.User, o.Password = "user", c.password })
			_, err := m.Send(t.Context(), message)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			silent(t, log)
			s.gone()
		})
	}
}

// A server refuses, breaks off or is silent, wherever it likes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ at, answer, want string }{
		"no greeting":                          {"", "554 5.3.2 alice@example.com may not come", "the server refuses to talk to us (554)"},
		"the sender":                           {"MAIL", "550 5.7.1 no <alice@example.com>", "the server refuses the sender (550 5.7.1)"},
		"RFC 5321 4.2.2: the recipient":        {"RCPT", "550 5.1.1 <alice@example.com>: unknown", "the server refuses the recipient (550 5.1.1)"},
		"the recipient, for now":               {"RCPT", "450 4.2.0 greylisted alice@example.com", "the server refuses the recipient (450 4.2.0)"},
		"the data":                             {"DATA", "451 4.3.0 alice", "the server refuses the message (451 4.3.0)"},
		"the message":                          {".", "554 5.7.1 spam for alice", "the server refuses the message (554 5.7.1)"},
		"the greeting is none":                 {"", "HTTP/1.1 400 Bad Request", "the server cannot be used: "},
		"it closes at once":                    {"", "close", "the server cannot be used: "},
		"it closes at the recipient":           {"RCPT", "close", "the connection ended before the message was taken"},
		"it closes when it has the message":    {".", "close", "the connection ended before the message was taken"},
		"it never greets":                      {"", "hang", "the server did not answer in time"},
		"it hangs at EHLO":                     {"EHLO", "hang", "the server did not answer in time"},
		"it hangs at the sender":               {"MAIL", "hang", "the server did not answer in time"},
		"it hangs when it has the message":     {".", "hang", "the server did not answer in time"},
		"it hangs at the farewell: it has it":  {"QUIT", "hang", ""},
		"it closes at the farewell: it has it": {"QUIT", "close", ""},
		"it never stops talking":               {"", strings.Repeat("220-more\r\n", 50000) + "220 done", "more than a mail server has to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) { s.answer[c.at] = c.answer })
			m, log := sender(t, s, func(o *Options) {
				if o.Timeout = time.Minute; c.answer == "hang" {
					o.Timeout = 3 * time.Second // for all that comes before, too
				}
			})
			began := time.Now()
			_, err := m.Send(t.Context(), message)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want) && !strings.HasSuffix(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if failure, ok := errors.AsType[*Error](err); ok && strings.Contains(c.answer, "alice") && !strings.Contains(failure.Answer(), "alice") {
				t.Errorf("whoever asked does not learn what the server said: %s", failure.Answer())
			}
			silent(t, log)
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		m, log := sender(t, s)
		s.listener.Close()
		if _, err := m.Send(t.Context(), message); err == nil || !strings.HasPrefix(err.Error(), "the server cannot be reached: ") {
			t.Error(err)
		}
		silent(t, log)
	})
	t.Run("whoever asked has left", func(t *testing.T) {
		t.Parallel()
		s := start(t, func(s *server) { s.answer["MAIL"] = "hang" })
		m, _ := sender(t, s, func(o *Options) { o.Timeout = time.Minute })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := m.Send(ctx, message)
			ended <- err
		}()
		eventually(t, "the server hangs", func() bool {
			commands, _ := s.told()
			return slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, "MAIL") })
		})
		cancel()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(20 * time.Second):
			t.Error("it is waited for")
		}
	})
	t.Run("a server that says a byte now and then", func(t *testing.T) {
		t.Parallel()
		s := start(t, func(s *server) { s.answer["EHLO"] = "250-x" }) // and nothing more
		m, _ := sender(t, s, func(o *Options) { o.Timeout = time.Second })
		began := time.Now()
		if _, err := m.Send(t.Context(), message); err == nil || time.Since(began) > 20*time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

// No header, command or second recipient comes of what was given.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := start(t)
	m, _ := sender(t, s)
	for _, to := range []string{
		"", "alice", "@", "alice@", "@example.com", "alice@example.com, bob@example.com", "alice@example.com;bob@example.com", "Alice <alice@example.com>",
		"<alice@example.com>", "alice@example.com\r\nBcc: bob@example.com", "alice@example.com\nRCPT TO:<bob@example.com>", "alice@example.com\x00", "alice @example.com",
		" alice@example.com", "\"alice bob\"@example.com", "\"a@b\"@example.com", "group: alice@example.com;", "alice@example.com (comment)", "alice@example.com>\r\nDATA",
		"@relay.example:alice@example.com", "alice@example.com\u2028x", strings.Repeat("a", 250) + "@example.com", "\xff@example.com", "alice@example.com> SIZE=1",
	} {
		bad := message
		bad.To = to
		if _, err := m.Send(t.Context(), bad); err == nil {
			t.Errorf("RFC 5321 4.1.2: %q is taken", to)
		}
	}
	for _, subject := range []string{"a\r\nBcc: bob@example.com", "a\n\nbody", "a\x00"} {
		bad := message
		bad.Subject = subject
		if _, err := m.Send(t.Context(), bad); err == nil {
			t.Errorf("RFC 5322 2.2: subject %q is taken", subject)
		}
	}
	if commands, _ := s.told(); len(commands) > 0 {
		t.Errorf("the server was asked: %q", commands)
	}
	for _, body := range []string{"\r\n.\r\nMAIL FROM:<bob@example.com>\r\n", "\n.\nQUIT\n", "a\r.\rb"} {
		sly := message
		sly.Text, sly.HTML = body, body
		if _, err := m.Send(t.Context(), sly); err != nil {
			t.Fatal(err)
		}
	}
	commands, _ := s.told()
	verbs := map[string]int{}
	for _, c := range commands {
		verb, _, _ := strings.Cut(c, " ")
		verbs[verb]++
	}
	if verbs["MAIL"] != 3 || verbs["RCPT"] != 3 || verbs["DATA"] != 3 || len(verbs) != 5 {
		t.Errorf("RFC 5321 4.5.2: %q", commands)
	}
}

func FuzzRecipient(f *testing.F) {
	for _, to := range []string{"alice@example.com", "a.b+c@x", "\"q\"@x", "grüße@例え.jp", "a@[127.0.0.1]", "a@x\r\n"} {
		f.Add(to)
	}
	m, err := New(Options{Host: "localhost", Port: 1, TLS: Clear, From: "id@example.com"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		msg, err := m.compose("id", Message{To: to, Subject: "s"})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := msg.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		got, err := mail.ReadMessage(&b)
		if err != nil {
			t.Fatal(err)
		}
		all, err := got.Header.AddressList("To")
		if err != nil || len(all) != 1 || all[0].Address != to || got.Header.Get("Bcc") != "" {
			t.Fatalf("%q became %v, %v", to, all, err)
		}
		if rcpts, err := msg.GetRecipients(); err != nil || len(rcpts) != 1 || rcpts[0] != "<"+to+">" || strings.ContainsAny(to, " <>\r\n\"") {
			t.Fatalf("%q: %q, %v", to, rcpts, err)
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := Options{Host: "localhost", Port: 25, TLS: Clear, From: "id@example.com"}
	for name, change := range map[string]func(*Options){
		"no host": func(o *Options) { o.Host = "" }, "no port": func(o *Options) { o.Port = 0 }, "no sender": func(o *Options) { o.From = "" },
		"two senders": func(o *Options) { o.From = "a@example.com, b@example.com" }, "a sender of two lines": func(o *Options) { o.From = "a@example.com\r\nBcc: b@example.com" },
		"TLS where it can be had": func(o *Options) { o.TLS = "opportunistic" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, want := range map[string]string{"id.example.com:8443": "id.example.com", "127.0.0.1:8080": "[127.0.0.1]", "[::1]:8080": "[IPv6:::1]", "[::1]": "[IPv6:::1]", "": "localhost"} {
		if got := helo(name); got != want {
			t.Errorf("RFC 5321 4.1.3: %q is greeted as %q, want %q", name, got, want)
		}
	}
}
