package issue

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"signet/claims"
	"signet/clients"
	"signet/storage"
)

// ErrToken says that something is not a live access token of ours. What it wraps tells the log why.
var ErrToken = errors.New("not a live access token of this issuer")

// Access is an access token that was found good.
type Access struct {
	AccessClaims
	Said    []claims.Said // of the operator's claims
	Service bool          // it is about a client, and no user; otherwise it is of
	Family  storage.ID    // a family
	Series  uint32        // of the family, or the client
	// Exchanged are the jtis of exchanged tokens that it came from, the first one first, and its own at the end; none: it was not exchanged.
	Exchanged []string
}

// ParseAccessToken checks everything that the token itself says: signature, type, issuer, time (RFC 9068 section 4). Whether
// what it came from still lives is [Issuer.LiveAccess]. The result is shared and must not be changed.
func (i *Issuer) ParseAccessToken(token string) (*Access, error) {
	a, err := i.verifiedAccess(token)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	case a.Issuer != i.Issuer:
		return nil, fmt.Errorf("%w: iss is another", ErrToken)
	case i.Now().Unix() >= a.Expires:
		return nil, fmt.Errorf("%w: it has expired", ErrToken)
	}
	return a, nil
}

// LiveAccess is ParseAccessToken, and asks the store whether the token was revoked or what it came from has ended. Of a token for a client
// itself the state has the client alone. Of an exchanged one it is that of the token that was exchanged.
func (i *Issuer) LiveAccess(ctx context.Context, token string) (*Access, storage.FamilyState, error) {
	a, err := i.ParseAccessToken(token)
	if err != nil {
		return nil, storage.FamilyState{}, err
	}
	state, err := i.source(ctx, a)
	if err != nil {
		return nil, state, err
	}
	if err := i.holders(ctx, a); err != nil {
		return nil, state, err
	}
	return a, state, i.reachable(ctx, a)
}

// source is what the token lives by: a client, or a family that is alive.
func (i *Issuer) source(ctx context.Context, a *Access) (storage.FamilyState, error) {
	if a.Service {
		c, err := i.liveService(ctx, a)
		return storage.FamilyState{Client: c}, err
	}
	state, err := i.Families.Family(ctx, a.Family)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return state, fmt.Errorf("%w: its family is gone", ErrToken)
	case err != nil:
		return state, err
	case state.Family.Series != a.Series:
		return state, fmt.Errorf("%w: it was revoked", ErrToken)
	}
	if err := state.Live(i.Now()); err != nil {
		return state, fmt.Errorf("%w: what it came from has %w", ErrToken, err)
	}
	return state, nil
}

// holders asks whether those who had a token exchanged may still do so, as far as it names them, and whether it was revoked, or one that it came
// from on its way: what the first one lives by is not theirs to end, so exchanged tokens are denied one by one (RFC 8693).
func (i *Issuer) holders(ctx context.Context, a *Access) error {
	if len(a.Exchanged) == 0 {
		return nil
	}
	if err := i.mayExchange(ctx, a.Client); err != nil {
		return err
	}
	for act := a.Act; act != nil; act = act.Act {
		if act.Subject == a.Client {
			continue
		}
		if err := i.mayExchange(ctx, act.Subject); err != nil {
			return err
		}
	}
	for _, jti := range a.Exchanged {
		denied, err := i.Denials.Denied(ctx, jti)
		switch {
		case err != nil:
			return err
		case denied:
			return fmt.Errorf("%w: it was revoked, or one that it was exchanged for", ErrToken)
		}
	}
	return nil
}

// mayExchange asks whether a client through whose hands a token went is there, and may exchange tokens.
func (i *Issuer) mayExchange(ctx context.Context, client string) error {
	c, err := i.Clients.Client(ctx, client)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("%w: a client that exchanged it is gone", ErrToken)
	case err != nil:
		return err
	case !clients.Allows(c, clients.GrantExchange):
		return fmt.Errorf("%w: a client that exchanged it may not exchange tokens any more", ErrToken)
	}
	return nil
}

