package statuslist

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/oauth"
	"signet/storage"
)

const issuer = "https://id.example/auth"

// room is the lists of a store that the test writes.
type room struct {
	*testing.T
	*Lists
	ring *keys.Keys
	log  bytes.Buffer

	mu    sync.Mutex
	now   time.Time
	marks storage.Marks
	alg   string
	err   error
	wait  chan struct{} // nil: the store answers at once
	asked int
}

func newRoom(t *testing.T) *room {
	r := &room{T: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), alg: "ES256"}
	r.ring = keystest.New(t, keys.Options{Now: r.clock})
	r.Lists = New(Options{Issuer: issuer, Store: r, Keys: r.ring, Places: NewPlaces(issuer, r.ring), Now: r.clock, Log: slog.New(slog.NewTextHandler(&r.log, nil))})
	return r
}

func (r *room) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *room) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// set changes what the store says.
func (r *room) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *room) Resource(context.Context, string) (storage.Resource, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return storage.Resource{Alg: r.alg}, nil
}

func (r *room) Marked(ctx context.Context, _ time.Time) (storage.Marks, error) {
	r.mu.Lock()
	r.asked++
	marks, err, wait := r.marks, r.err, r.wait
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return storage.Marks{}, ctx.Err()
		}
	}
	return marks, err
}

// get asks as the route does.
func (r *room) get(path string, header ...string) *http.Response {
	return r.ask(http.MethodGet, path, header...)
}

func (r *room) ask(method, path string, header ...string) *http.Response {
	r.Helper()
	q := httptest.NewRequestWithContext(r.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	oauth.Handler(func(w http.ResponseWriter, q *http.Request) error {
		if name, ok := strings.CutPrefix(q.URL.Path, oauth.StatusListsPath+"/"); ok {
			return r.Get(w, q, name)
		}
		return r.Aggregation(w, q)
	})(w, q)
	return w.Result()
}

// told is what a list says, read as section 8.3 wants it.
type told struct {
	payload
	bits []byte
}

func (r *room) told(a *http.Response) told {
	r.Helper()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/statuslist+jwt" {
		r.Fatalf("%d %v %s %v", a.StatusCode, a.Header, body, err)
	}
	return r.read(body)
}

