// Package fetch is the one guarded way out: every request that Signet sends by itself goes through a [Client].
//
// What is fetched stands in the metadata of clients (jwks_uri, request_uri, sector_identifier_uri, logo_uri), and where clients
// register themselves anybody may write it. So each URL is taken for an attempt to make us talk to what only we can reach (RFC 9101
// section 10.4.1, RFC 7591 section 5):
//
//   - The address of the connected socket is held against the ranges of addresses.go, and not the name or what it resolved to a moment
//     ago: between a check and a use DNS can change its mind.
//   - https with a certificate that fits, and http to addresses that the operator allowed alone.
//   - No redirect is followed, no proxy of the environment is asked, no cookie and no credentials are sent.
//   - One short time for all of it, from the look-up of the name to the last byte; a small size of headers and body. Nothing is
//     decompressed: a body with a Content-Encoding is refused, since a few bytes can stand for many.
//
// Every port is good. Apps are served at 8443 as well as at 443, and what speaks another protocol does not pass the TLS handshake; where
// http is allowed, the operator named the address.
package fetch
