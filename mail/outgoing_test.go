package mail

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// paper is a log that may be written by many.
type paper struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// nobody is a Sender whose server is not there.
func nobody(t *testing.T, log *slog.Logger) *Sender {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return to(t, l.Addr().(*net.TCPAddr).Port, log)
}

func to(t *testing.T, port int, log *slog.Logger) *Sender {
	s, err := New(Options{Host: "127.0.0.1", Port: port, TLS: Clear, From: "id@example.com", Name: "id.example.com", Timeout: time.Minute, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// taken is to whom the server was asked to deliver.
func (s *server) taken() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		if strings.HasPrefix(c, "RCPT") {
			all = append(all, c)
		}
	}
	return all
}

func hello() (Message, error) {
	return Message{To: "alice@example.com", Subject: "Hello", Text: "Hello", HTML: "<p>Hello</p>", Language: "en"}, nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s: not within half a minute", what)
		}
	}
}

func TestOutgoing(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, pauses []time.Duration, senders ...func(*slog.Logger) *Sender) (*Outgoing, *paper) {
		p := &paper{}
		log := slog.New(slog.NewTextHandler(p, nil))
		var n atomic.Int32
		var made []*Sender
		for _, s := range senders {
			made = append(made, s(log))
		}
		o := NewOutgoing(func() *Sender { return made[min(int(n.Add(1)), len(made))-1] }, log)
		o.pauses = pauses
		t.Cleanup(o.Close)
		t.Cleanup(func() {
			if strings.Contains(p.String(), "alice@") {
				t.Errorf("the log names the recipient: %s", p)
			}
		})
		return o, p
	}
	away := func(log *slog.Logger) *Sender { return nobody(t, log) }
	none := func(*slog.Logger) *Sender { return nil }
	soon := []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}

	t.Run("what fails is tried again, a few times", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		o, _ := begin(t, soon, away, away, func(log *slog.Logger) *Sender { return to(t, s.port(), log) })
		o.Put(hello)
		eventually(t, "sent", func() bool { return len(s.taken()) == 1 })
		o, log := begin(t, soon, away)
		o.Put(hello)
		eventually(t, "given up", func() bool { return strings.Count(log.String(), "was not sent") == 4 })
		time.Sleep(20 * time.Millisecond)
		if n := strings.Count(log.String(), "was not sent"); n != 4 {
			t.Errorf("tried %d times", n)
		}
	})
	t.Run("RFC 5321 4.2.1: a permanent refusal is not, a transient one is", func(t *testing.T) {
		t.Parallel()
		for answer, want := range map[string]int{"550 5.1.1 unknown": 1, "451 4.3.0 later": 4} {
			s := start(t, func(s *server) { s.answer["RCPT"] = answer })
			o, _ := begin(t, soon, func(log *slog.Logger) *Sender { return to(t, s.port(), log) })
			o.Put(hello)
			eventually(t, answer, func() bool { return len(s.taken()) == want })
			o.Close()
			if n := len(s.taken()); n != want {
				t.Errorf("%s: tried %d times", answer, n)
			}
		}
	})
	t.Run("what waits is tried once at the end", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		o, log := begin(t, []time.Duration{time.Hour, time.Hour}, away, func(log *slog.Logger) *Sender { return to(t, s.port(), log) })
		o.Put(hello)
		eventually(t, "failed", func() bool { return strings.Contains(log.String(), "was not sent") })
		o.Close()
		if len(s.taken()) != 1 {
			t.Error("it was not")
		}
		o.Put(hello)
		o.Close()
		if len(s.taken()) != 1 {
			t.Error("something was sent after the end")
		}
	})
	t.Run("nobody waits, and what is too much is dropped", func(t *testing.T) {
		t.Parallel()
		s := start(t, func(s *server) { s.answer[""] = "hang" })
		o, log := begin(t, nil, func(log *slog.Logger) *Sender { return to(t, s.port(), log) })
		o.last = 50 * time.Millisecond
		began := time.Now()
		for range waiting + 10 {
			o.Put(hello)
		}
		if took := time.Since(began); took > 20*time.Second { // whoever waited for the server would wait a minute
			t.Errorf("it took %v", took)
		}
		if n := strings.Count(log.String(), "dropped"); n != 10 {
			t.Errorf("%d were dropped", n)
		}
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open > atATime {
			t.Errorf("%d connections", open)
		}
		began = time.Now()
		o.Close()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
	t.Run("without a mail server nothing happens", func(t *testing.T) {
		t.Parallel()
		o, log := begin(t, soon, none)
		o.Put(hello)
		o.Put(func() (Message, error) { return Message{}, errors.New("no words") })
		o.Close()
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) != 1 || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "no words") }) {
			t.Errorf("%s", log)
		}
	})
}
