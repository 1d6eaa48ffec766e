package issue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signet/claims"
	"signet/provider/session"
	"signet/storage"
)

// Preview is what a client would get of a user, and why. Nothing is issued: it is made by what makes tokens, and not signed.
type Preview struct {
	IDToken     []PreviewClaim `json:"id_token"`
	Userinfo    []PreviewClaim `json:"userinfo"`
	AccessToken []PreviewClaim `json:"access_token"`
}

// PreviewClaim is one claim. What each sign-in or each token makes anew has no value.
type PreviewClaim struct {
	Name  string          `json:"claim"`
	Value json.RawMessage `json:"value,omitempty"`
	Why   string          `json:"why"`
}

// ownClaims says why the claims of the protocol are there. fresh ones are of one sign-in or one token.
var ownClaims = map[string]struct {
	why   string
	fresh bool
}{
	"iss":       {"the protocol", false},
	"sub":       {"the protocol", false},
	"aud":       {"the protocol", false},
	"azp":       {"the protocol", false},
	"client_id": {"the protocol", false},
	"scope":     {"the protocol", false},
	"iat":       {"the protocol", true},
	"exp":       {"the protocol", true},
	"jti":       {"the protocol", true},
	"at_hash":   {"the access token beside it", true},
	"nonce":     {"the request, if it has one", true},
	"status":    {"the status list, at the grant's own place", true},
	"auth_time": {"the sign-in", true},
	"acr":       {"the sign-in", true},
	"amr":       {"the sign-in", true},
	"sid":       {"the session", true},
	"groups":    {"the resource's claims", false},
	"roles":     {"the resource's claims", false},
}

// Preview shows what the client would get of the user for these scopes and this claims parameter, by the code flow.
func (i *Issuer) Preview(ctx context.Context, c storage.Client, u storage.User, scopes []string, asked claims.Asked) (p Preview, err error) {
	res, err := i.Resources.Resource(ctx, storage.DefaultResource)
	if err != nil {
		return p, fmt.Errorf("the default resource: %w", err)
	}
	by := session.ByPassword()
	a := storage.Authorization{
		Client: c.ID, User: u.Sub, Scopes: scopes, ACR: by.ACR, AMR: by.AMR, AuthTime: i.Now(),
		Claims: i.Claims.Known(asked, c).Stored(),
	}
	g := Granted{Means: Means{signing: signing{alg: c.IDTokenAlg}}, Target: Target{[]storage.Resource{res}}, Client: c, User: u, Scopes: scopes, Nonce: "a nonce", Family: storage.Family{Authorization: a, Status: 1}}
	access, err := i.accessClaims(g)
	if err != nil {
		return p, err
	}
	if p.AccessToken, err = preview(access, i.saidInAccessToken(g, access.Audience)); err != nil {
		return p, err
	}
	if !slices.Contains(scopes, "openid") { // then it is OAuth alone: no ID token, and userinfo refuses the access token
		return p, nil
	}
	id, err := i.idClaims(g, beside{accessToken: "an access token"})
	if err != nil {
		return p, err
	}
	if p.IDToken, err = preview(id, i.saidInIDToken(g, false)); err != nil {
		return p, err
	}
	state := storage.FamilyState{Family: g.Family, Client: c, User: u}
	own, err := i.ownUserinfo(c, u)
	if err != nil {
		return p, err
	}
	p.Userinfo, err = preview(own, i.saidInUserinfo(state, scopes))
	return p, err
}

// preview lists what would be in a token.
func preview(own any, said []claims.Said) ([]PreviewClaim, error) {
	payload, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	var list []PreviewClaim
	d := json.NewDecoder(bytes.NewReader(payload))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		line := PreviewClaim{Name: fmt.Sprint(name)}
		if err := d.Decode(&line.Value); err != nil {
			return nil, err
		}
		known := ownClaims[line.Name]
		if line.Why = known.why; known.fresh {
			line.Value = nil
		}
		list = append(list, line)
	}
	for _, s := range said {
		value, err := json.Marshal(s.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, PreviewClaim{s.Name, value, s.Why.String()})
	}
	return list, nil
}
