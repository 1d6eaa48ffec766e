package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mailServer takes one message on loopback, or refuses its recipient with an answer, and returns what it was told.
func mailServer(t *testing.T, recipient string) (port int, data <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		text := textproto.NewConn(conn)
		answers := map[string]string{"EHLO": "250 test", "MAIL": "250 fine", "RCPT": recipient, "DATA": "354 go on", "QUIT": "221 bye", "RSET": "250 fine"}
		for err = text.PrintfLine("220 test"); err == nil; {
			var line string
			if line, err = text.ReadLine(); err != nil {
				return
			}
			verb, _, _ := strings.Cut(line, " ")
			if err = text.PrintfLine("%s", answers[verb]); err == nil && verb == "DATA" {
				b, readErr := io.ReadAll(text.DotReader())
				taken <- string(b)
				err = errors.Join(readErr, text.PrintfLine("250 taken"))
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port, taken
}

func TestMailTest(t *testing.T) {
	t.Parallel()
	try := func(t *testing.T, recipient string, args ...string) (code int, out string, data <-chan string) {
		port, data := mailServer(t, recipient)
		file := filepath.Join(t.TempDir(), "signet.yaml")
		content := fmt.Sprintf("issuer: http://localhost:8080\nmail:\n  host: 127.0.0.1\n  port: %d\n  tls: none\n  from: Signet <signet@example.com>\n", port)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"mail", "test", "alice@example.com", "--config", file}, args...), strings.NewReader(""), &stdout, &stderr, nil)
		return code, stdout.String() + stderr.String(), data
	}
	t.Run("it is taken", func(t *testing.T) {
		t.Parallel()
		code, out, data := try(t, "250 fine")
		if code != done || !strings.HasPrefix(out, "127.0.0.1 took the message ") {
			t.Fatalf("%d %s", code, out)
		}
		id := strings.TrimSuffix(strings.Fields(out)[4], ".")
		if got := <-data; !strings.Contains(got, "<"+id+"@example.com>") || !strings.Contains(got, "To: <alice@example.com>") {
			t.Errorf("%s", got)
		}
	})
	t.Run("for scripts", func(t *testing.T) {
		t.Parallel()
		if code, out, _ := try(t, "250 fine", "--json"); code != done || !strings.Contains(out, `"id": "`) {
			t.Errorf("%d %s", code, out)
		}
	})
	t.Run("it is refused, and whoever typed the command learns what the server said", func(t *testing.T) {
		t.Parallel()
		code, out, _ := try(t, "550 <alice@example.com> is unknown\x1b[31m")
		if code != refused || !strings.HasPrefix(out, "signet: 127.0.0.1: the server refuses the recipient (550)\n") || !strings.Contains(out, "is unknown") || strings.Contains(out, "\x1b") {
			t.Errorf("%d %q", code, out)
		}
	})
}
