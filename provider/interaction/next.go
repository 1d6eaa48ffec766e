package interaction

import (
	"slices"
	"time"

	"signet/claims"
	"signet/clients"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/storage"
)

// Step is what comes next for an authorization request.
type Step int

// The steps, in the order in which they are asked.
const (
	Choose  Step = iota // several accounts may be meant, and the client wants the user to say which
	SignIn              // nobody fitting is signed in, or not freshly enough
	Consent             // the user has not allowed the client all this
	Done                // nothing is missing: the code can be issued
)

// Facts is all that decides the next step.
type Facts struct {
	Request  storage.Request
	Client   storage.Client
	Sessions []storage.SessionUser // live ones of this browser, the last used one last
	SignedIn storage.ID            // the session that was begun, or chosen, in the course of this interaction; zero: none
	Chosen   bool                  // SignedIn was chosen, which proves nothing
	Claims   []string              // asked for by the claims parameter besides those of the scopes
	Agreed   bool                  // the user has just allowed it
	// Remembered returns what the user allowed the client before; a zero Consent when nothing.
	Remembered func(user string) (storage.Consent, error)
	Now        time.Time
}

// Next says what is still missing, and in whose session. It alone decides; no step knows another. An error goes to the client.
func (f Facts) Next() (Step, storage.SessionUser, error) {
	if f.mustChoose() {
		return Choose, storage.SessionUser{}, nil
	}
	s, ok := f.Session()
	proved := !f.SignedIn.IsZero() && !f.Chosen
	switch hinted := f.Request.HintedUser; {
	case !ok || !proved && f.mustSignInAgain(s.Session):
		return f.ask(SignIn, storage.SessionUser{}, oauth.Errorf(oauth.LoginRequired, "the user is not signed in, or not as this request wants it"))
	case hinted != "" && hinted != s.User.Sub: // OpenID Connect Core 3.1.2.1, id_token_hint, and 5.5.1, sub: somebody else signed in
		return Done, s, oauth.Errorf(oauth.LoginRequired, "another user than the one that the request names signed in")
	case f.acrUnmet(s.Session): // Core 5.5.1.1: "the Authorization Server MUST treat that outcome as a failed authentication attempt"
		return Done, s, oauth.Errorf(oauth.UnmetAuthentication, "the user did not sign in with an acr that claims wants")
	}
	missing, err := f.consentMissing(s)
	if err != nil {
		return Done, s, err
	}
	if missing && f.Request.HintedUser != "" && f.prompt("none") {
		// Whoever names a user and may know nothing of them learns nothing: not even whether that user is signed in here.
		return Consent, s, oauth.Errorf(oauth.LoginRequired, "the user is not signed in, or not as this request wants it")
	}
	if missing {
		return f.ask(Consent, s, oauth.Errorf(oauth.ConsentRequired, "the user has not allowed this client what it asks for"))
	}
	return Done, s, nil
}

// ask refuses with the error where the client forbids to ask: OpenID Connect Core 3.1.2.1, prompt=none.
func (f Facts) ask(step Step, s storage.SessionUser, silent error) (Step, storage.SessionUser, error) {
	if f.prompt("none") {
		return step, s, silent
	}
	return step, s, nil
}

// Session is the one that the request means: the one begun or chosen here, the hinted user's, or the last used one.
func (f Facts) Session() (storage.SessionUser, bool) {
	if !f.SignedIn.IsZero() {
		return session.ByID(f.Sessions, f.SignedIn)
	}
	if f.Request.HintedUser != "" {
		return session.ByUser(f.Sessions, f.Request.HintedUser)
	}
	if len(f.Sessions) == 0 {
		return storage.SessionUser{}, false
	}
	return f.Sessions[len(f.Sessions)-1], true
}

// mustChoose reports whether the user has to say which account is meant: OpenID Connect Core 3.1.2.1, select_account. Where the request names
// the user by a hint, or nobody is signed in, there is nothing to choose.
func (f Facts) mustChoose() bool {
	return f.prompt("select_account") && f.SignedIn.IsZero() && f.Request.HintedUser == "" && len(f.Sessions) > 0
}

// mustSignInAgain reports whether a session that was there before is not enough: OpenID Connect Core 3.1.2.1.
func (f Facts) mustSignInAgain(s storage.Session) bool {
	if f.prompt("login") || f.acrUnmet(s) || session.StepsUp(s.ACR, f.Request.ACRValues) {
		return true
	}
	// max_age: "if the elapsed time is greater than this value, the OP MUST attempt to actively re-authenticate"; 0 is prompt=login.
	age := f.Request.MaxAge
	return age != nil && (*age == 0 || f.Now.Sub(s.AuthTime) > time.Duration(*age)*time.Second)
}

// acrUnmet reports whether an acr is essential and s has none of those that will do: OpenID Connect Core 5.5.1.1.
func (f Facts) acrUnmet(s storage.Session) bool {
	wanted, err := claims.Read(f.Request.Claims).ACR()
	return err != nil || len(wanted) > 0 && !slices.Contains(wanted, s.ACR)
}

// consentMissing reports whether the user must be asked.
func (f Facts) consentMissing(s storage.SessionUser) (bool, error) {
	switch {
	case f.Agreed:
		return false, nil
	case f.prompt("consent"): // Core 3.1.2.1: "SHOULD prompt the End-User for consent", whatever is remembered
		return true, nil
	case f.Client.Trusted: // the operator vouches for it
		return false, nil
	case clients.ConsentEachTime(f.Client, f.Request.RedirectURI): // RFC 8252 section 8.6: any app could pose as this one
		return true, nil
	}
	remembered, err := f.Remembered(s.User.Sub)
	if err != nil {
		return false, err
	}
	if remembered.Updated.Before(f.Client.DocumentSince) { // it was another app: Client ID Metadata Document 8.4
		return true, nil
	}
	return !covers(remembered.Scopes, f.Request.Scopes) || !covers(remembered.Claims, f.Claims) || !covers(remembered.Resources, f.Request.Access), nil
}

func (f Facts) prompt(value string) bool { return slices.Contains(f.Request.Prompt, value) }

func covers(allowed, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(allowed, w) })
}
