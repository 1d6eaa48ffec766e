package providertest

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// API is a resource server that verifies access tokens alone: it knows the issuer's key set and status lists, and asks about no token. How it
// reads a list is what docs/revocation.md shows.
type API struct {
	Issuer string
	Get    func(url string) ([]byte, error)
	Now    func() time.Time
	Wait   func(time.Duration) // moves the clock
	lists  map[string]statusList
}

// API returns a resource server of this provider.
func (s *Server) API() *API {
	return &API{lists: map[string]statusList{}, Issuer: s.Issuer, Now: s.Clock.Now, Wait: s.Clock.Advance, Get: func(url string) ([]byte, error) {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		a := s.Do(r)
		if a.Status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d", url, a.Status)
		}
		return []byte(a.Body), nil
	}}
}

// ErrRevoked says that an access token is good but for its bit.
var ErrRevoked = errors.New("the access token was revoked")

// Accept verifies an access token: RFC 9068 section 4, then Token Status List section 8.3.
func (a *API) Accept(token string) error {
	var claims struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		Status   struct {
			List struct {
				Index *int   `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	if err := a.verify(token, &claims, "at+jwt", "JWT"); err != nil {
		return err
	}
	at := claims.Status.List
	switch {
	case claims.Issuer != a.Issuer || claims.Audience != a.Issuer || a.Now().Unix() >= claims.Expires:
		return errors.New("the access token is not for here, or not for now")
	case at.Index == nil || *at.Index < 0:
		return errors.New("the access token has no status")
	}
	revoked, err := a.revoked(*at.Index, at.URI)
	if err == nil && revoked {
		return ErrRevoked
	}
	return err
}

// docs/revocation.md: begin
type statusList struct {
	bits  []byte
	until time.Time
}

// revoked looks up the bit of an access token that was verified before: Token Status List section 8.3.
func (a *API) revoked(idx int, uri string) (bool, error) {
	list, ok := a.lists[uri]
	if !ok || !a.Now().Before(list.until) {
		token, err := a.Get(uri)
		if err != nil {
			return false, err
		}
		var claims struct {
			Sub      string
			Exp, TTL int64
			List     struct {
				Bits int
				Lst  string
			} `json:"status_list"`
		}
		if err := a.verify(string(token), &claims, "statuslist+jwt"); err != nil { // as you verify access tokens, with this type
			return false, err
		}
		if claims.Sub != uri || claims.Exp <= a.Now().Unix() || claims.List.Bits != 1 {
			return false, errors.New("not this list, or an old one")
		}
		packed, err := base64.RawURLEncoding.DecodeString(claims.List.Lst)
		if err != nil {
			return false, err
		}
		z, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			return false, err
		}
		if list.bits, err = io.ReadAll(io.LimitReader(z, 1<<20)); err != nil {
			return false, err
		}
		list.until = a.Now().Add(time.Duration(claims.TTL) * time.Second)
		a.lists[uri] = list
	}
	if idx/8 >= len(list.bits) {
		return false, errors.New("no such index")
	}
	return list.bits[idx/8]>>(idx%8)&1 == 1, nil
}

// docs/revocation.md: end

// verify checks a signature by the published keys and the type, and reads the claims.
func (a *API) verify(token string, claims any, types ...string) error {
	published, err := a.Get(a.Issuer + "/jwks")
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(published, &set); err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	if err != nil {
		return err
	}
	header := jws.Signatures[0].Protected
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	keys := set.Key(header.KeyID)
	if !slices.Contains(types, typ) || len(keys) != 1 || keys[0].Algorithm != header.Algorithm {
		return fmt.Errorf("typ %q, kid %q, alg %q", typ, header.KeyID, header.Algorithm)
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, claims)
}
