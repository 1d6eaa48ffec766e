package session

import "net/http"

// UserAgent is what the browser says that it is, as far as we keep that.
func UserAgent(r *http.Request) string { return short(r.UserAgent()) }
