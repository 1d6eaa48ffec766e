package statuslist

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

// fixedMAC is a ring with one key.
type fixedMAC string

func (k fixedMAC) SubjectMAC(data []byte) (mac [32]byte, err error) {
	h := hmac.New(sha256.New, []byte(k))
	h.Write(data)
	h.Sum(mac[:0])
	return mac, nil
}

type noMAC struct{}

func (noMAC) SubjectMAC([]byte) ([32]byte, error) { return [32]byte{}, errors.New("no key") }

func shuffled(tb testing.TB, key string) *shuffle {
	tb.Helper()
	s, err := newShuffle(fixedMAC(key))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// No two numbers share a bit, and each bit is some number's.
func TestShuffleIsAPermutation(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"one", "two"} {
		s := shuffled(t, key)
		for _, list := range []uint64{0, 1, 2, 255, 256, 1 << 20, 1<<47 - 1} {
			var taken [Size]bool
			for position := range uint32(Size) {
				index := s.index(list, position)
				if index >= Size || taken[index] {
					t.Fatalf("key %s, list %d: %d comes to %d, which is beyond the list or another's", key, list, position, index)
				}
				taken[index] = true
			}
		}
	}
}

// An index does not tell when it was given: neighbours lie anywhere, in each list anew, and another key has them elsewhere.
func TestShuffleHidesTheOrder(t *testing.T) {
	t.Parallel()
	s, other := shuffled(t, "one"), shuffled(t, "two")
	var near, sameInNext, sameByOther, rising int
	for position := range uint32(Size - 1) {
		a, b := s.index(0, position), s.index(0, position+1)
		if max(a, b)-min(a, b) <= 8 {
			near++
		}
		if a < b {
			rising++
		}
		if a == s.index(1, position) {
			sameInNext++
		}
		if a == other.index(0, position) {
			sameByOther++
		}
	}
	// Of a random permutation: 16 in expectation, half of all, one and one.
	if near > 64 || rising < Size*49/100 || rising > Size*51/100 || sameInNext > 12 || sameByOther > 12 {
		t.Errorf("near %d, rising %d, the same in the next list %d, by another key %d", near, rising, sameInNext, sameByOther)
	}
}

// Tokens that are out there point to these places: whoever changes the permutation strands them.
func TestPlacesStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	p := NewPlaces("https://id.example/auth/", fixedMAC("one"))
	for number, want := range map[uint64]Reference{
		1:           {96519, "https://id.example/auth/statuslists/0"},
		Size:        {54384, "https://id.example/auth/statuslists/0"},
		Size + 1:    {23785, "https://id.example/auth/statuslists/1"},
		1<<64 - 1:   {37551, "https://id.example/auth/statuslists/140737488355327"},
		77*Size + 5: {39360, "https://id.example/auth/statuslists/77"},
	} {
		if c, err := p.Claim(number); err != nil || c.List != want {
			t.Errorf("%d: %+v, %v, want %+v", number, c, err, want)
		}
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	var none *Places
	if c, err := none.Claim(7); c != nil || err != nil {
		t.Errorf("no places: %v, %v", c, err)
	}
	if c, err := NewPlaces("https://id.example", fixedMAC("one")).Claim(0); c != nil || err != nil {
		t.Errorf("no number: %v, %v", c, err)
	}
	if _, err := NewPlaces("https://id.example", noMAC{}).Claim(1); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("no key: %v", err)
	}
}

func BenchmarkClaim(b *testing.B) {
	p := NewPlaces("https://id.example", fixedMAC("one"))
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		if _, err := p.Claim(n); err != nil {
			b.Fatal(err)
		}
	}
}
