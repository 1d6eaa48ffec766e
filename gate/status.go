package gate

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// status is the claim of a token that says where it is told whether it is over: Token Status List section 6.2.
type status struct {
	List reference `json:"status_list"`
}

type reference struct {
	Index *uint32 `json:"idx"`
	URI   string  `json:"uri"`
}

const (
	maxLists    = 256
	maxList     = 1 << 20          // bytes of a list
	longestTTL  = time.Minute      // whatever a list says
	listMinimum = 1 * time.Second  // it is kept for that long at least
	listTypes   = "statuslist+jwt" // section 5.1
)

// lists are the status lists that tokens named, each as long as it says.
type lists struct {
	issuer *issuer
	now    func() time.Time

	mu    sync.Mutex
	known *simplelru.LRU[string, *kept[list]]
}

// list is a string of numbers of 1, 2, 4 or 8 bits: section 4.
type list struct {
	bits  int
	bytes []byte
}

func newLists(i *issuer, now func() time.Time) *lists {
	known, err := simplelru.NewLRU[string, *kept[list]](maxLists, nil)
	if err != nil { // of a size that is not positive
		panic(err)
	}
	return &lists{issuer: i, now: now, known: known}
}

// of returns what is kept of the list at a URI.
func (l *lists) of(uri string) *kept[list] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k, ok := l.known.Get(uri); ok {
		return k
	}
	k := &kept[list]{now: l.now, every: listEvery, fetch: func(ctx context.Context) (list, time.Duration, error) { return l.fetch(ctx, uri) }}
	l.known.Add(uri, k)
	return k
}

// fetch fetches and verifies a list: section 8.3.
func (l *lists) fetch(ctx context.Context, uri string) (s list, life time.Duration, err error) {
	raw, err := l.issuer.get(ctx, uri, "application/"+listTypes)
	if err != nil {
		return s, 0, err
	}
	payload, _, err := l.issuer.signed(ctx, strings.TrimSpace(string(raw)), listTypes)
	if err != nil {
		return s, 0, err
	}
	var claims struct {
		Subject string  `json:"sub"`
		Expires float64 `json:"exp"`
		TTL     float64 `json:"ttl"`
		List    struct {
			Bits int    `json:"bits"`
			Lst  string `json:"lst"`
		} `json:"status_list"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return s, 0, err
	}
	left := math.Inf(1)
	if claims.Expires != 0 {
		left = claims.Expires - float64(l.now().Unix())
	}
	switch s.bits = claims.List.Bits; {
	case claims.Subject != uri || left <= 0:
		return s, 0, errors.New("it is another status list, or an old one")
	case s.bits != 1 && s.bits != 2 && s.bits != 4 && s.bits != 8:
		return s, 0, errors.New("a status list without a number of bits")
	}
	if s.bytes, err = inflated(claims.List.Lst); err != nil {
		return s, 0, err
	}
	life = longestTTL
	if claims.TTL > 0 {
		life = time.Duration(min(claims.TTL, longestTTL.Seconds()) * float64(time.Second))
	}
	return s, max(min(life, time.Duration(min(left, longestTTL.Seconds())*float64(time.Second))), listMinimum), nil
}

func inflated(lst string) ([]byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		return nil, err
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(io.LimitReader(z, maxList+1))
	if err == nil && len(all) > maxList {
		err = errors.New("a status list is too long")
	}
	return all, err
}

// at returns the status at an index: 0 is good.
func (s list) at(index uint32) (byte, error) {
	perByte := uint32(8 / s.bits)
	if int64(index/perByte) >= int64(len(s.bytes)) {
		return 0, errors.New("a status list has no such index")
	}
	return s.bytes[index/perByte] >> (index % perByte * uint32(s.bits)) & byte(1<<s.bits-1), nil
}

// ended refuses a token, or a session, whose sign-in is over before its time. What says of no list that it is in it is over when it expires.
func (g *Gate) ended(ctx context.Context, at *reference) *verdict {
	if at == nil || !g.config.StatusList {
		return nil
	}
	if at.Index == nil {
		return g.unauthorized("invalid_token", "the token's status cannot be read", false)
	}
	l, err := g.lists.of(at.URI).get(ctx, nil)
	var value byte
	if err == nil {
		value, err = l.at(*at.Index)
	}
	switch {
	case err != nil:
		return g.unavailable("the status list cannot be had", err)
	case value != 0:
		return g.unauthorized("invalid_token", "the token was revoked", false)
	}
	return nil
}
