package main

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	stdmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"signet/mail"
	"signet/storage"
)

// letterbox takes one message as RFC 5321 says, and returns it with whom it is for.
func letterbox(t *testing.T) (port int, message <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		text := textproto.NewConn(conn)
		text.PrintfLine("220 test")
		var to string
		for {
			line, err := text.ReadLine()
			if err != nil {
				return
			}
			switch verb, _, _ := strings.Cut(line, " "); verb {
			case "RCPT":
				to = line
			case "DATA":
				text.PrintfLine("354 go on")
				body, _ := io.ReadAll(text.DotReader())
				taken <- to + "\n" + string(body)
			}
			text.PrintfLine("250 fine")
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, taken
}

func TestNewDeviceLetter(t *testing.T) {
	t.Parallel()
	port, message := letterbox(t)
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	sender, err := mail.New(mail.Options{Host: "127.0.0.1", Port: port, TLS: mail.Clear, From: "id@example.com", Name: "id.example.com", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNotices("https://id.example.com/tenant/", func() *mail.Sender { return sender }, log)
	if err != nil {
		t.Fatal(err)
	}
	u := storage.User{Name: "alice", Email: "alice@example.com", Profile: storage.Profile{Locale: "de-AT"}}
	at := storage.SignInNote{Time: time.Date(2026, 11, 22, 7, 28, 0, 0, time.UTC), Address: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}
	n.NewDevice(storage.User{Name: "bob"}, at, nil) // has no address
	n.NewDevice(u, at, []string{"en"})
	n.outgoing.Close()
	to, raw, _ := strings.Cut(<-message, "\n")
	m, err := stdmail.ReadMessage(bufio.NewReader(strings.NewReader(raw)))
	if err != nil || !strings.HasPrefix(to, "RCPT TO:<alice@example.com>") || m.Header.Get("Content-Language") != "de" {
		t.Fatalf("%s, %v: %s", to, err, raw)
	}
	_, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(quotedprintable.NewReader(part))
	for _, want := range []string{"alice", "Firefox", "Linux", "192.0.2.1", "2026-11-22 07:28 UTC", "https://id.example.com/tenant/account"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the letter does not say %q: %s", want, body)
		}
	}
	if strings.Contains(logged.String(), "alice") || strings.Contains(logged.String(), "192.0.2.1") {
		t.Errorf("the log says whom it is about: %s", &logged)
	}
}

func TestLettersInAnHour(t *testing.T) {
	t.Parallel()
	n, err := newNotices("https://id.example.com", func() *mail.Sender { return nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 7, 28, 0, 0, time.UTC)
	letters := func(sub string, at time.Time) (sent int) {
		for range 100 {
			if n.may(sub, at) {
				sent++
			}
		}
		return sent
	}
	for _, c := range []struct {
		sub  string
		at   time.Time
		want int
	}{
		{"alice", now, inAnHour}, {"bob", now, inAnHour}, {"alice", now.Add(59 * time.Minute), 0}, {"alice", now.Add(time.Hour), inAnHour},
		{"alice", now.Add(-24 * time.Hour), inAnHour}, // the clock was set back
	} {
		if sent := letters(c.sub, c.at); sent != c.want {
			t.Errorf("%s at %s: %d, want %d", c.sub, c.at, sent, c.want)
		}
	}
}
