package requestobject

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

// skew is how far a client's clock may be from ours.
const skew = time.Minute

// object are the members of a request object.
type object jwt.Claims

// parse reads a JWT that is signed with one of algs. Its typ keeps JWTs that are explicitly something else from passing: RFC 9101 section
// 10.8.
func parse(token string, algs []string) (*jose.JSONWebSignature, error) {
	jws, err := jwt.Parse(token, algs, "jwt", "oauth-authz-req+jwt")
	if err != nil {
		return nil, refusef("the request object is not good: %s", err)
	}
	return jws, nil
}

func members(payload []byte) (object, error) {
	claims, err := jwt.Read(payload)
	if err != nil {
		return nil, refusef("the request object is not good: %s", err)
	}
	return object(claims), nil
}

// check holds what an object says of itself against who sent it, to whom, and when. None of it needs to be there (Core 6.1).
func (o object) check(client, issuer string, now time.Time) error {
	for _, name := range []string{"request", "request_uri"} { // Core 6.1, RFC 9101 section 4
		if _, there := o[name]; there {
			return refusef("%s must not stand in a request object", name)
		}
	}
	for _, name := range []string{"iss", "client_id"} { // Core 6.1: "the iss value SHOULD be the Client ID"
		if o.differs(name, client) {
			return refusef("%s of the request object is not the client_id of the request", name)
		}
	}
	if o["sub"] != nil && !o.differs("sub", client) { // it would be good as a client assertion: RFC 9101 section 10.8
		return refusef("sub of the request object is the client, as in a client assertion")
	}
	if !o.isFor(issuer) { // Core 6.1: "The value of aud SHOULD be the Issuer Identifier"
		return refusef("aud of the request object is not this server's issuer")
	}
	return o.checkTimes(now)
}

// differs reports whether a member is there and is another text.
func (o object) differs(name, want string) bool {
	var text string
	raw, there := o[name]
	return there && (json.Unmarshal(raw, &text) != nil || text != want)
}

// isFor reports whether the audience, if there is one, has us in it: RFC 7519 section 4.1.3.
func (o object) isFor(issuer string) bool {
	var several []string
	if raw := o["aud"]; json.Unmarshal(raw, &several) == nil {
		return slices.Contains(several, issuer)
	}
	return !o.differs("aud", issuer)
}

func (o object) checkTimes(now time.Time) error {
	at := float64(now.UnixMilli()) / 1000
	for _, limit := range []struct {
		name    string
		broken  func(t float64) bool
		problem string
	}{
		{"exp", func(t float64) bool { return t+skew.Seconds() <= at }, "the request object has expired"},
		{"nbf", func(t float64) bool { return t > at+skew.Seconds() }, "nbf of the request object is ahead of our clock"},
		{"iat", func(t float64) bool { return t > at+skew.Seconds() }, "iat of the request object is ahead of our clock"},
	} {
		switch t, there, err := jwt.Claims(o).Seconds(limit.name); {
		case err != nil:
			return refusef("the request object is not good: %s", err)
		case there && limit.broken(t):
			return refusef("%s", limit.problem)
		}
	}
	return nil
}

// remembered is how long a jti is known to have been used: until the object expires, and at most for so long.
const remembered = time.Hour

// once names an object that may be used one time only. The specifications leave it to the client: who gives an object a jti ("a unique
// identifier", RFC 7519 section 4.1.7) wants no second use of it; one without can be sent again until it expires.
func (o object) once(now time.Time) (storage.OneTime, error) {
	raw, there := o["jti"]
	if !there {
		return storage.OneTime{}, nil
	}
	var jti *string
	if json.Unmarshal(raw, &jti) != nil || jti == nil || *jti == "" {
		return storage.OneTime{}, refusef("jti of the request object is not a text")
	}
	once := storage.OneTime{ID: *jti, Expires: now.Add(remembered)}
	var exp float64
	if json.Unmarshal(o["exp"], &exp) == nil && exp+skew.Seconds() < float64(once.Expires.Unix()) {
		once.Expires = time.Unix(int64(exp), 0).Add(skew)
	}
	return once, nil
}

// parameters are those that may stand in an object. Other members are ignored, as other parameters are.
var parameters = []string{
	"client_id", "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce", "display", "prompt", "max_age", "ui_locales",
	"claims_locales", "id_token_hint", "login_hint", "acr_values", "claims", "registration", "resource", "code_challenge", "code_challenge_method",
}

// over returns p with the object's members in their places: Core 6.1 and 6.3.3.
func (o object) over(p oauth.Params) (oauth.Params, error) {
	inside := url.Values{}
	for _, name := range parameters {
		raw, there := o[name]
		if !there {
			continue
		}
		values, ok := valuesOf(name, raw)
		if !ok || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsRune(v, 0) }) {
			return p, refusef("%s in the request object is not what this parameter can be", name)
		}
		if len(values) > 0 {
			inside[name] = values
		}
	}
	merged := p.With(inside, "request", "request_uri")
	return merged, outside(p, inside, merged)
}

// outside holds the parameters beside the object to Core 6.1: they are a request of OAuth 2.0 by themselves.
func outside(p oauth.Params, inside url.Values, merged oauth.Params) error {
	switch {
	case !p.Has("response_type"):
		return oauth.Errorf(oauth.InvalidRequest, "response_type is missing beside the request object")
	case inside.Has("response_type") && inside.Get("response_type") != p.Get("response_type"):
		return refusef("response_type of the request object is another than the one beside it")
	case slices.Contains(merged.Words("scope"), "openid") && !slices.Contains(p.Words("scope"), "openid"):
		return oauth.Errorf(oauth.InvalidRequest, "scope with openid is missing beside the request object")
	}
	return nil
}

// valuesOf reads a member as the parameter that it stands for: texts are themselves, max_age is a number, claims and registration are
// objects (Core 6.1), and there may be several resources (RFC 8707 section 2). An empty text is as good as no parameter.
func valuesOf(name string, raw json.RawMessage) (values []string, ok bool) {
	var text *string
	var number json.Number
	var several []string
	var compact bytes.Buffer
	switch {
	case json.Unmarshal(raw, &text) == nil && text != nil:
		if *text == "" {
			return nil, true
		}
		return []string{*text}, true
	case name == "max_age" && json.Unmarshal(raw, &number) == nil && number != "":
		return []string{number.String()}, true
	case name == "resource" && json.Unmarshal(raw, &several) == nil && several != nil:
		return several, true
	case (name == "claims" || name == "registration") && raw[0] == '{' && json.Compact(&compact, raw) == nil:
		return []string{compact.String()}, true
	}
	return nil, false
}
