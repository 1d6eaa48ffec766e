// Package authorize answers the authorization endpoint: OpenID Connect Core 3.1.2, RFC 6749 section 4.1, RFC 7636, RFC 9207, RFC 9101.
//
//	GET  /authorize            the request; with a session and consent the code goes out at once, in one commit
//	POST /authorize            the same by form: a cross-site POST carries no cookie of ours, so it is kept and sent round by GET
//	GET  /authorize/posted     ... to here, once
//	GET  /authorize/continue   where the browser comes back after a step
//	POST /authorize/continue   the answer to the consent page
//
// Reading goes in two parts. First the client and the redirect URI are established ([Endpoint.target]); what is wrong there is
// told to the person on a page, since nothing may be sent to an address that is not the client's (RFC 6749 section 4.1.2.1). What is
// wrong after that goes back to the client ([validate]). Both are read from the same bytes that are sent back. Where a request object
// came along, both read the parameters that [requestobject.Reader.Merge] made of it and the rest.
//
// A request for which the browser must be asked something is stored as an interaction. From then on the browser carries only its
// id; every step adds to the stored request and comes back to /authorize/continue, where [interaction.Facts.Next] alone decides what is
// still missing. [Endpoint.answer] writes all answers, errors included.
package authorize
