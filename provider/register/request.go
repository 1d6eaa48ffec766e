package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

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

// object is the members of a JSON object that have a value.
type object map[string]json.RawMessage

// readBody reads a body that must be one JSON object: RFC 7591 section 3.1.
func readBody(w http.ResponseWriter, r *http.Request) (object, error) {
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

// parse reads one JSON object. Names are compared with regard to case, and none may come twice: which of the two counts is what two readers
// never agree about. A member that is null counts as left out (RFC 7592 section 2.2).
func parse(body []byte) (object, error) {
	bad := oauth.Errorf(InvalidClientMetadata, "the body is not one JSON object")
	if !utf8.Valid(body) {
		return nil, oauth.Errorf(InvalidClientMetadata, "the body is not UTF-8 text")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, bad
	}
	o, seen := object{}, map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, bad
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, bad
		}
		key := name.(string) // the decoder allows nothing else there
		if seen[key] {
			return nil, oauth.Errorf(InvalidClientMetadata, "the body has a member twice")
		}
		seen[key] = true
		if string(value) != "null" {
			o[key] = value
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad
	}
	return o, nil
}
