package requestobject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"

	"signet/clients"
	"signet/clients/keyset"
	"signet/fetch"
	"signet/provider/oauth"
	"signet/storage"
)

// Keys finds the keys of clients: a [*signet/clients/keyset.Keys].
type Keys interface {
	Verification(ctx context.Context, c storage.Client, alg, kid string) (jose.JSONWebKey, error)
}

// Secrets opens sealed secrets: a [*signet/keys.Keys].
type Secrets interface {
	Unseal(purpose string, sealed []byte) ([]byte, error)
}

// Own are the keys that clients encrypt to: a [*signet/keys.Keys].
type Own interface {
	// Encryption returns the algorithms by which clients may encrypt to us; none: they may not.
	Encryption() []string
	// Decrypt opens what was encrypted to one of them by one of algs. What opens in no way is [keys.ErrDecrypt]; anything else that is
	// wrong with it is [keys.ErrJWE].
	Decrypt(token string, algs ...string) (jwt string, err error)
}

// Fetcher is the way to a request_uri: a [*signet/fetch.Client].
type Fetcher interface {
	Get(ctx context.Context, url string, accept ...string) (fetch.Document, error)
}

// Options are what a [Reader] is made of.
type Options struct {
	Keys     Keys
	Secrets  Secrets
	Own      Own
	Fetch    Fetcher
	Issuer   string // the audience of objects
	Unsigned bool   // objects with alg none are let in
	Now      func() time.Time
	After    *Reader // whose place this one takes: what it fetched is kept; nil: it is the first
}

// Reader reads request objects. Its methods may be called concurrently.
type Reader struct {
	Options
	fetched *lru.Cache[string, string] // objects by their URI with its hash
}

// New returns a Reader.
func New(o Options) *Reader {
	if o.After != nil {
		after := o.After
		o.After = nil // or else none would ever be forgotten
		return &Reader{o, after.fetched}
	}
	fetched, err := lru.New[string, string](maxFetched)
	if err != nil { // of a size that is not positive
		panic(err)
	}
	return &Reader{o, fetched}
}

// Algs are the algorithms that objects can come with: request_object_signing_alg_values_supported of Discovery 3.
func Algs(unsigned bool) []string {
	algs := slices.Concat(clients.KeyAlgs, clients.SecretAlgs)
	if unsigned {
		algs = append(algs, clients.AlgNone)
	}
	return algs
}

// Merge returns the parameters of c's request p with those of its request object in their places; p itself if it has none. An object with
// a jti may be used once: see [storage.OneTime], which whoever answers the request spends. Its errors
// are [*oauth.Error], invalid_request_object for what is wrong with the object and invalid_request_uri for what is wrong with where it
// should be, or the server's own trouble.
func (r *Reader) Merge(ctx context.Context, c storage.Client, p oauth.Params) (oauth.Params, storage.OneTime, error) {
	var once storage.OneTime
	if !p.Has("request") && !p.Has("request_uri") {
		return p, once, nil
	}
	if err := p.Repeated(); err != nil { // then it is not certain which object is meant, or what stands beside it
		return p, once, err
	}
	if p.Has("request") && p.Has("request_uri") { // Core 6.1 and 6.2
		return p, once, oauth.Errorf(oauth.InvalidRequest, "request and request_uri must not stand in one request")
	}
	var o object
	var err error
	if p.Has("request_uri") {
		o, err = r.follow(ctx, c, p.Get("request_uri"))
	} else {
		o, err = r.read(ctx, c, p.Get("request"), r.Unsigned)
	}
	if err != nil {
		return p, once, err
	}
	if once, err = o.once(r.Now()); err != nil {
		return p, once, err
	}
	p, err = o.over(p)
	return p, once, err
}

// read returns the members of an object, once all about it was found good.
func (r *Reader) read(ctx context.Context, c storage.Client, token string, unsigned bool) (object, error) {
	token, err := r.open(token)
	if err != nil {
		return nil, err
	}
	jws, err := parse(token, algsOf(c, unsigned))
	if err != nil {
		return nil, err
	}
	payload, err := r.verify(ctx, c, jws)
	if err != nil {
		return nil, err
	}
	o, err := members(payload)
	if err != nil {
		return nil, err
	}
	return o, o.check(c.ID, r.Issuer, r.Now())
}

// algsOf are those of c's objects: the one that it registered, or any that works without having been agreed on. HMAC must have been:
// otherwise who knows a public key could try it as a secret.
func algsOf(c storage.Client, unsigned bool) []string {
	switch {
	case c.RequestObjectAlg == clients.AlgNone && !unsigned:
		return []string{"none of them: it registered none, and unsigned objects are not let in"}
	case c.RequestObjectAlg != "":
		return []string{c.RequestObjectAlg}
	case unsigned:
		return append(slices.Clone(clients.KeyAlgs), clients.AlgNone)
	}
	return clients.KeyAlgs
}

// verify returns the payload of an object that is signed as its header says.
func (r *Reader) verify(ctx context.Context, c storage.Client, jws *jose.JSONWebSignature) ([]byte, error) {
	header := jws.Signatures[0].Protected
	if header.Algorithm == clients.AlgNone { // which parse let through
		if len(jws.Signatures[0].Signature) > 0 { // RFC 7518 section 3.6
			return nil, refusef("the request object has the alg none, and a signature")
		}
		return jws.UnsafePayloadWithoutVerification(), nil
	}
	key, err := r.key(ctx, c, header)
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, refusef("the signature of the request object is wrong").Because(err)
	}
	return payload, nil
}

// key is what an object must be signed with.
func (r *Reader) key(ctx context.Context, c storage.Client, header jose.Header) (any, error) {
	if slices.Contains(clients.SecretAlgs, header.Algorithm) {
		if !clients.SealsSecret(c) {
			return nil, refusef("the request object is signed with a secret, and this client has none that signs")
		}
		secret, err := r.Secrets.Unseal(clients.SealPurpose(c.ID), c.SealedSecret)
		if err != nil {
			return nil, fmt.Errorf("the secret of the client: %w", err)
		}
		return secret, nil
	}
	key, err := r.Keys.Verification(ctx, c, header.Algorithm, header.KeyID)
	if errors.Is(err, keyset.ErrNoKey) {
		return nil, refusef("this client has no key that the request object could be verified with").Because(err)
	}
	return key.Key, err
}

func refusef(format string, args ...any) *oauth.Error {
	return oauth.Errorf(oauth.InvalidRequestObject, format, args...)
}
