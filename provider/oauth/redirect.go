package oauth

import (
	"net/http"
	"strings"
)

// SeeOther sends the browser on by GET, whatever it came with: with 307 it would post the password along (RFC 9700 section 4.12).
// The location goes out byte for byte.
func SeeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header()["Location"] = []string{location}
	w.WriteHeader(http.StatusSeeOther)
}

// Joint is what stands between a URI and parameters of ours: its own query is kept (RFC 6749 section 3.1.2).
func Joint(uri string) string {
	switch {
	case !strings.Contains(uri, "?"):
		return "?"
	case strings.HasSuffix(uri, "?"), strings.HasSuffix(uri, "&"):
		return ""
	}
	return "&"
}