func (r *room) read(token []byte) (got told) {
	r.Helper()
	claims, alg, err := r.ring.Verify(string(token), "statuslist+jwt")
	if err != nil || alg != r.alg {
		r.Fatal(alg, err)
	}
	if err := json.Unmarshal(claims, &got.payload); err != nil {
		r.Fatal(err)
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(got.List.List)
	if err != nil {
		r.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		r.Fatal(err)
	}
	if got.bits, err = io.ReadAll(z); err != nil {
		r.Fatal(err)
	}
	return got
}

// set reports whether the bit of an index is set: section 4.1.
func (t told) set(index uint32) bool { return t.bits[index/8]>>(index%8)&1 == 1 }

func (r *room) index(number uint64) uint32 {
	r.Helper()
	_, index, err := r.Places.of(number)
	if err != nil {
		r.Fatal(err)
	}
	return index
}

func TestList(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks = storage.Marks{Given: 3*Size - 7, Numbers: []uint64{1, 2, 9, Size, Size + 1, 2*Size - 1, 2*Size + 1, 3*Size - 7}}
	for list, want := range [][]uint64{{1, 2, 9, Size}, {Size + 1, 2*Size - 1}, {2*Size + 1, 3*Size - 7}, {}} {
		uri := fmt.Sprintf("%s/statuslists/%d", issuer, list)
		got := r.told(r.get(fmt.Sprintf("/statuslists/%d", list)))
		t.Run(fmt.Sprintf("section 5.1: list %d says who it is and until when", list), func(t *testing.T) {
			now := r.clock().Unix()
			if got.Issuer != issuer || got.Subject != uri || got.IssuedAt != now || got.Expires != now+600 || got.TTL != 45 ||
				got.List.Bits != 1 || got.List.Aggregation != issuer+"/statuslists" {
				t.Errorf("%+v", got.payload)
			}
		})
		t.Run(fmt.Sprintf("section 4.1: list %d has the bits of its marks and no other", list), func(t *testing.T) {
			if len(got.bits) != Size/8 {
				t.Fatalf("%d bytes", len(got.bits))
			}
			marked := map[uint32]bool{}
			for _, number := range want {
				marked[r.index(number)] = true
			}
			for index := range uint32(Size) {
				if got.set(index) != marked[index] {
					t.Errorf("bit %d is %t", index, got.set(index))
				}
			}
		})
	}
}

// Section 4.1's own example, by the functions that make and read a list.
func TestExampleOfTheDraft(t *testing.T) {
	t.Parallel()
	packed, err := base64.RawURLEncoding.DecodeString("eNrbuRgAAhcBXQ")
	if err != nil {
		t.Fatal(err)
	}
	example := []byte{0xb9, 0xa3}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if bits, err := io.ReadAll(z); err != nil || !bytes.Equal(bits, example) {
		t.Fatalf("%x, %v", bits, err)
	}
	for index, want := range []bool{true, false, false, true, true, true, false, true, true, true, false, false, false, true, false, true} {
		if (told{bits: example}).set(uint32(index)) != want {
			t.Errorf("status[%d] is not %t", index, want)
		}
	}
	if made := newPress().zlib(example); !bytes.Equal(made[:2], packed[:2]) { // zlib's header: DEFLATE, and the highest level
		t.Errorf("%x, want it to begin like %x", made, packed)
	}
}

func TestNoSuchList(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for _, given := range []uint64{0, 1, Size - 1, Size, Size + 1} {
		r.set(func() { r.marks.Given = given })
		r.advance(time.Minute)
		last := int(given / Size)
		for _, there := range []int{0, last, last + 1} { // the next is there, for who has a token of a node that began it
			if a := r.get(fmt.Sprintf("/statuslists/%d", there)); a.StatusCode != 200 {
				t.Errorf("given %d: list %d: %d", given, there, a.StatusCode)
			}
		}
		for _, name := range []string{fmt.Sprint(last + 2), "1000000", "140737488355328", "18446744073709551616", "-1", "+0", "00", "0x0", "", "0.", "a", "0%20"} {
			a := r.get("/statuslists/" + name)
			if a.StatusCode != 404 || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("given %d: list %q: %d %v", given, name, a.StatusCode, a.Header)
			}
		}
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for accept, want := range map[string]int{
		"": 200, "application/statuslist+jwt": 200, "application/statuslist+cwt, application/statuslist+jwt;q=0.1": 200, "*/*": 200, "application/*": 200,
		"APPLICATION/StatusList+JWT ; q=1.000": 200, "text/html, */*;q=0.1": 200,
		"application/statuslist+cwt": 406, "application/json": 406, "text/*": 406, "application/statuslist+jwt;q=0": 406,
		"application/statuslist+jwt;q=0, */*": 406, "application/*;q=0, */*": 406, "*/*;q=0": 406, "application/statuslist+jwt;q=much": 406, ",": 406,
	} {
		if a := r.get("/statuslists/0", "Accept", accept); a.StatusCode != want {
			t.Errorf("section 8.1: Accept %q: %d, want %d", accept, a.StatusCode, want)
		}
	}
	if a := r.get("/statuslists/0"); a.StatusCode != 200 {
		t.Errorf("without Accept: %d", a.StatusCode)
	}
	if a := r.get("/statuslists/0?time=1686925000"); a.StatusCode != 501 {
		t.Errorf("section 8.4: of the past: %d", a.StatusCode)
	}
	plain := r.get("/statuslists/0")
	body, _ := io.ReadAll(plain.Body)
	for encoding, zipped := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false, "identity": false, "gzip;q=0, *": false, "br": false} {
		a := r.get("/statuslists/0", "Accept-Encoding", encoding)
		if got := a.Header.Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("section 8.2: Accept-Encoding %q: %v", encoding, a.Header)
			continue
		}
		if vary := strings.Join(a.Header.Values("Vary"), ", "); vary != "Accept, Accept-Encoding" {
			t.Errorf("Vary %q", vary)
		}
		if same := a.Header.Get("Etag") == plain.Header.Get("Etag"); same == zipped {
			t.Errorf("RFC 9110 8.8.3: two encodings have two tags: %q", a.Header.Get("Etag"))
		}
		if !zipped {
			continue
		}
		g, err := gzip.NewReader(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(g); err != nil || !bytes.Equal(got, body) {
			t.Errorf("it is another list: %v", err)
		}
	}
}

