package issue

import (
	"signet/claims"
	"signet/storage"
)

// saidInIDToken is what an ID token says about the user. The claims of scopes are in it where the client was added so, and where it is all
// that is issued (Core 5.4: "when no Access Token is issued [...], the resulting Claims are returned in the ID Token").
func (i *Issuer) saidInIDToken(g Granted, alone bool) []claims.Said {
	return i.Claims.Of(claims.Query{
		Place: claims.IDToken, User: g.User, Client: g.Client, Scopes: g.Scopes, ByScope: alone || g.Client.IDTokenClaims == storage.ClaimsByScope,
		Asked: claims.Read(g.Family.Authorization.Claims).IDToken,
	})
}

// saidInAccessToken is what an access token says about the user besides groups and roles: what the operator declared for its
// audience, and nothing else.
func (i *Issuer) saidInAccessToken(g Granted, audience Audience) []claims.Said {
	return i.Claims.Of(claims.Query{Place: claims.AccessToken, User: g.User, Client: g.Client, Scopes: g.Scopes, Audience: audience})
}

// saidInUserinfo is what userinfo says for an access token of these scopes.
func (i *Issuer) saidInUserinfo(s storage.FamilyState, scopes []string) []claims.Said {
	return i.Claims.Of(claims.Query{
		Place: claims.Userinfo, User: s.User, Client: s.Client, Scopes: scopes, ByScope: true,
		Asked: claims.Read(s.Family.Authorization.Claims).Userinfo,
	})
}
