package authorize

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/claims"
	"signet/clients"
	"signet/provider/clientdocs"
	"signet/provider/interaction"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
)

// pending is a valid request on its way to an answer.
type pending struct {
	request  storage.Request
	open     *interaction.Open // where the browser was asked something already
	agreed   string            // by whom and to what the user has just said yes, see [interaction.Answering]
	declined bool              // the user has just said no
	session  storage.Session   // that it is about; zero: none yet
}

// proceed does what comes next: asks, refuses, or issues the code.
func (e *Endpoint) proceed(w http.ResponseWriter, r *http.Request, t target, p pending) error {
	facts, err := e.facts(r, t, p)
	if err != nil {
		return err
	}
	p.request = facts.Request
	if state := e.Sessions.State(w, r, facts.Sessions); state != "" && slices.Contains(p.request.Scopes, "openid") {
		t.sessionState = session.SessionState(t.client.ID, t.redirectURI, state)
	}
	step, s, err := facts.Next()
	p.session = s.Session
	if p.agreed != "" && err == nil && step == interaction.Consent && p.agreed == interaction.Answering(s.Session.ID, t.client) {
		facts.Agreed = true
		step, s, err = facts.Next()
	}
	switch {
	case err != nil:
		return e.giveUp(w, r, t, p, err)
	case step == interaction.Consent && p.declined: // RFC 6749 section 4.1.2.1; before there is a user nobody can decline
		return e.giveUp(w, r, t, p, oauth.Errorf(oauth.AccessDenied, "the user declined"))
	case step != interaction.Done && p.open == nil && !interaction.OpensPage(r):
		return e.giveUp(w, r, t, p, oauth.Errorf(oauth.InteractionRequired, "the user must be asked, and this request does not open a page"))
	case step == interaction.Choose:
		return e.ask(w, r, p, interaction.ChoosePath)
	case step == interaction.SignIn:
		return e.ask(w, r, p, interaction.SignInPath)
	case step == interaction.Consent:
		return e.ask(w, r, p, interaction.ConsentPath)
	}
	return e.issue(w, r, t, p, s, facts)
}

func (e *Endpoint) facts(r *http.Request, t target, p pending) (interaction.Facts, error) {
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return interaction.Facts{}, err
	}
	if p.request.HintedUser, err = e.hinted(p, t.client, sessions); err != nil {
		return interaction.Facts{}, err
	}
	f := interaction.Facts{
		Request: p.request, Client: t.client, Sessions: sessions, Now: e.Now(),
		Claims: e.Issuer.Claims.Beyond(claims.Read(p.request.Claims), p.request.Scopes),
	}
	if p.open != nil {
		f.SignedIn, f.Chosen = p.open.Session, p.open.Chosen
	}
	f.Remembered = func(user string) (storage.Consent, error) {
		c, err := e.Store.Consent(r.Context(), user, t.client.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return storage.Consent{}, nil
		}
		return c, err
	}
	return f, nil
}

// unknownSubject marks, in a stored request of a pairwise client, a subject that fits no account yet. Without the mark another
// client's sub for the same person would pass for one of its own, and two clients could find out that they share a user.
const unknownSubject = "pairwise:"

// hinted finds the account behind the subject of a hint among those that are signed in here. A pairwise subject names nobody by
// itself: it waits until the one that it was made for signs in.
func (e *Endpoint) hinted(p pending, c storage.Client, sessions []storage.SessionUser) (string, error) {
	hint := p.request.HintedUser
	if hint == "" || c.SubjectType != clients.SubjectPairwise {
		return hint, nil
	}
	subject := hint
	if p.open != nil {
		waiting := false
		if subject, waiting = strings.CutPrefix(hint, unknownSubject); !waiting {
			return hint, nil
		}
	}
	for _, s := range sessions {
		made, err := e.Issuer.Subject(c, s.User)
		if err != nil {
			return "", err
		}
		if made == subject {
			return s.User.Sub, nil
		}
	}
	return unknownSubject + subject, nil
}

// ask sends the browser to a page. Where it became known only now whom the request means, a new interaction says so to the page.
func (e *Endpoint) ask(w http.ResponseWriter, r *http.Request, p pending, path string) error {
	if p.open == nil || p.open.Session.IsZero() && p.open.Request.HintedUser != p.request.HintedUser {
		open, err := e.Interactions.Begin(w, r, p.request)
		if err != nil {
			return err
		}
		p.open = &open
	}
	oauth.SeeOther(w, e.Interactions.URL(path, *p.open))
	return nil
}

// giveUp takes a refusal to the client, and spends the interaction that led to it.
func (e *Endpoint) giveUp(w http.ResponseWriter, r *http.Request, t target, p pending, refusal error) error {
	if p.open != nil {
		change := storage.Change{Now: e.Now(), Origin: trail.Of(r.Context()).Origin(), Detail: string(oauth.AsError(refusal).Code)}
		who := storage.Authorization{Client: t.client.ID, User: p.session.User, Session: p.session.ID}
		if err := e.Store.EndInteraction(r.Context(), p.open.Handle, who, change); err != nil {
			return interaction.Explain(err)
		}
		e.Interactions.Close(w, *p.open)
	}
	e.refuse(w, r, t, refusal)
	return nil
}

