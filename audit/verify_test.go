package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/audit"
)

var epoch = time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)

// scribe writes logs and signs their checkpoints, as a store with its keys does.
type scribe struct {
	private ed25519.PrivateKey
	key     audit.Key
	issuer  string
	records []audit.Record
}

func newScribe(seed byte) *scribe {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	key, err := audit.NewKey(private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	s := &scribe{private: private, key: key, issuer: "https://id.example.com"}
	var last audit.Link
	for i := range 12 {
		entries := []audit.Entry{
			{Time: epoch.Add(time.Duration(i) * time.Hour), Event: audit.SignInSucceeded, Origin: audit.Origin{Address: "192.0.2.7", Trace: "4bf92f35"}, User: fmt.Sprint("user", seed), Detail: fmt.Sprint(i)},
			{Time: epoch.Add(time.Duration(i)*time.Hour + time.Minute), Event: audit.CodeIssued, Client: "4cXk0tKc7Zq1"},
		}
		r := last.Next(audit.Bodies(entries)[0])
		s.records, last = append(s.records, r), r.Link()
	}
	return s
}

// sign is a JWS, made by hand.
func (s *scribe) sign(header string, c audit.Claims) string {
	enc := base64.RawURLEncoding
	claims, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	input := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(claims)
	return input + "." + enc.EncodeToString(ed25519.Sign(s.private, []byte(input)))
}

func (s *scribe) header() string {
	return fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":%q}`, s.key.Fingerprint(), audit.CheckpointType)
}

func (s *scribe) checkpoint(over audit.Record, first uint64) audit.Checkpoint {
	at := over.Time().Add(time.Hour)
	return audit.Checkpoint{Sequence: over.Sequence, Hash: over.Hash, Time: at, Signed: s.sign(s.header(), audit.Claims{
		Issuer: s.issuer, IssuedAt: at.Unix(), Sequence: over.Sequence, Hash: over.Hash, First: first,
	})}
}

// export is an export of the records from one on, with checkpoints over every fourth, as lines. Those before it were dropped.
func (s *scribe) export(from int) []string {
	var out bytes.Buffer
	w, err := audit.NewWriter(&out, audit.Header{Issuer: s.issuer, Made: epoch.Add(24 * time.Hour), Key: s.key})
	first := s.records[from].Sequence
	if from > 0 {
		err = errors.Join(err, w.Checkpoint(s.checkpoint(s.records[from-1], 1)))
	}
	for i, r := range s.records[from:] {
		err = errors.Join(err, w.Record(r))
		if i%4 == 3 && i+from+1 < len(s.records) {
			err = errors.Join(err, w.Checkpoint(s.checkpoint(r, 1)))
		}
	}
	if err = errors.Join(err, w.End(s.checkpoint(s.records[len(s.records)-1], first))); err != nil {
		panic(err)
	}
	return slices.Collect(strings.Lines(out.String()))
}

func verify(lines []string, trust audit.Trust) (audit.Report, error) {
	return audit.Verify(strings.NewReader(strings.Join(lines, "")), trust)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newScribe(1)
	t.Run("a whole export", func(t *testing.T) {
		t.Parallel()
		r, err := verify(s.export(0), s.key.Equal)
		if err != nil {
			t.Fatal(err)
		}
		want := audit.Report{
			Issuer: s.issuer, Made: epoch.Add(24 * time.Hour), Fingerprint: s.key.Fingerprint(), Trusted: true, Records: 12, Entries: 24, First: 1, Last: 12,
			From: epoch, To: epoch.Add(11*time.Hour + time.Minute), Checkpoints: 3, Oldest: epoch.Add(4 * time.Hour), Newest: epoch.Add(12 * time.Hour), Head: s.records[11].Hash,
		}
		if r != want {
			t.Errorf("%+v, want %+v", r, want)
		}
	})
	t.Run("one after the retention dropped days", func(t *testing.T) {
		t.Parallel()
		r, err := verify(s.export(5), s.key.Equal)
		if err != nil || !r.Anchored || r.First != 6 || r.Records != 7 {
			t.Errorf("%+v: %v", r, err)
		}
	})
	t.Run("without a key it says that it trusts the file", func(t *testing.T) {
		t.Parallel()
		if r, err := verify(s.export(0), nil); err != nil || r.Trusted {
			t.Errorf("%+v: %v", r, err)
		}
	})
	t.Run("the last line feed may be missing", func(t *testing.T) {
		t.Parallel()
		lines := s.export(0)
		lines[len(lines)-1] = strings.TrimSuffix(lines[len(lines)-1], "\n")
		if _, err := verify(lines, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestVerifyFindsTheFirstBrokenLink breaks exports in every way that the log's promise names.
func TestVerifyFindsTheFirstBrokenLink(t *testing.T) {
	t.Parallel()
	s, other := newScribe(1), newScribe(2)
	at := func(lines []string, sequence uint64) int {
		return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, fmt.Sprintf(`{"sequence":%d,`, sequence)) })
	}
	without := func(sequence uint64) []string {
		lines := s.export(0)
		return slices.Delete(lines, at(lines, sequence), at(lines, sequence)+1)
	}
	edit := func(sequence uint64, old, new string) []string {
		lines := s.export(0)
		i := at(lines, sequence)
		if !strings.Contains(lines[i], old) {
			t.Fatalf("%q is not in %s", old, lines[i])
		}
		lines[i] = strings.Replace(lines[i], old, new, 1)
		return lines
	}
	swap := func(lines []string, i, j int) []string {
		lines[i], lines[j] = lines[j], lines[i]
		return lines
	}
	replaced := func(lines []string, i int, line string) []string {
		lines[i] = line + "\n"
		return lines
	}
	whole := s.export(0)
	checkpointAt := slices.IndexFunc(whole, func(l string) bool { return strings.HasPrefix(l, `{"checkpoint"`) })
	for name, c := range map[string]struct {
		lines    []string
		what     string
		sequence uint64
	}{
		"a changed time":              {edit(5, "2026-11-22T11", "2026-11-22T12"), audit.Changed, 5},
		"a changed event":             {edit(5, "signin.succeeded", "signin.failed"), audit.Changed, 5},
		"a changed address":           {edit(5, "192.0.2.7", "192.0.2.8"), audit.Changed, 5},
		"a changed trace":             {edit(5, "4bf92f35", "4bf92f36"), audit.Changed, 5},
		"a changed user":              {edit(5, "user1", "user2"), audit.Changed, 5},
		"a changed client":            {edit(5, "4cXk0tKc7Zq1", "4cXk0tKc7Zq2"), audit.Changed, 5},
		"a changed detail":            {edit(5, `\"detail\":\"4\"`, `\"detail\":\"5\"`), audit.Changed, 5},
		"a changed sequence":          {edit(5, `"sequence":5`, `"sequence":6`), audit.Changed, 6},
		"a changed previous hash":     {edit(5, s.records[3].Hash.String()[:8], "00000000"), audit.Changed, 5},
		"a changed hash":              {edit(5, s.records[4].Hash.String()[:8], "00000000"), audit.Changed, 5},
		"a space in the body":         {edit(5, `,\"event\"`, `, \"event\"`), audit.Changed, 5},
		"a space in the line":         {edit(5, `"sequence":5`, `"sequence": 5`), audit.Changed, 0},
		"a member twice":              {edit(5, `"sequence":5`, `"sequence":5,"Sequence":5`), audit.Changed, 0},
		"an unknown member":           {edit(5, `"sequence":5`, `"sequence":5,"x":1`), audit.Changed, 0},
		"no first record":             {without(1), audit.Missing, 2},
		"no middle record":            {without(6), audit.Missing, 6},
		"no record before a sign":     {without(4), audit.Missing, 4},
		"no last record":              {without(12), audit.Missing, 12},
		"several dropped":             {slices.Delete(s.export(0), at(whole, 6), at(whole, 8)), audit.Missing, 6},
		"two swapped":                 {swap(s.export(0), at(whole, 6), at(whole, 7)), audit.Swapped, 7},
		"two swapped, far apart":      {swap(s.export(0), at(whole, 2), at(whole, 10)), audit.Missing, 2},
		"a record twice":              {slices.Insert(s.export(0), at(whole, 6), whole[at(whole, 6)]), audit.Swapped, 6},
		"a checkpoint moved":          {swap(s.export(0), checkpointAt, at(whole, 5)), audit.Swapped, 4},
		"truncated at a line":         {s.export(0)[:8], audit.Truncated, 0},
		"truncated at a checkpoint":   {s.export(0)[:checkpointAt+1], audit.Truncated, 0},
		"truncated in a line":         {append(s.export(0)[:7], whole[7][:40]), audit.Truncated, 0},
		"truncated in the first line": {[]string{whole[0][:40]}, audit.Truncated, 0},
		"truncated in the last line":  {append(s.export(0)[:len(whole)-1], whole[len(whole)-1][:40]), audit.Truncated, 0},
		"only its first line":         {s.export(0)[:1], audit.Truncated, 0},
		"something after its end":     {append(s.export(0), "x\n"), audit.Malformed, 0},
		"a checkpoint of another key": {
			replaced(s.export(0), checkpointAt, fmt.Sprintf(`{"checkpoint":%q}`, other.checkpoint(s.records[3], 1).Signed)), audit.OtherKey, 0,
		},
		"a checkpoint of another key under our kid": {
			replaced(s.export(0), checkpointAt, fmt.Sprintf(`{"checkpoint":%q}`, other.sign(s.header(), audit.Claims{Issuer: s.issuer, Sequence: 4, Hash: s.records[3].Hash}))), audit.Forged, 0,
		},
		"a token of ours of another type": {
			replaced(s.export(0), checkpointAt, fmt.Sprintf(`{"checkpoint":%q}`, s.sign(strings.Replace(s.header(), audit.CheckpointType, "at+jwt", 1), audit.Claims{Issuer: s.issuer, Sequence: 4, Hash: s.records[3].Hash}))), audit.Forged, 0,
		},
		"a changed checkpoint": {replaced(s.export(0), checkpointAt, strings.Replace(strings.TrimSpace(whole[checkpointAt]), ".eyJ", ".eyK", 1)), audit.Forged, 0},
		"an end of another issuer": {
			replaced(s.export(0), len(whole)-1, fmt.Sprintf(`{"end":%q}`, s.sign(s.header(), audit.Claims{Issuer: "https://other.example.com", Sequence: 12, Hash: s.records[11].Hash, First: 1}))), audit.Forged, 0,
		},
		"two stores spliced": {
			slices.Concat(s.export(0)[:at(whole, 6)], other.export(0)[at(whole, 6):]), audit.Changed, 6,
		},
		"two stores spliced at a checkpoint": {
			slices.Concat(s.export(0)[:checkpointAt], other.export(0)[checkpointAt:]), audit.OtherKey, 0,
		},
		"a log made anew after a checkpoint": {func() []string {
			again := newScribe(1)
			var last audit.Link
			for i, r := range again.records {
				again.records[i] = last.Next(bytes.ReplaceAll(r.Body, []byte("192.0.2.7"), []byte("192.0.2.8")))
				last = again.records[i].Link()
			}
			return replaced(again.export(0), checkpointAt, strings.TrimSpace(whole[checkpointAt]))
		}(), audit.Changed, 4},
		"a beginning dropped up to a checkpoint": {slices.Concat(whole[:1], whole[checkpointAt:]), audit.Missing, 1},
		"the retention's anchor dropped":         {slices.Delete(s.export(5), 1, 2), audit.Missing, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(c.lines, s.key.Equal)
			broken, ok := errors.AsType[*audit.Broken](err)
			if !ok || broken.What != c.what || broken.Sequence != c.sequence {
				t.Errorf("%v, want %s at record %d", err, c.what, c.sequence)
			}
		})
	}
	t.Run("every changed byte", func(t *testing.T) {
		t.Parallel()
		text := []byte(strings.Join(whole, ""))
		for i := 0; i < len(text); i += 5 {
			changed := bytes.Clone(text)
			changed[i] ^= 1
			r, err := audit.Verify(bytes.NewReader(changed), s.key.Equal)
			if err == nil && r.Made.Equal(epoch.Add(24*time.Hour)) { // when it was made nobody signs, but until when it goes
				t.Fatalf("byte %d, in %.40q", i, changed[max(i-20, 0):])
			}
		}
	})
	t.Run("another key than the one that is named", func(t *testing.T) {
		t.Parallel()
		_, err := verify(s.export(0), other.key.Equal)
		if broken, ok := errors.AsType[*audit.Broken](err); !ok || broken.What != audit.OtherKey {
			t.Error(err)
		}
	})
	t.Run("what is no export", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "x", "\n", "{}\n", `{"sequence":1}` + "\n", strings.Repeat("x", 20<<20)} {
			if _, err := audit.Verify(strings.NewReader(text), nil); !errors.Is(err, audit.ErrForeign) {
				t.Errorf("%.10q: %v", text, err)
			}
		}
		if _, err := audit.Verify(strings.NewReader(`{"signet_audit_export":2,"new":true}`+"\n"), nil); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Error(err)
		}
	})
	t.Run("a line without end is refused, and is not in memory", func(t *testing.T) {
		t.Parallel()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := audit.Verify(io.MultiReader(strings.NewReader(whole[0]+`{"sequence":1,"x":"`), endless{}), nil)
		runtime.ReadMemStats(&after)
		if broken, ok := errors.AsType[*audit.Broken](err); !ok || broken.What != audit.Malformed {
			t.Error(err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<28 { // of all tests that run meanwhile
			t.Errorf("%d bytes", grown)
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestWriterRefusesAGap(t *testing.T) {
	t.Parallel()
	s := newScribe(1)
	w, err := audit.NewWriter(io.Discard, audit.Header{Key: s.key})
	if err != nil || w.Record(s.records[0]) != nil {
		t.Fatal(err)
	}
	if err := w.Record(s.records[2]); !errors.Is(err, audit.ErrGap) {
		t.Error(err)
	}
	if err := w.End(s.checkpoint(s.records[2], 1)); err == nil {
		t.Error("it ends with another record")
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	s := newScribe(1)
	pem, err := s.key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(s.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{pem, string(jwk), "  " + string(jwk) + "\n"} {
		if k, err := audit.ParseKey([]byte(text)); err != nil || !k.Equal(s.key) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "x", "{}", `{"kty":"OKP","crv":"Ed25519","x":"AA"}`, `{"kty":"OKP","crv":"X25519","x":"` + strings.Repeat("A", 43) + `"}`,
		"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"} {
		if _, err := audit.ParseKey([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
	var rfc audit.Key // RFC 8037 appendix A.3
	if err := json.Unmarshal([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`), &rfc); err != nil ||
		rfc.Fingerprint() != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("%s: %v", rfc.Fingerprint(), err)
	}
}

// TestTheManual runs what docs/audit.md says to somebody who does not have this program.
func TestTheManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(python|sh)\n(.*?)```").FindAllStringSubmatch(string(manual), -1) {
		scripts[m[1]] += m[2]
	}
	for language, tools := range map[string][]string{"python": {"python3"}, "sh": {"jq", "openssl", "sha256sum"}} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			for _, tool := range tools {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("%s is not installed", tool)
				}
			}
			if scripts[language] == "" {
				t.Fatal("there is no such script")
			}
			s := newScribe(1)
			run := func(lines []string) error {
				dir := t.TempDir()
				write := func(name, text string) {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				pem, _ := s.key.PEM()
				write("audit.jsonl", strings.Join(lines, ""))
				write("audit.pem", pem)
				write("script", scripts[language])
				cmd := exec.CommandContext(t.Context(), tools[0], "script", "audit.jsonl")
				if language == "sh" {
					cmd = exec.CommandContext(t.Context(), "sh", "-e", "script")
				}
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				t.Logf("%s", out)
				return err
			}
			broken := s.export(0)
			broken[3] = strings.Replace(broken[3], "192.0.2.7", "192.0.2.8", 1)
			if err := run(broken); err == nil {
				t.Error("a changed record was not found")
			}
			if err := run(s.export(0)); err != nil {
				t.Error("a whole export:", err)
			}
			if language == "sh" { // it starts a program for each field
				return
			}
			if err := run(s.export(5)); err != nil {
				t.Error("one after the retention:", err)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	s := newScribe(1)
	for _, from := range []int{0, 5} {
		f.Add([]byte(strings.Join(s.export(from), "")))
	}
	whole := s.records[11].Hash
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := audit.Verify(bytes.NewReader(text), s.key.Equal)
		if err == nil && (r.Head != whole || r.Last != 12) {
			t.Errorf("something that was never signed holds: %+v", r)
		}
		if _, err := audit.ParseKey(text); err == nil && len(text) < 32 {
			t.Error("too short a key")
		}
	})
}
