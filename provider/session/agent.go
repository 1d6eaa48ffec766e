package session

import (
	"net/http"
	"strings"
	"unicode"
)

// UserAgent is what the browser says that it is, as far as we keep that.
func UserAgent(r *http.Request) string { return short(r.UserAgent()) }

// short bounds what a browser may make us keep. A header may hold any bytes; a record holds text, and none that steers a terminal or turns the
// direction of writing.
func short(userAgent string) string {
	const limit = 200
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(userAgent[:min(limit, len(userAgent))], ""))
}