// issue stores what the response carries and all that led to it in one commit, and answers with it.
func (e *Endpoint) issue(w http.ResponseWriter, r *http.Request, t target, p pending, s storage.SessionUser, f interaction.Facts) error {
	now := e.Now()
	act := storage.Issue{Authorization: authorization(p.request, s), Idle: e.Sessions.IdleOf(s.Session), Now: now, Origin: trail.Of(r.Context()).Origin()}
	front, err := e.prepare(r, t, p.request, s, &act)
	if refusal, ok := errors.AsType[*oauth.Error](err); ok {
		return e.giveUp(w, r, t, p, refusal)
	}
	if err != nil {
		return err
	}
	if p.open != nil {
		act.Interaction = p.open.Handle
	}
	if f.Agreed {
		act.Consent = &storage.Consent{
			User: s.User.Sub, Client: t.client.ID, Scopes: p.request.Scopes, Claims: f.Claims, Resources: p.request.Access, Since: now, Updated: now,
		}
	}
	if err := e.spend(r, p.request.Object, t); errors.Is(err, storage.ErrSpent) {
		return e.giveUp(w, r, t, p, oauth.Errorf(oauth.InvalidRequestObject, "jti of the request object was used already; make a new object for each request"))
	} else if err != nil {
		return err
	}
	detail := storage.Change{Now: now, Origin: act.Origin, Detail: "as its metadata document has it"}
	if _, err := e.Clients.Keep(r.Context(), t.client, detail); errors.Is(err, clientdocs.ErrRemoved) {
		return e.giveUp(w, r, t, p, oauth.Errorf(oauth.UnauthorizedClient, "this client was removed here").Because(err))
	} else if err != nil {
		return err
	}
	err = e.Store.Authorize(r.Context(), act)
	switch {
	case err == nil:
	case p.open != nil && errors.Is(err, storage.ErrSpent), errors.Is(err, storage.ErrNotFound):
		return interaction.Explain(err)
	case errors.Is(err, storage.ErrEnded), errors.Is(err, storage.ErrExpired): // signed out in the moment between
		return e.giveUp(w, r, t, p, oauth.Errorf(oauth.LoginRequired, "the session has just ended").Because(err))
	default:
		return err
	}
	if p.open != nil {
		e.Interactions.Close(w, *p.open)
	}
	tokens, err := e.Issuer.InFront(r.Context(), *front) // with the number that the act gave its family
	if err != nil {
		return err
	}
	came := &trail.Of(r.Context()).Outcome
	came.Result, came.Grant, came.Issued = trail.Issued, trail.GrantFront, tokens.Kinds()
	e.answer(w, r, t, success(front.Code, tokens))
	return nil
}

// spend uses up the request object, if it is for one use. That happens with the answer: who only reloads a page on the way there sends
// nothing twice.
func (e *Endpoint) spend(r *http.Request, object storage.OneTime, t target) error {
	if object.ID == "" {
		return nil
	}
	change := storage.Change{Now: e.Now(), Origin: trail.Of(r.Context()).Origin(), Detail: "request object"}
	return e.Store.SpendAssertion(r.Context(), t.client.ID, "request object "+object.ID, object.Expires, change)
}

// prepare adds to the act what the response type asks for, and returns what the tokens of the response are made of. Nothing is stored
// yet: what cannot be signed must not spend anything.
func (e *Endpoint) prepare(r *http.Request, t target, req storage.Request, s storage.SessionUser, act *storage.Issue) (*issue.Front, error) {
	front := &issue.Front{
		Granted:     issue.Granted{Client: t.client, User: s.User, Scopes: req.Scopes, Nonce: req.Nonce, Family: storage.Family{Authorization: act.Authorization}},
		AccessToken: clients.Carries(req.ResponseType, clients.ResponseToken),
		IDToken:     clients.Carries(req.ResponseType, clients.ResponseIDToken),
	}
	if clients.Carries(req.ResponseType, clients.ResponseCode) {
		expires := act.Now.Add(e.CodeLife)
		h := storage.NewHandle(expires)
		act.Code = &storage.Code{
			ID: h.ID, SecretHash: h.Hash(), RedirectURI: req.RedirectURI, Challenge: req.Challenge, Nonce: req.Nonce, Expires: expires,
		}
		front.Code = h.String()
	}
	if !front.AccessToken && !front.IDToken {
		return front, nil
	}
	var err error
	if front.Means, err = e.Issuer.Prepare(r.Context(), t.client); err != nil {
		return front, err
	}
	if front.AccessToken { // its family ends with it: there is no refresh token
		resources, err := e.Issuer.Resolve(r.Context(), t.client, req.Resources, issue.ForUser)
		if err != nil {
			return front, err
		}
		if front.Target, err = e.Issuer.Target(resources, req.Scopes); err != nil {
			return front, err
		}
		expires := act.Now.Add(front.Target.Lifetime())
		front.Family = storage.Family{
			ID: storage.NewID(act.Now), Authorization: act.Authorization.InFront(), Moved: act.Now, Created: act.Now, IdleExpires: expires, Expires: expires,
		}
		front.Scopes = e.Issuer.Within(t.client, front.Target, front.Family.Authorization.Scopes, front.Family.Authorization)
		act.Front = &front.Family
	}
	return front, nil
}

// authorization is what the user allowed.
func authorization(req storage.Request, s storage.SessionUser) storage.Authorization {
	return storage.Authorization{
		Client: req.Client, User: s.User.Sub, Session: s.Session.ID, Epoch: s.User.Epoch, Scopes: req.Scopes, Resources: req.Resources, Access: req.Access,
		AuthTime: s.Session.AuthTime, ACR: s.Session.ACR, AMR: s.Session.AMR,
		Claims: req.Claims, Offline: slices.Contains(req.Scopes, "offline_access"),
	}
}

func (e *Endpoint) registered(t target) bool { return clients.RedirectURI(t.client, t.redirectURI) }
