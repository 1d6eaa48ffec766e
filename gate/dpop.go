package gate

// Proof checks that whoever presents a token holds the key that the token is bound to: RFC 9449 section 4.3. This is the place for it; as long as
// a gate has none, it takes no bound token and advertises none.
type Proof interface {
	// Check checks the values of the header DPoP against the original request's method and URL without query, the access token (ath) and the
	// thumbprint of its key (jkt).
	Check(proofs []string, method, url, accessToken, thumbprint string) error
	// Algorithms are those of proofs, for challenges and metadata.
	Algorithms() []string
}
