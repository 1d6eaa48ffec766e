// Package clientdocs finds clients that nobody registered: their id is an https URL, and the document there says what they are (OAuth
// Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document).
//
// It stands in front of the store's clients wherever a browser is asked about one ([Clients.Client]). For any other id it is the store. A
// document is fetched by the guarded way out, once for all who wait, and remembered for as long as its server says, within bounds. What it
// says is held to the rules of [clients.Validate], as what an app registers itself (document.go).
//
// Anybody can name a URL, so nothing is stored until a user has agreed: [Clients.Keep] is called just before the code is stored. The row is
// what tokens live by, at every other endpoint, whether its host still answers or not. When the document says something else later, the row
// follows at the next authorization. What the operator set stays: access, what was taken away (row.go). A user who allowed the app
// under another name, or when its answers went to other hosts, is asked again.
//
// A new authorization needs a document that is good now: there is no grace for a host that fails. That a document could not be had is not
// remembered, only that it was asked for: not twice in ten seconds, however many ask. What a browser learns of it is one page, whatever was
// wrong, and each fetch counts for the browser's address as a registration does, and few are under way for one network: so nobody looks around
// through us, or keeps others waiting. The log has the reason.
package clientdocs
