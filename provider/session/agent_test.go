package session

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUserAgentIsText(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"Mozilla/5.0 (X11) Ü":                  "Mozilla/5.0 (X11) Ü",
		"a\u009b31mb\u202ec\x1b[0m\u0000\t\nd": "a31mbc[0md",
		"\xff\xfea":                            "a",
		strings.Repeat("é", 200):               strings.Repeat("é", 100),
		"x" + strings.Repeat("é", 200):         "x" + strings.Repeat("é", 99),
	} {
		if got := short(sent); got != want || !utf8.ValidString(got) {
			t.Errorf("%q is kept as %q, want %q", sent, got, want)
		}
	}
}
