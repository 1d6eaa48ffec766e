package register

import (
	"errors"
	"net/http"
	"strings"

	"signet/provider/oauth"
	"signet/storage"
)

// bearer is the token of the Authorization header (RFC 6750 section 2.1); "" if there is none. In the body or the query it is not
// looked for.
func bearer(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", refused("the Authorization header is not Bearer with one token")
	}
	return token, nil
}

// missing asks for a token: RFC 6750 section 3.1, without any no error code in the challenge.
func missing(description string) error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: description, Challenge: "Bearer"}
}

func refused(description string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: description, Challenge: `Bearer error="invalid_token", error_description="` + description + `"`}
}

// limits are how far an initial access token reaches. Empty lists allow whatever the server has.
type limits struct {
	scopes, grantTypes []string
}

func limitsOf(c storage.Client) limits { return limits{c.AllowedScopes, c.AllowedGrantTypes} }

// initialToken returns the initial access token that r brings, and its limits. Under the policy open none is needed; one that is sent all the same
// counts, for a client that has the wrong one should hear of it.
func (e *Endpoint) initialToken(r *http.Request) (storage.Handle, limits, error) {
	sent, err := bearer(r)
	switch {
	case err != nil:
		return storage.Handle{}, limits{}, err
	case sent == "" && e.Policy == Open:
		return storage.Handle{}, limits{}, nil
	case sent == "":
		return storage.Handle{}, limits{}, missing("an initial access token is needed; the operator makes one with signet client token")
	}
	h, err := storage.ParseHandle(sent)
	if err != nil || h == (storage.Handle{}) {
		return storage.Handle{}, limits{}, initialRefused(storage.ErrNotFound)
	}
	t, err := e.Store.InitialToken(r.Context(), h, e.Now())
	if err != nil {
		return storage.Handle{}, limits{}, explain(err)
	}
	return h, limits{t.Scopes, t.GrantTypes}, nil
}

// initialRefused tells the holder of a token that was good once what became of it. Whoever guesses learns nothing.
func initialRefused(err error) error {
	description := "the initial access token is not one of this server"
	switch {
	case errors.Is(err, storage.ErrSpent):
		description = "the initial access token is used up"
	case errors.Is(err, storage.ErrExpired):
		description = "the initial access token has expired"
	}
	return refused(description).Because(err)
}
