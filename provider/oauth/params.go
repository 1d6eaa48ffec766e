package oauth

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxForm is how long a query or a form may be, in bytes. The longest honest request carries an id_token_hint and a state.
const MaxForm = 64 << 10

// Params are the parameters of one request, as RFC 6749 section 3.1 wants them read: names are compared with regard to case,
// a parameter without a value counts as absent, and none but resource and audience may come twice.
type Params struct {
	values   url.Values
	repeated string
}

// ParseQuery reads application/x-www-form-urlencoded text. Malformed percent-encoding and text that is not UTF-8 are an
// invalid_request. A repeated parameter is not an error yet, so that the authorization endpoint can still find out whether it
// may redirect; see [Params.Repeated].
func ParseQuery(raw string) (Params, error) {
	if len(raw) > MaxForm {
		return Params{}, &Error{Code: InvalidRequest, Description: "the request is longer than 64 KiB", Status: http.StatusRequestEntityTooLarge}
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Params{}, Errorf(InvalidRequest, "the parameters are not well-formed application/x-www-form-urlencoded text")
	}
	p := Params{values: values}
	for name, all := range values {
		for _, v := range all {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return Params{}, Errorf(InvalidRequest, "a parameter is not UTF-8 text")
			}
		}
		if len(all) > 1 && name != "" && name != "resource" && name != "audience" { // what has no name is no parameter
			p.repeated = name
		}
	}
	return p, nil
}

// ReadForm reads the body of a POST that must be a form: RFC 6749 section 3.2. Parameters in the URL of such a request are
// refused, since secrets do not belong there (section 2.3.1); so are repeated ones.
func ReadForm(w http.ResponseWriter, r *http.Request) (Params, error) {
	if r.URL.RawQuery != "" {
		return Params{}, Errorf(InvalidRequest, "parameters belong in the body of this request, not in its URL")
	}
	p, err := ReadBody(w, r)
	if err == nil && p.repeated != "" {
		err = p.Repeated()
	}
	return p, err
}

// ReadBody is [ReadForm] for the endpoints that the browser posts to: what is in the URL, or repeated, is left to the caller.
func ReadBody(w http.ResponseWriter, r *http.Request) (Params, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return Params{}, &Error{Code: InvalidRequest, Description: "Content-Type must be application/x-www-form-urlencoded", Status: http.StatusUnsupportedMediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxForm))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return Params{}, &Error{Code: InvalidRequest, Description: "the body is longer than 64 KiB", Status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return Params{}, Errorf(InvalidRequest, "the body could not be read").Because(err)
	}
	return ParseQuery(string(body))
}

// Get returns the parameter's value; "" when it is absent.
func (p Params) Get(name string) string { return p.values.Get(name) }

// Has reports whether the parameter is there with a value.
func (p Params) Has(name string) bool { return p.values.Get(name) != "" }

// All returns every value of a parameter that may come more than once, without the empty ones.
func (p Params) All(name string) []string {
	var all []string
	for _, v := range p.values[name] {
		if v != "" {
			all = append(all, v)
		}
	}
	return all
}

// Words returns the parameter's space-delimited values (RFC 6749 section 3.3), each once, in their order.
func (p Params) Words(name string) []string {
	var words []string
	seen := map[string]bool{}
	for word := range strings.FieldsFuncSeq(p.Get(name), func(r rune) bool { return r == ' ' }) {
		if !seen[word] {
			seen[word] = true
			words = append(words, word)
		}
	}
	return words
}

// Single returns the parameter's value if it came exactly once, and "" otherwise.
func (p Params) Single(name string) string {
	if len(p.values[name]) != 1 {
		return ""
	}
	return p.values[name][0]
}

// Repeated returns an invalid_request if a parameter came twice: RFC 6749 sections 3.1 and 3.2.
func (p Params) Repeated() error {
	if p.repeated == "" {
		return nil
	}
	if !knownName(p.repeated) {
		return Errorf(InvalidRequest, "a parameter was sent more than once")
	}
	return Errorf(InvalidRequest, "%s was sent more than once", p.repeated)
}

// Only returns the parameters of these names.
func (p Params) Only(names ...string) Params {
	kept := Params{values: url.Values{}, repeated: p.repeated}
	for _, name := range names {
		if values, ok := p.values[name]; ok {
			kept.values[name] = values
		}
	}
	return kept
}

// With returns p with these values in the places of its own, and without the parameters that are to be dropped.
func (p Params) With(values url.Values, drop ...string) Params {
	merged := Params{values: maps.Clone(p.values), repeated: p.repeated}
	for _, name := range drop {
		delete(merged.values, name)
	}
	maps.Copy(merged.values, values)
	return merged
}

// Encode returns the parameters as a form again.
func (p Params) Encode() string { return p.values.Encode() }

// knownName reports whether a name is harmless to repeat in a description: the form of every registered parameter.
func knownName(name string) bool {
	return len(name) <= 40 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
}
