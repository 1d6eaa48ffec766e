package requestobject

import (
	"errors"
	"strings"

	"signet/keys"
	"signet/provider/jwt"
)

// open returns the signed JWT inside an encrypted object (RFC 7519 appendix A.2), or an object that is not encrypted as it is. Nothing is
// decoded of one that is too long. What the client registered does not matter: Registration 2, "the RP MAY still use other supported
// encryption algorithms or send unencrypted Request Objects".
func (r *Reader) open(token string) (string, error) {
	if len(token) > jwt.Max {
		return "", refusef("the request object is longer than %d bytes", jwt.Max)
	}
	if !encrypted(token) {
		return token, nil
	}
	algs := r.Own.Encryption()
	if len(algs) == 0 {
		return "", refusef("the request object is encrypted, which is not offered here; send it signed alone")
	}
	inside, err := r.Own.Decrypt(token, algs...)
	switch {
	case errors.Is(err, keys.ErrDecrypt): // which does not say why, and so do we not: RFC 7516 section 11.5
		return "", refusef("the request object cannot be decrypted; encrypt it to the key that jwks_uri has for its alg")
	case errors.Is(err, keys.ErrJWE):
		return "", refusef("the encrypted request object is not good: %s; clients can use %s", reason(err), strings.Join(algs, ", "))
	case err != nil:
		return "", err
	case encrypted(inside):
		return "", refusef("inside the encrypted request object is another; sign it, then encrypt it once")
	}
	return inside, nil
}

// encrypted reports whether a JWT in compact form is a JWE, which has five parts: RFC 7516 section 9.
func encrypted(token string) bool { return strings.Count(token, ".") == 4 }

// reason is what the header of a JWE is refused for.
func reason(err error) string { return strings.TrimPrefix(err.Error(), keys.ErrJWE.Error()+": ") }