func TestCaching(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks.Given = 10
	first := r.get("/statuslists/0")
	tag := first.Header.Get("Etag")
	one := r.told(first)

	t.Run("RFC 9111 5.2.2: a cache keeps it for what is left", func(t *testing.T) {
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{0, "public, max-age=45, s-maxage=15"}, {3 * time.Second, "public, max-age=42, s-maxage=12"}, {2 * time.Second, "public, max-age=45, s-maxage=15"}} {
			r.advance(step.after)
			if got := r.get("/statuslists/0").Header.Get("Cache-Control"); got != step.want {
				t.Errorf("%s, want %s", got, step.want)
			}
		}
	})
	t.Run("RFC 9110 13.1.2: who has it gets 304, however old it is", func(t *testing.T) {
		r.advance(4 * time.Minute)
		a := r.get("/statuslists/0", "If-None-Match", tag)
		if a.StatusCode != 304 || a.Header.Get("Etag") != tag || a.Header.Get("Content-Type") != "" || !strings.HasPrefix(a.Header.Get("Cache-Control"), "public, max-age=45") {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
	})
	t.Run("RFC 9110 9.3.2: HEAD", func(t *testing.T) {
		a := r.ask(http.MethodHead, "/statuslists/0")
		if body, _ := io.ReadAll(a.Body); a.StatusCode != 200 || len(body) != 0 || a.Header.Get("Etag") != tag || a.ContentLength < 200 {
			t.Errorf("%d %v %d", a.StatusCode, a.Header, len(body))
		}
	})
	t.Run("it is signed anew while the one before is good for five minutes more", func(t *testing.T) {
		r.advance(time.Minute)
		a := r.get("/statuslists/0", "If-None-Match", tag)
		two := r.told(a)
		if a.Header.Get("Etag") == tag || two.IssuedAt <= one.IssuedAt || one.Expires-r.clock().Unix() < 290 || !bytes.Equal(one.bits, two.bits) {
			t.Errorf("%v: %+v after %+v", a.Header, two.payload, one.payload)
		}
		tag = a.Header.Get("Etag")
	})
	t.Run("a mark changes its tag, and another list's not", func(t *testing.T) {
		r.set(func() { r.marks.Given = Size + 10 })
		r.advance(fresh)
		other := r.get("/statuslists/1").Header.Get("Etag")
		r.set(func() { r.marks.Numbers = []uint64{4} })
		r.advance(fresh)
		a := r.get("/statuslists/0", "If-None-Match", tag)
		if a.StatusCode != 200 || !r.told(a).set(r.index(4)) {
			t.Errorf("%d", a.StatusCode)
		}
		if a := r.get("/statuslists/1", "If-None-Match", other); a.StatusCode != 304 {
			t.Errorf("the other list: %d", a.StatusCode)
		}
		r.set(func() { r.marks.Numbers = nil }) // forgotten
		r.advance(fresh)
		if r.told(r.get("/statuslists/0")).set(r.index(4)) {
			t.Error("a mark that the store forgot is told")
		}
	})
}

// What is told is never older than 15 seconds, and mostly not than 5.
func TestFreshness(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks.Given = 10
	marked := func() bool { return r.told(r.get("/statuslists/0")).set(r.index(3)) }
	if marked() {
		t.Fatal("before it is marked")
	}
	r.set(func() { r.marks.Numbers = []uint64{3} })
	if r.advance(fresh - time.Second); marked() || r.asked != 1 {
		t.Errorf("the store was asked %d times in less than %s", r.asked, fresh)
	}
	if r.advance(time.Second); !marked() || r.asked != 2 {
		t.Errorf("after %s: asked %d times", fresh, r.asked)
	}
	r.set(func() { r.err = storage.ErrUnavailable })
	if r.advance(lag - time.Second); !marked() {
		t.Error("a store that is away for a moment")
	}
	if a := r.get("/statuslists/0"); a.Header.Get("Cache-Control") != "public, max-age=31, s-maxage=1" {
		t.Errorf("it is as old as it is: %v", a.Header)
	}
	r.advance(time.Second)
	for _, path := range []string{"/statuslists/0", "/statuslists"} {
		if a := r.get(path); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s of a store that stays away: %d %v", path, a.StatusCode, a.Header)
		}
	}
	r.set(func() { r.err = nil })
	if !marked() {
		t.Error("it is back")
	}
	r.set(func() { r.marks.Numbers = nil })
	if r.advance(-time.Hour); marked() {
		t.Error("the clock was put back, and what was read later is told")
	}
	r.set(func() { r.err = errors.New("broken") })
	if r.advance(-time.Hour); r.get("/statuslists/0").StatusCode != 500 {
		t.Error("the clock was put back, and it is not known how old the marks are")
	}
}

