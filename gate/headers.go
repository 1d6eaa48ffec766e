package gate

import (
	"net/http"
	"strconv"
	"strings"
)

// handOut sets each header that is handed out, empty where nothing is known: the proxy then overwrites what a client sent by that name.
func handOut(to http.Header, headers []Header, t *token) {
	for _, h := range headers {
		value := ""
		if t != nil {
			value = headerValue(h.Claim, t.Claims[h.Claim])
		}
		to[h.Name] = []string{value}
	}
}

// headerValue writes a claim. Several values are separated by commas, those of scope by spaces as in the claim. In each, what would end it or
// what a header cannot carry is escaped as in a URL: space, comma, percent and all that is not printable ASCII. Objects are left out.
func headerValue(claim string, value any) string {
	switch v := value.(type) {
	case string:
		if claim == "scope" {
			words := strings.Fields(v)
			for i := range words {
				words[i] = escaped(words[i])
			}
			return strings.Join(words, " ")
		}
		return escaped(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		var all []string
		for _, one := range v {
			if _, list := one.([]any); list {
				return ""
			}
			if s := headerValue("", one); s != "" {
				all = append(all, s)
			}
		}
		return strings.Join(all, ",")
	}
	return ""
}

func escaped(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ',' || c == '%' {
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
