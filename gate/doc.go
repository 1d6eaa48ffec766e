// Package gate protects an API that has no code for it: a resource server (RFC 6750, RFC 9068) that reverse proxies ask about each request,
// before they send it on. It knows its issuer by what that publishes, and nothing of the rooms of the provider, so it works on another machine
// and beside any Signet.
//
// # A request, front to back
//
//	original.go  what was asked for, as the proxy tells it: method, host and path (Caddy and Traefik, nginx, Envoy)
//	smuggle.go   headers that another server could take for ours, or for another request
//	path.go      paths that another server could read as another path
//	route.go     the first route that fits, and what it asks for
//	token.go     the access token: alone by its signature (jwt.go, status.go), or by asking (introspect.go)
//	session.go   or, on routes that sign browsers in, the session in a sealed cookie (signin.go, callback.go, logout.go)
//	verdict.go   may it pass? and what is said if not (RFC 6750 section 3, RFC 9728 section 5.1)
//	headers.go   what is told of who asks
//
// config.go and load.go are the configuration; issuer.go is the way to the issuer.
//
// # What it holds to
//
//   - What a proxy says of the original request is believed from trusted proxies alone. Whatever is missing, or there twice, refuses it.
//   - A path that two servers may read in two ways is refused, rather than to guess how the one behind reads it.
//   - Each name that the gate hands out is set on each answer that lets a request pass, empty where there is no value, so the proxy overwrites
//     what the client sent; and a request that carries any of these names, in whatever spelling, is refused.
//   - If it cannot be told whether a token is good, it is not, and the answer is 503: the app can do nothing about it.
//
// # The way out
//
// The gate talks to one origin, its issuer's: the transport refuses all others. Nothing that strangers write is ever fetched, so it does without
// [signet/fetch], whose connections serve one request each: introspection is on the path of requests.
package gate
