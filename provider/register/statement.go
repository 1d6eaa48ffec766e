package register

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/clients/metadata"
	"signet/provider/oauth"
)

// algorithms are those that a statement may be signed with: by a key, never by a secret, and never by nobody.
var algorithms = func() (all []jose.SignatureAlgorithm) {
	for _, alg := range clients.KeyAlgs {
		all = append(all, jose.SignatureAlgorithm(alg))
	}
	return all
}()

// vouched returns what was sent with the claims of its software statement in force (RFC 7591 section 2.3: they "MUST take precedence"), and
// the statement; "" if there is none. known is the statement that the client has already: its time may be over.
func (e *Endpoint) vouched(sent metadata.Object, known string) (metadata.Object, string, error) {
	raw, ok := sent["software_statement"]
	switch {
	case !ok && known == "":
		return sent, "", nil
	case !ok: // otherwise an update would shake off what was vouched for
		return nil, "", oauth.Errorf(InvalidSoftwareStatement, "software_statement is missing, and the client was registered with one")
	}
	var statement string
	bad := oauth.Errorf(InvalidSoftwareStatement, "software_statement is not a JWT that is signed with an asymmetric key")
	if json.Unmarshal(raw, &statement) != nil {
		return nil, "", bad
	}
	jws, err := jose.ParseSignedCompact(statement, algorithms)
	if err != nil {
		return nil, "", bad.Because(err)
	}
	claims, err := parse(jws.UnsafePayloadWithoutVerification()) // who is it of? Nothing else is believed before the signature is.
	if err != nil {
		return nil, "", bad.Because(err)
	}
	keys, trusted := e.Statements[claims.Text(nil, "iss", "")]
	if !trusted {
		return nil, "", oauth.Errorf(UnapprovedSoftwareStatement, "software_statement is of no issuer that this server trusts")
	}
	if err := verify(jws, keys); err != nil {
		return nil, "", oauth.Errorf(InvalidSoftwareStatement, "software_statement is not signed by its issuer").Because(err)
	}
	if statement != known && !timely(claims, e.Now()) {
		return nil, "", oauth.Errorf(InvalidSoftwareStatement, "software_statement has expired, or is not valid yet")
	}
	return merge(sent, claims), statement, nil
}

func verify(jws *jose.JSONWebSignature, keys keyset.Set) error {
	header := jws.Signatures[0].Protected
	key, err := keys.Verification(header.Algorithm, header.KeyID)
	if err != nil {
		return err
	}
	_, err = jws.Verify(key)
	return err
}

// timely holds a statement to its exp and nbf, where it has them: RFC 7519 section 4.1.
func timely(claims metadata.Object, now time.Time) bool {
	const skew = time.Minute
	for name, good := range map[string]func(time.Time) bool{
		"exp": func(t time.Time) bool { return now.Before(t.Add(skew)) },
		"nbf": func(t time.Time) bool { return !now.Add(skew).Before(t) },
	} {
		raw, ok := claims[name]
		if !ok {
			continue
		}
		var seconds float64
		if json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > 1<<40 || !good(time.Unix(int64(seconds), 0)) {
			return false
		}
	}
	return true
}

// merge lets the members of client metadata among the claims replace those that were sent.
func merge(sent, claims metadata.Object) metadata.Object {
	merged := metadata.Object{}
	for name, value := range sent {
		merged[name] = value
	}
	for name, value := range claims {
		if name == "application_type" || slices.ContainsFunc(metadata.Members, func(m metadata.Member) bool { return m.Name == name }) {
			merged[name] = value
		}
	}
	return merged
}
