package statuslist

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"signet/provider/oauth"
)

// MediaType is that of a list as a JWT: section 8.1.
const MediaType = "application/statuslist+jwt"

// Get answers with the list of this name: section 8.2.
func (l *Lists) Get(w http.ResponseWriter, r *http.Request, name string) error {
	list, ok := parseList(name)
	if !ok {
		return errNoList
	}
	if r.URL.Query().Has("time") { // section 8.4
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "this server keeps no lists of the past", Status: http.StatusNotImplemented}
	}
	if !oauth.Accepts(r.Header["Accept"], MediaType, "application/*", "*/*") {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "a list is " + MediaType + " and nothing else", Status: http.StatusNotAcceptable}
	}
	v, err := l.current(r.Context())
	if err != nil {
		return err
	}
	if !v.has(list) {
		return errNoList
	}
	s, err := l.list(list, v)
	if err != nil {
		return err
	}
	w.Header()["Vary"] = append(w.Header()["Vary"], "Accept, Accept-Encoding") // CORS has one already
	c := content{MediaType, "", s.body, s.etag}
	if len(r.Header["Accept-Encoding"]) > 0 && oauth.Accepts(r.Header["Accept-Encoding"], "gzip", "*") {
		c = content{MediaType, "gzip", s.zipped, s.etag + ".gzip"}
	}
	l.answer(w, r, v, c)
	return nil
}

// Aggregation answers with the URIs of all lists: section 9.3.
func (l *Lists) Aggregation(w http.ResponseWriter, r *http.Request) error {
	v, err := l.current(r.Context())
	if err != nil {
		return err
	}
	a, err := l.aggregate(v)
	if err != nil {
		return err
	}
	l.answer(w, r, v, content{"application/json", "", a.body, a.etag})
	return nil
}

var errNoList = &oauth.Error{Code: oauth.InvalidRequest, Description: "there is no such list", Status: http.StatusNotFound}

// parseList reads the number of a list as [Places] writes it. No list has two names.
func parseList(name string) (uint64, bool) {
	list, err := strconv.ParseUint(name, 10, 64)
	return list, err == nil && list <= math.MaxUint64/Size && strconv.FormatUint(list, 10) == name
}

// content is what is answered.
type content struct {
	mediaType, encoding string
	body                []byte
	tag                 string // without its quotes
}

// answer answers with what v says, or 304 to who has it already (RFC 9110 section 13.1.2).
func (l *Lists) answer(w http.ResponseWriter, r *http.Request, v *view, c content) {
	h := w.Header()
	age := max(0, l.Now().Sub(v.read))
	h["Cache-Control"] = []string{fmt.Sprintf("public, max-age=%d, s-maxage=%d", left(ttl, age), left(lag, age))}
	etag := `"` + c.tag + `"`
	h["Etag"] = []string{etag}
	if oauth.Unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = []string{c.mediaType}
	h["Content-Length"] = []string{strconv.Itoa(len(c.body))}
	if c.encoding != "" {
		h["Content-Encoding"] = []string{c.encoding}
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(c.body) // a client that went away is nobody's fault
	}
}

// left is what age leaves of d, in whole seconds.
func left(d, age time.Duration) int { return int(max(0, d-age) / time.Second) }
