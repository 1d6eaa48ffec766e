// Package jwt reads JWTs that others signed, as far as they are alike whatever they are for: RFC 7519, RFC 8725. Who reads one knows what
// else it must say: [signet/provider/clientauth] of a client's assertion, [signet/provider/requestobject] of a request,
// [signet/provider/assertion] of what another issuer says.
//
// A header is believed in nothing: the reader says which algorithms there may be, keys are those that were registered, and what a header
// has besides that would change the meaning of the rest is refused. Errors complete a sentence that begins with the name of the JWT, and
// hold nothing of what was sent.
package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Max is how long a JWT may be, in bytes.
const Max = 16 << 10

// Parse reads a JWT in compact form that says it is signed with one of algs, and looks at its header: RFC 8725 sections 3.1, 3.10 and
// 3.11. If it has a typ it must be one of types, which are written in lower case without "application/" (RFC 7515 section 4.1.9): so
// JWTs for other purposes do not pass.
func Parse(token string, algs []string, types ...string) (*jose.JSONWebSignature, error) {
	if len(token) > Max {
		return nil, fmt.Errorf("it is longer than %d bytes", Max)
	}
	allowed := make([]jose.SignatureAlgorithm, len(algs))
	for i, alg := range algs {
		allowed[i] = jose.SignatureAlgorithm(alg)
	}
	jws, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, fmt.Errorf("it is malformed, or not signed with one of %s", strings.Join(algs, ", "))
	}
	header := jws.Signatures[0].Protected
	if header.JSONWebKey != nil {
		return nil, errors.New("its header holds a key, and keys are registered")
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u", "crit", "b64"} {
		if _, there := header.ExtraHeaders[name]; there {
			return nil, fmt.Errorf("its header has %s, which is not for this", name)
		}
	}
	if typ, there := header.ExtraHeaders[jose.HeaderType]; there && !slices.Contains(types, typeOf(typ)) {
		return nil, fmt.Errorf("its typ is another than %s", strings.Join(types, " or "))
	}
	return jws, nil
}

// typeOf is a typ as types are written; "" if it is no text.
func typeOf(typ any) string {
	text, _ := typ.(string)
	return strings.TrimPrefix(strings.ToLower(text), "application/")
}

// Claims are the members of a payload, by their exact names: a struct would take ISS as well.
type Claims map[string]json.RawMessage

// Read reads a payload.
func Read(payload []byte) (c Claims, err error) {
	if json.Unmarshal(payload, &c) != nil || c == nil {
		return nil, errors.New("its payload is not a JSON object")
	}
	return c, nil
}

// Text is a claim that is a string; "" if it is not there, or something else.
func (c Claims) Text(name string) (s string) {
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// Seconds is a NumericDate (RFC 7519 section 2), as seconds since 1970. Something else under the name is an error.
func (c Claims) Seconds(name string) (s float64, there bool, err error) {
	raw, there := c[name]
	if !there {
		return 0, false, nil
	}
	var number *float64
	if json.Unmarshal(raw, &number) != nil || number == nil {
		return 0, true, fmt.Errorf("its %s is not a number of seconds", name)
	}
	return *number, true, nil
}

// Audience is aud where it names one alone, as a text or as a list; "" otherwise. Were there several, another of them could use the JWT
// as if it were the sender.
func (c Claims) Audience() string {
	if one := c.Text("aud"); one != "" {
		return one
	}
	var list []string
	if json.Unmarshal(c["aud"], &list) != nil || len(list) != 1 {
		return ""
	}
	return list[0]
}
