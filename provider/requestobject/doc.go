// Package requestobject reads authorization requests that come as a JWT: OpenID Connect Core 6, and RFC 9101 where that does not say
// otherwise.
//
// [Reader.Merge] puts the members of the object in the places of the parameters beside it. What stands in the object was said by the
// client, whatever the browser did to the rest, so it wins (Core 6.3.3). Two things must stand outside nevertheless, since the request
// is one of OAuth 2.0 as well: client_id and response_type, which must be the same inside if they are there, and a scope with openid.
//
// It comes by value, or from a request_uri that the client registered. What is found there is kept where the fragment of that URI is its
// hash.
//
// The object may be encrypted to a key of ours (Core 6.1, RFC 9101 section 6.1), where the operator turns that on: signed first, then
// encrypted, once. Encryption says nothing of who wrote it, so all that follows holds for what is inside.
//
// The object is signed with a key of the client's, or with its secret where it registered that and the secret is kept readable.
// Unsigned ones are for operators who let them in. Nothing of an object is believed before all of it was found good: iss is the client,
// aud is us, the times fit, and it is not a JWT made for another purpose. Core lets an object be used more than once, so none is
// remembered; who wants an end to it puts exp in.
package requestobject
