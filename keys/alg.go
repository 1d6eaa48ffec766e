package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DefaultAlgs are the JWS algorithms that are on unless the configuration says otherwise. RS256 is the one that every relying
// party knows; EdDSA goes by that name, since few know Ed25519 (RFC 9864) yet.
var DefaultAlgs = []string{"RS256", "PS256", "ES256", "EdDSA"}

// rsaBits is the smallest modulus that RFC 7518 sections 3.3 and 3.5 allow, and what we make. A larger one makes the slowest
// signature slower still.
const rsaBits = 2048

// kind is what a key of an algorithm must be.
type kind struct {
	name     string
	generate func() (crypto.Signer, error)
	fits     func(crypto.PublicKey) bool
}

// algorithm is one JWS algorithm of RFC 7518 section 3.1 or RFC 8037.
type algorithm struct {
	kind
	// sign returns the signature of input in the form of RFC 7515, not in the form of package crypto.
	sign func(key crypto.Signer, input []byte) ([]byte, error)
}

var algorithms = []algorithm{
	{kind{"RS256", generateRSA, fitsRSA}, signPKCS1(crypto.SHA256)},
	{kind{"RS384", generateRSA, fitsRSA}, signPKCS1(crypto.SHA384)},
	{kind{"RS512", generateRSA, fitsRSA}, signPKCS1(crypto.SHA512)},
	{kind{"PS256", generateRSA, fitsRSA}, signPSS(crypto.SHA256)},
	{kind{"PS384", generateRSA, fitsRSA}, signPSS(crypto.SHA384)},
	{kind{"PS512", generateRSA, fitsRSA}, signPSS(crypto.SHA512)},
	{kind{"ES256", generateEC(elliptic.P256()), fitsEC(elliptic.P256())}, signEC(crypto.SHA256, 32)},
	{kind{"ES384", generateEC(elliptic.P384()), fitsEC(elliptic.P384())}, signEC(crypto.SHA384, 48)},
	{kind{"ES512", generateEC(elliptic.P521()), fitsEC(elliptic.P521())}, signEC(crypto.SHA512, 66)},
	{kind{"EdDSA", generateEd25519, fitsEd25519}, signEd25519},
}

func algorithmOf(name string) (*algorithm, bool) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.name == name })
	if i < 0 {
		return nil, false
	}
	return &algorithms[i], true
}

// SupportedAlgs returns the JWS algorithms that can be turned on.
func SupportedAlgs() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// kindOf finds the kind of a JWS or a JWE algorithm.
func kindOf(name string) (kind, bool) {
	if a, ok := algorithmOf(name); ok {
		return a.kind, true
	}
	i := slices.IndexFunc(encryptions, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return encryptions[i], true
}

// Generate makes a private key for a JWS or a JWE algorithm.
func Generate(alg string) (crypto.Signer, error) {
	k, ok := kindOf(alg)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrAlg, alg)
	}
	return k.generate()
}

func generateRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

func fitsRSA(key crypto.PublicKey) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && public.N.BitLen() >= rsaBits
}

func signPKCS1(hash crypto.Hash) func(crypto.Signer, []byte) ([]byte, error) {
	return func(key crypto.Signer, input []byte) ([]byte, error) {
		var digest [sha512.Size]byte
		return rsa.SignPKCS1v15(nil, key.(*rsa.PrivateKey), hash, sum(hash, input, &digest))
	}
}

func signPSS(hash crypto.Hash) func(crypto.Signer, []byte) ([]byte, error) {
	// RFC 7518 section 3.5: "The size of the salt value is the same size as the hash function output".
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return func(key crypto.Signer, input []byte) ([]byte, error) {
		var digest [sha512.Size]byte
		return rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), hash, sum(hash, input, &digest), options)
	}
}

func generateEC(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func fitsEC(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(key crypto.PublicKey) bool {
		public, ok := key.(*ecdsa.PublicKey)
		return ok && public.Curve == curve
	}
}

// signEC signs without randomness: RFC 8725 section 3.2 wants the deterministic approach of RFC 6979, which no weak random
// source can turn into a leak of the key. It is also a sixth faster than what crypto/ecdsa does with a random source.
func signEC(hash crypto.Hash, size int) func(crypto.Signer, []byte) ([]byte, error) {
	return func(key crypto.Signer, input []byte) ([]byte, error) {
		var digest [sha512.Size]byte
		der, err := key.(*ecdsa.PrivateKey).Sign(nil, sum(hash, input, &digest), hash)
		if err != nil {
			return nil, err
		}
		return fixedLength(der, size)
	}
}

// fixedLength turns an ECDSA signature from ASN.1 into r‖s of size bytes each: RFC 7518 section 3.4.
func fixedLength(der []byte, size int) ([]byte, error) {
	var r, s []byte
	input, inner := cryptobyte.String(der), cryptobyte.String(nil)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() ||
		len(r) > size || len(s) > size {
		return nil, errors.New("keys: malformed ECDSA signature")
	}
	out := make([]byte, 2*size)
	copy(out[size-len(r):], r)
	copy(out[2*size-len(s):], s)
	return out, nil
}

func generateEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func fitsEd25519(key crypto.PublicKey) bool {
	public, ok := key.(ed25519.PublicKey)
	return ok && len(public) == ed25519.PublicKeySize
}

func signEd25519(key crypto.Signer, input []byte) ([]byte, error) {
	return ed25519.Sign(key.(ed25519.PrivateKey), input), nil
}

// sum hashes input into buf, which is the caller's so that nothing is allocated.
func sum(hash crypto.Hash, input []byte, buf *[sha512.Size]byte) []byte {
	switch hash {
	case crypto.SHA256:
		d := sha256.Sum256(input)
		return buf[:copy(buf[:], d[:])]
	case crypto.SHA384:
		d := sha512.Sum384(input)
		return buf[:copy(buf[:], d[:])]
	default:
		*buf = sha512.Sum512(input)
		return buf[:]
	}
}