// reachable asks whether the resources that the token is for are still there.
func (i *Issuer) reachable(ctx context.Context, a *Access) error {
	for _, r := range i.Named(a.Audience) {
		if r == storage.DefaultResource {
			continue
		}
		if _, err := i.Resources.Resource(ctx, r); errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("%w: the resource is gone", ErrToken)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// liveService returns the client that got the token for itself, if it may still have it. It may not when the client was removed or put out
// of use, when it lost the grant type, when one of its tokens was revoked, and when it authenticates with something else.
func (i *Issuer) liveService(ctx context.Context, a *Access) (storage.Client, error) {
	c, err := i.Clients.Client(ctx, a.Subject) // which got it, or has it exchanged
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return c, fmt.Errorf("%w: its client is gone", ErrToken)
	case err != nil:
		return c, err
	case !clients.ForItself(c):
		return c, fmt.Errorf("%w: its client may not act for itself any more", ErrToken)
	case c.ServiceSeries != a.Series:
		return c, fmt.Errorf("%w: it was revoked, or its client has other credentials now", ErrToken)
	}
	return c, nil
}

// verified remembers which tokens have a good signature: those that were made here, and those that were verified. So an app that asks
// for userinfo with a fresh token costs no ECDSA verification, and a resource server that asks about one again and again costs one
// at the most. It is bounded, keyed by the token's hash, and forgets everything when the keys change, since a key may have been
// revoked. It says nothing about revocation: the store is asked each time.
type verified struct {
	tokens *lru.Cache[[sha256.Size]byte, verifiedToken]
}

type verifiedToken struct {
	access *Access
	keys   string // the tag of the key set that it was verified by
}

// verifiedTokens is about 10 MiB at the most.
const verifiedTokens = 16384

func newVerified() *verified {
	tokens, err := lru.New[[sha256.Size]byte, verifiedToken](verifiedTokens)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &verified{tokens: tokens}
}

// remember takes a token as verified by keys, the tag that was asked for before the token was signed or verified: had a key been
// revoked meanwhile, the tag of now would say that the token was good after that.
func (v *verified) remember(token, keys string, a *Access) {
	v.tokens.Add(sha256.Sum256([]byte(token)), verifiedToken{access: a, keys: keys})
}

func (i *Issuer) verifiedAccess(token string) (*Access, error) {
	if payload, ours, err := i.openAccess(token); ours {
		if err != nil {
			return nil, err
		}
		return i.readAccess(payload)
	}
	key := sha256.Sum256([]byte(token))
	_, keys := i.Keys.JWKS()
	if known, ok := i.verified.tokens.Get(key); ok && known.keys == keys {
		return known.access, nil
	}
	// The type is what tells an access token from an ID token of the same keys (RFC 8725 section 3.11); with the compatibility
	// type JWT, client_id and the form of the jti do.
	payload, _, err := i.Keys.Verify(token, "at+jwt", "JWT")
	if err != nil {
		return nil, err
	}
	a, err := i.readAccess(payload)
	if err != nil {
		return nil, err
	}
	i.verified.remember(token, keys, a)
	return a, nil
}

// readAccess reads what we signed or sealed.
func (i *Issuer) readAccess(payload []byte) (*Access, error) {
	a := &Access{}
	if err := json.Unmarshal(payload, &a.AccessClaims); err != nil {
		return nil, errors.New("the payload is not that of an access token")
	}
	if a.Client == "" || strings.TrimSpace(a.Scope) != a.Scope {
		return nil, errors.New("the payload is not that of an access token")
	}
	var err error
	if a.Said, err = i.readSaid(payload); err != nil {
		return nil, err
	}
	return a, a.parseJTI()
}

// readSaid finds what an access token says of the operator's claims.
func (i *Issuer) readSaid(payload []byte) (said []claims.Said, err error) {
	names := i.Claims.InAccessTokens()
	if len(names) == 0 {
		return nil, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(payload, &all); err != nil {
		return nil, err
	}
	for _, name := range names {
		if value, has := all[name]; has {
			said = append(said, claims.Said{Name: name, Value: value})
		}
	}
	return said, nil
}