// However many ask, the store is asked once; who leaves takes nothing from the others.
func TestAskedByOne(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.wait = make(chan struct{})
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := r.current(gone)
		left <- err
	}()
	for r.busy() == 0 {
		time.Sleep(time.Millisecond)
	}
	var others sync.WaitGroup
	for range 50 {
		others.Go(func() {
			if a := r.get("/statuslists/0"); a.StatusCode != 200 {
				t.Errorf("%d", a.StatusCode)
			}
		})
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(r.wait)
	others.Wait()
	if n := r.busy(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := r.made.Len(); n != 1 {
		t.Errorf("%d lists", n)
	}
}

func (r *room) busy() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// A list is signed by a key that resource servers know, whatever becomes of the ring and the settings.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	before, _ := io.ReadAll(r.get("/statuslists/0").Body)
	kid := func(token []byte) string {
		header, _ := base64.RawURLEncoding.DecodeString(strings.Split(string(token), ".")[0])
		var h struct{ KID string }
		if err := json.Unmarshal(header, &h); err != nil {
			t.Fatal(err)
		}
		return h.KID
	}
	change := storage.Change{Now: r.clock()}
	t.Run("after a rotation it is signed by the new key, and the one before verifies while it is good", func(t *testing.T) {
		if _, err := r.ring.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, change); err != nil {
			t.Fatal(err)
		}
		r.advance(Life)
		if err := r.ring.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, _ := io.ReadAll(r.get("/statuslists/0").Body)
		if kid(before) == kid(after) {
			t.Error("by the same key")
		}
		r.read(before)
		r.read(after)
		before = after
	})
	t.Run("one by a revoked key does not go out again", func(t *testing.T) {
		if err := r.ring.Revoke(t.Context(), kid(before), change); err != nil {
			t.Fatal(err)
		}
		after, _ := io.ReadAll(r.get("/statuslists/0").Body)
		if kid(before) == kid(after) {
			t.Error("it did")
		}
		r.read(after)
	})
	t.Run("it has the algorithm of the access tokens", func(t *testing.T) {
		r.set(func() { r.alg = "EdDSA" })
		r.advance(fresh)
		r.told(r.get("/statuslists/0"))
	})
	t.Run("an algorithm that is off is an error and no list", func(t *testing.T) {
		r.set(func() { r.alg = "ES512" })
		r.advance(fresh)
		if a := r.get("/statuslists/0"); a.StatusCode != 500 {
			t.Error(a.StatusCode)
		}
	})
}

// A store that was changed by hand makes no lists that nobody has tokens for, and no noise.
func TestStrayMarks(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks = storage.Marks{Given: 5, Numbers: []uint64{0, 2, 5, 6, 3 * Size, 1<<64 - 1}}
	for range 3 {
		got := r.told(r.get("/statuslists/0"))
		for number := uint64(1); number <= 7; number++ {
			if got.set(r.index(number)) != (number == 2 || number == 5) {
				t.Errorf("number %d", number)
			}
		}
		if a := r.get("/statuslists/2"); a.StatusCode != 404 {
			t.Errorf("%d", a.StatusCode)
		}
		r.advance(time.Minute)
	}
	if n := strings.Count(r.log.String(), "never gave"); n != 1 || !strings.Contains(r.log.String(), "marks=4") {
		t.Errorf("it is said %d times: %s", n, r.log.String())
	}
}

