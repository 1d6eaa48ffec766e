package session

import "testing"

func TestStepsUp(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		acr   string
		asked []string
		want  bool
	}{
		"nothing is asked for":                       {"pwd", nil, false},
		"it is there":                                {"pwd", []string{"mfa", "pwd"}, false},
		"it cannot be reached":                       {"pwd", []string{"mfa", "gold"}, false},
		"RFC 9470 5: it can be reached":              {"", []string{"gold", "pwd"}, true},
		"of a time when sign-ins had other strength": {"old", []string{"pwd"}, true},
		"the old one itself":                         {"old", []string{"pwd", "old"}, false},
	} {
		if got := StepsUp(row.acr, row.asked); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
