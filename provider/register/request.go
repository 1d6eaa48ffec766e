package register

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"signet/clients/metadata"
	"signet/provider/oauth"
)

// Error codes of RFC 7591 section 3.2.2.
const (
	InvalidRedirectURI          oauth.Code = "invalid_redirect_uri"
	InvalidClientMetadata       oauth.Code = "invalid_client_metadata"
	InvalidSoftwareStatement    oauth.Code = "invalid_software_statement"
	UnapprovedSoftwareStatement oauth.Code = "unapproved_software_statement"
)

// maxBody is how long a registration may be, in bytes. The longest honest one carries a few public keys.
const maxBody = 64 << 10

// readBody reads a body that must be one JSON object: RFC 7591 section 3.1.
func readBody(w http.ResponseWriter, r *http.Request) (metadata.Object, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &oauth.Error{Code: InvalidClientMetadata, Description: "Content-Type must be application/json", Status: http.StatusUnsupportedMediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &oauth.Error{Code: InvalidClientMetadata, Description: "the body is longer than 64 KiB", Status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return nil, oauth.Errorf(InvalidClientMetadata, "the body could not be read").Because(err)
	}
	return parse(body)
}

// parse reads one JSON object.
func parse(body []byte) (metadata.Object, error) {
	o, err := metadata.Parse(body)
	if err != nil {
		return nil, oauth.Errorf(InvalidClientMetadata, "the body %v", err)
	}
	return o, nil
}
