package gate

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPath bounds what is taken apart.
const maxPath = 8 << 10

// parsePath decodes a path for comparison, or says why it is refused: every server has to read it in the same way, so there is nothing in it
// that some servers resolve, merge, cut off or decode once more.
func parsePath(raw string) (decoded, problem string) {
	switch {
	case raw == "" || raw[0] != '/':
		return "", "does not begin with a slash"
	case len(raw) > maxPath:
		return "", "is too long"
	case strings.Contains(raw, "//"):
		return "", "has two slashes in a row"
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%':
			v, err := strconv.ParseUint(raw[min(i+1, len(raw)):min(i+3, len(raw))], 16, 8)
			if err != nil || i+3 > len(raw) {
				return "", "has a % without two hexadecimal digits"
			}
			if c = byte(v); c < ' ' || c == 0x7f || strings.IndexByte(`/\.;%?#`, c) >= 0 {
				return "", "has an escaped character that some servers decode before they look for the path, and others after"
			}
			i += 2
		case c == ';':
			return "", "has a semicolon, behind which some servers ignore the rest of a segment"
		case !pathCharacter(c):
			return "", "has a character that no path has (RFC 3986 section 3.3)"
		}
		b.WriteByte(c)
	}
	decoded = b.String()
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return "", "has a segment . or .."
		}
	}
	if !utf8.ValidString(decoded) {
		return "", "is not UTF-8"
	}
	return decoded, ""
}

// pathCharacter reports a character that stands for itself in a path.
func pathCharacter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-._~!$&'()*+,=:@", c) >= 0
}

// segments are those of a decoded path: one empty one of "/".
func segments(decoded string) []string { return strings.Split(decoded[1:], "/") }
