package interaction_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// The cookie that an interaction is opened with is its own: the handle of another one under its name opens neither.
func TestHandleOfAnotherInteraction(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	victim, attacker := s.Browser(""), s.Browser("")
	theirs, own := id(t, victim.Authorize(c)), id(t, attacker.Authorize(c))
	for _, cookie := range attacker.Cookies() {
		if name, ok := strings.CutSuffix(cookie.Name, own); ok {
			attacker.SetCookies([]*http.Cookie{{Name: name + theirs, Value: cookie.Value, Path: "/"}})
		}
	}
	refused(t, "the other's id with one's own handle", attacker.Open("/signin?interaction="+theirs))
	if o := attacker.Open("/signin?interaction=" + own); o.Page.Status != http.StatusOK {
		t.Errorf("one's own: %d", o.Page.Status)
	}
}