func TestAggregation(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks.Given = 2*Size + 1
	a := r.get("/statuslists")
	body, _ := io.ReadAll(a.Body)
	if want := `{"status_lists":["` + issuer + `/statuslists/0","` + issuer + `/statuslists/1","` + issuer + `/statuslists/2"]}`; a.StatusCode != 200 ||
		string(body) != want || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("section 9.3: %d %v %s", a.StatusCode, a.Header, body)
	}
	if again := r.get("/statuslists", "If-None-Match", a.Header.Get("Etag")); again.StatusCode != 304 {
		t.Errorf("%d", again.StatusCode)
	}
	r.set(func() { r.marks.Given = 3 * Size })
	r.advance(fresh)
	if again := r.get("/statuslists", "If-None-Match", a.Header.Get("Etag")); again.StatusCode != 200 {
		t.Errorf("there is another list: %d", again.StatusCode)
	}
	for _, given := range []uint64{1 << 40, 1<<64 - 1} {
		r.set(func() { r.marks.Given = given })
		r.advance(fresh)
		var all struct {
			Lists []string `json:"status_lists"`
		}
		if err := json.NewDecoder(r.get("/statuslists").Body).Decode(&all); err != nil {
			t.Fatal(err)
		}
		if last := fmt.Sprintf("%s/statuslists/%d", issuer, given/Size); len(all.Lists) != named || all.Lists[named-1] != last {
			t.Errorf("given %d: %d lists, the last %s", given, len(all.Lists), all.Lists[len(all.Lists)-1])
		}
		name := fmt.Sprintf("/statuslists/%d", given/Size)
		if a := r.get(name); a.StatusCode != 200 {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

// Millions of numbers: what is kept is bounded, and what is not kept is made when it is asked for.
func TestManyLists(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	const lists = 2 * kept
	r.marks.Given = lists * Size
	for list := range uint64(lists) {
		r.marks.Numbers = append(r.marks.Numbers, list*Size+list+1)
	}
	for _, list := range []uint64{0, 1, 99, lists - 1} {
		got := r.told(r.get(fmt.Sprintf("/statuslists/%d", list)))
		ones := 0
		for index := range uint32(Size) {
			if got.set(index) {
				ones++
			}
		}
		if ones != 1 || !got.set(r.index(list*Size+list+1)) {
			t.Errorf("list %d: %d bits", list, ones)
		}
	}
	if testing.Short() {
		return
	}
	for list := range lists {
		r.get(fmt.Sprintf("/statuslists/%d", list))
	}
	if n := r.made.Len(); n != kept {
		t.Errorf("%d are kept", n)
	}
}

// A list names nobody: its claims are these, and there is nothing in its bits but bits.
func TestNothingPersonal(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.marks = storage.Marks{Given: 9, Numbers: []uint64{1, 9}}
	body, _ := io.ReadAll(r.get("/statuslists/0").Body)
	claims, _, err := r.ring.Verify(string(body), typ)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(claims, &all); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []string{"exp", "iat", "iss", "status_list", "sub", "ttl"}) {
		t.Error(got)
	}
	if got := slices.Sorted(maps.Keys(all["status_list"].(map[string]any))); !slices.Equal(got, []string{"aggregation_uri", "bits", "lst"}) {
		t.Error(got)
	}
}

// FuzzParseList: a list has one name, and nothing else is one.
func FuzzParseList(f *testing.F) {
	for _, name := range []string{"0", "1", "140737488355327", "140737488355328", "00", "-0", "+1", " 1", "1e3", "0x1", "１", "18446744073709551616"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		list, ok := parseList(name)
		if ok && (fmt.Sprint(list) != name || list > 1<<47-1) {
			t.Fatalf("%q is list %d", name, list)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	for _, marks := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprint(marks), func(b *testing.B) {
			ring := keystest.New(b, keys.Options{Algs: []string{"ES256"}})
			l := New(Options{Issuer: issuer, Keys: ring, Places: NewPlaces(issuer, ring), Now: time.Now})
			v := &view{given: Size, alg: "ES256"}
			for n := range marks {
				v.marks = append(v.marks, uint64(n+1))
			}
			b.ReportAllocs()
			var size, zipped int
			for b.Loop() {
				s, err := l.make(0, v, "", time.Now())
				if err != nil {
					b.Fatal(err)
				}
				size, zipped = len(s.body), len(s.zipped)
			}
			b.ReportMetric(float64(size), "bytes")
			b.ReportMetric(float64(zipped), "zipped")
		})
	}
}
