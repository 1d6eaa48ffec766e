package clients

import (
	"slices"
	"strings"
	"testing"
)

func TestResponseType(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"code": "code", "id_token": "id_token", "token id_token": "id_token token", "id_token token": "id_token token",
		"id_token code": "code id_token", "token code": "code token", "token code id_token": "code id_token token",
		// not there, or not spelled as RFC 6749 appendix A.3 has it
		"": "", "token": "", "none": "", "code none": "", "code code": "", "CODE": "", "code  token": "", " code": "", "code ": "", "code\ttoken": "",
	} {
		if got, ok := ResponseType(sent); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %t; want %q", sent, got, ok, want)
		}
	}
	for _, r := range ResponseTypes {
		if got, ok := ResponseType(r); got != r || !ok {
			t.Errorf("%q is %q, %t", r, got, ok)
		}
	}
}

// OpenID Connect Registration 2, the table under grant_types.
func TestResponseGrants(t *testing.T) {
	t.Parallel()
	for r, want := range map[string]string{
		"code": "authorization_code", "id_token": "implicit", "id_token token": "implicit",
		"code id_token": "authorization_code implicit", "code token": "authorization_code implicit", "code id_token token": "authorization_code implicit",
	} {
		if got := ResponseGrants(r); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s needs %v, want %s", r, got, want)
		}
	}
}
