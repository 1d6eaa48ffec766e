package statuslist

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// How old what is told may be: see the package.
const (
	fresh = 5 * time.Second
	lag   = 15 * time.Second
	ttl   = 45 * time.Second
)

// Life is how long a signed list is good. The key that it was signed with is to be published for as long.
const Life = 10 * time.Minute

// renew is the age at which a list that has not changed is signed anew, so that whoever gets it can use it for a while.
const renew = Life / 2

// typ is the type of a list as a JWT: section 5.1.
const typ = "statuslist+jwt"

// statusList is a list as JSON: section 4.2.
type statusList struct {
	Bits        int    `json:"bits"`
	List        string `json:"lst"` // the bits, compressed, in base64url
	Aggregation string `json:"aggregation_uri"`
}

// payload is a list as the claims of a JWT: section 5.1.
type payload struct {
	Issuer   string     `json:"iss"`
	Subject  string     `json:"sub"` // the list's own URI
	IssuedAt int64      `json:"iat"`
	Expires  int64      `json:"exp"`
	TTL      int64      `json:"ttl"` // seconds
	List     statusList `json:"status_list"`
}

// signed is a list as it leaves. It is never changed.
type signed struct {
	body, zipped []byte // the JWT; and compressed with gzip, which takes back most of what base64 adds
	etag         string // of body, without its quotes

	marks  []uint64  // that are in it
	read   time.Time // when the store last said that these are all
	made   time.Time
	alg    string
	keyTag string // of the JWK set at that time
}

// lasts reports whether s can go out, as far as its signature goes.
func (s *signed) lasts(alg, keyTag string, now time.Time) bool {
	age := now.Sub(s.made)
	return s.alg == alg && s.keyTag == keyTag && age >= 0 && age < renew
}

// make makes and signs a list.
func (l *Lists) make(list uint64, v *view, keyTag string, now time.Time) (*signed, error) {
	marks := v.of(list)
	bits := make([]byte, Size/8)
	for _, number := range marks {
		_, index, err := l.Places.of(number)
		if err != nil {
			return nil, err
		}
		bits[index/8] |= 1 << (index % 8) // section 4.1: the first is the least significant bit of the first byte
	}
	claims, err := json.Marshal(payload{
		Issuer: l.Issuer, Subject: l.Places.uri(list), IssuedAt: now.Unix(), Expires: now.Add(Life).Unix(), TTL: int64(ttl / time.Second),
		List: statusList{Bits: 1, List: base64.RawURLEncoding.EncodeToString(l.press.zlib(bits)), Aggregation: l.aggregation},
	})
	if err != nil {
		return nil, err
	}
	token, err := l.Keys.Sign(v.alg, typ, claims)
	if err != nil {
		return nil, fmt.Errorf("the status list: %w", err)
	}
	body := []byte(token)
	return &signed{
		body: body, zipped: l.press.gzip(body), etag: tagOf(body), marks: slices.Clone(marks), read: v.read, made: now, alg: v.alg, keyTag: keyTag,
	}, nil
}

// tagOf is an entity tag of a content, without its quotes.
func tagOf(content []byte) string {
	digest := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(digest[:16])
}

// press compresses. Its writers are used again, since each is more than half a MiB; so it is for one at a time.
type press struct {
	z *zlib.Writer
	g *gzip.Writer
}

func newPress() press {
	z, err := zlib.NewWriterLevel(nil, zlib.BestCompression) // section 4.1: "RECOMMENDED to use the highest compression level available"
	if err != nil {
		panic(err) // only for a level that there is not
	}
	g, err := gzip.NewWriterLevel(nil, gzip.BestSpeed) // it has little to find but the alphabet
	if err != nil {
		panic(err)
	}
	return press{z, g}
}

func (p press) zlib(b []byte) []byte {
	var out bytes.Buffer
	p.z.Reset(&out)
	_, _ = p.z.Write(b) // a buffer takes everything
	_ = p.z.Close()
	return out.Bytes()
}

func (p press) gzip(b []byte) []byte {
	var out bytes.Buffer
	p.g.Reset(&out)
	_, _ = p.g.Write(b)
	_ = p.g.Close()
	return out.Bytes()
}
