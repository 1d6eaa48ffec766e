package device

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rsc.io/qr"
)

// RFC 8628 6.1: letters that nobody takes for others, and that spell no words.
func TestUserCodes(t *testing.T) {
	t.Parallel()
	form, seen, count := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{8}$`), map[string]bool{}, map[rune]int{}
	for range 5000 {
		code := newCode()
		if !form.MatchString(code) || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
		for _, r := range code {
			count[r]++
		}
	}
	for _, r := range letters { // 2000 of each are expected, with a deviation of 44
		if count[r] < 1700 || count[r] > 2300 {
			t.Errorf("%c comes %d times", r, count[r])
		}
	}
}

func FuzzReadCode(f *testing.F) {
	for _, s := range []string{"WDJB-MJHT", "wdjbmjht", " w d j b\u2013m j h t ", "WDJBMJH", "WDJBMJHTT", "AEIOUAEI", "", "\xff\x00", "\u017f\u212a" + "DJBMJH"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := readCode(typed)
		if !ok {
			if code != "" {
				t.Fatalf("%q is refused, and is %q", typed, code)
			}
			return
		}
		if len(code) != codeLength || strings.Trim(code, letters) != "" {
			t.Fatalf("%q is read as %q", typed, code)
		}
		if again, ok := readCode(show(code)); !ok || again != code {
			t.Fatalf("%q is shown as %q, which is read as %q", code, show(code), again)
		}
	})
}

// A guess is counted from its beginning: of many at once no more are let in than one after the other.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	g, now := newGuesses(), time.Unix(1e9, 0)
	who := []string{"user a", "address b"}
	let := make(chan bool, 1000)
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			wait, _ := g.begin(now, who)
			if wait == 0 {
				g.end(now, who, true)
			}
			let <- wait == 0
		})
	}
	all.Wait()
	in := 0
	for range 1000 {
		if <-let {
			in++
		}
	}
	if in != maxWrong {
		t.Errorf("%d of 1000 guesses were let in, want %d", in, maxWrong)
	}
}

func TestGuessesUnderWay(t *testing.T) {
	t.Parallel()
	g, now, who := newGuesses(), time.Unix(1e9, 0), []string{"user a", "address b"}
	for range maxWrong {
		if wait, _ := g.begin(now, who); wait != 0 {
			t.Fatal(wait)
		}
	}
	if wait, _ := g.begin(now, who); wait != underWay {
		t.Errorf("while %d are under way: wait %s", maxWrong, wait)
	}
	for range maxWrong {
		g.end(now, who, false)
	}
	if g.wrong.Len() != 0 {
		t.Errorf("right ones leave %d rows", g.wrong.Len())
	}
	for n := range maxWrong {
		if wait, _ := g.begin(now.Add(time.Duration(n)*time.Second), who); wait != 0 {
			t.Fatal(wait)
		}
		g.end(now.Add(time.Duration(n)*time.Second), who, true)
	}
	for _, row := range []struct {
		after, wait time.Duration
		first       bool
	}{
		{10 * time.Second, window - 10*time.Second, true}, {time.Minute, window - time.Minute, false}, {window - 1, 1, false}, {window, 0, false},
	} {
		if wait, first := g.begin(now.Add(row.after), who); wait != row.wait || first != row.first {
			t.Errorf("after %s: wait %s, first %v", row.after, wait, first)
		}
	}
	g.end(now.Add(window), who, true)
	if wait, _ := g.begin(now.Add(-time.Hour), who); wait != 0 {
		t.Errorf("a clock that went back keeps people out for %s", wait)
	}
}

// Memory is bounded, whoever guesses.
func TestGuessesAreBounded(t *testing.T) {
	t.Parallel()
	g, now := newGuesses(), time.Unix(1e9, 0)
	for n := range countedAt + 100 {
		who := []string{"address " + strconv.Itoa(n)}
		if wait, _ := g.begin(now, who); wait != 0 {
			t.Fatal(wait)
		}
		g.end(now, who, true)
	}
	if g.wrong.Len() != countedAt {
		t.Errorf("%d rows", g.wrong.Len())
	}
}

// The picture is the QR code, square by square, with its margin. (That readers find the address in it was seen with another library once.)
func TestDraw(t *testing.T) {
	t.Parallel()
	const address = "https://id.example.com/device?user_code=WDJB-MJHT"
	drawn, err := draw(address)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(address, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(drawn, `viewBox="0 0 `+strconv.Itoa(code.Size+8)+" ") || code.Size > 33 {
		t.Errorf("size %d: %.100s", code.Size, drawn)
	}
	black := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(drawn, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		length, _ := strconv.Atoi(m[3])
		if m[3] != m[4] {
			t.Fatalf("a run that does not close: %s", m[0])
		}
		for n := range length {
			black[[2]int{x + n - quiet, y - quiet}] = true
		}
	}
	for y := range code.Size {
		for x := range code.Size {
			if black[[2]int{x, y}] != code.Black(x, y) {
				t.Fatalf("at %d, %d: %v", x, y, !code.Black(x, y))
			}
			delete(black, [2]int{x, y})
		}
	}
	if len(black) != 0 {
		t.Errorf("%d squares too many", len(black))
	}
	if _, err := draw(strings.Repeat("x", 5000)); err == nil {
		t.Error("what fits into no QR code is drawn")
	}
}
