package tracing

import (
	"context"
	"time"

	"signet/audit"
	"signet/storage"
)

// Acts returns s with a span for each act of a request. An act that is no request's (the sweeper's, the start's) has none.
func (t *Tracer) Acts(s storage.Store) storage.Store { return acts{s, t} }

type acts struct {
	storage.Store
	tracer *Tracer
}

func (s acts) Client(ctx context.Context, id string) (got storage.Client, err error) {
	ctx, end := s.tracer.act(ctx, "Client")
	defer end(&err)
	return s.Store.Client(ctx, id)
}

func (s acts) Clients(ctx context.Context) (all []storage.Client, err error) {
	ctx, end := s.tracer.act(ctx, "Clients")
	defer end(&err)
	return s.Store.Clients(ctx)
}

func (s acts) SaveClient(ctx context.Context, c storage.Client, o storage.Change) (got storage.Client, err error) {
	ctx, end := s.tracer.act(ctx, "SaveClient")
	defer end(&err)
	return s.Store.SaveClient(ctx, c, o)
}

func (s acts) RemoveClient(ctx context.Context, id string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "RemoveClient")
	defer end(&err)
	return s.Store.RemoveClient(ctx, id, o)
}

func (s acts) EndService(ctx context.Context, id string, series uint32, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "EndService")
	defer end(&err)
	return s.Store.EndService(ctx, id, series, o)
}

func (s acts) SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "SpendAssertion")
	defer end(&err)
	return s.Store.SpendAssertion(ctx, client, jti, expires, o)
}

func (s acts) SaveInitialToken(ctx context.Context, t storage.InitialToken, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "SaveInitialToken")
	defer end(&err)
	return s.Store.SaveInitialToken(ctx, t, o)
}

func (s acts) InitialTokens(ctx context.Context, now time.Time) (all []storage.InitialToken, err error) {
	ctx, end := s.tracer.act(ctx, "InitialTokens")
	defer end(&err)
	return s.Store.InitialTokens(ctx, now)
}

func (s acts) RemoveInitialToken(ctx context.Context, id storage.ID, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "RemoveInitialToken")
	defer end(&err)
	return s.Store.RemoveInitialToken(ctx, id, o)
}

func (s acts) InitialToken(ctx context.Context, h storage.Handle, now time.Time) (got storage.InitialToken, err error) {
	ctx, end := s.tracer.act(ctx, "InitialToken")
	defer end(&err)
	return s.Store.InitialToken(ctx, h, now)
}

func (s acts) RegisterClient(ctx context.Context, c storage.Client, token storage.Handle, o storage.Change) (got storage.Client, err error) {
	ctx, end := s.tracer.act(ctx, "RegisterClient")
	defer end(&err)
	return s.Store.RegisterClient(ctx, c, token, o)
}

func (s acts) Resource(ctx context.Context, id string) (got storage.Resource, err error) {
	ctx, end := s.tracer.act(ctx, "Resource")
	defer end(&err)
	return s.Store.Resource(ctx, id)
}

func (s acts) Resources(ctx context.Context) (all []storage.Resource, err error) {
	ctx, end := s.tracer.act(ctx, "Resources")
	defer end(&err)
	return s.Store.Resources(ctx)
}

func (s acts) SaveResource(ctx context.Context, r storage.Resource, o storage.Change) (got storage.Resource, err error) {
	ctx, end := s.tracer.act(ctx, "SaveResource")
	defer end(&err)
	return s.Store.SaveResource(ctx, r, o)
}

func (s acts) RemoveResource(ctx context.Context, id string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "RemoveResource")
	defer end(&err)
	return s.Store.RemoveResource(ctx, id, o)
}

func (s acts) DenyToken(ctx context.Context, jti string, expires time.Time, client string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "DenyToken")
	defer end(&err)
	return s.Store.DenyToken(ctx, jti, expires, client, o)
}

func (s acts) Denied(ctx context.Context, jti string) (denied bool, err error) {
	ctx, end := s.tracer.act(ctx, "Denied")
	defer end(&err)
	return s.Store.Denied(ctx, jti)
}

func (s acts) User(ctx context.Context, sub string) (got storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "User")
	defer end(&err)
	return s.Store.User(ctx, sub)
}

func (s acts) UserByLogin(ctx context.Context, login string) (got storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "UserByLogin")
	defer end(&err)
	return s.Store.UserByLogin(ctx, login)
}

func (s acts) Users(ctx context.Context) (all []storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "Users")
	defer end(&err)
	return s.Store.Users(ctx)
}

func (s acts) DeclaredUsers(ctx context.Context) (all []storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "DeclaredUsers")
	defer end(&err)
	return s.Store.DeclaredUsers(ctx)
}

func (s acts) SaveUser(ctx context.Context, u storage.User, over bool, o storage.Change) (got storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "SaveUser")
	defer end(&err)
	return s.Store.SaveUser(ctx, u, over, o)
}

func (s acts) RemoveUser(ctx context.Context, sub string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "RemoveUser")
	defer end(&err)
	return s.Store.RemoveUser(ctx, sub, o)
}

func (s acts) Ring(ctx context.Context) (got storage.Ring, err error) {
	ctx, end := s.tracer.act(ctx, "Ring")
	defer end(&err)
	return s.Store.Ring(ctx)
}

func (s acts) SaveRing(ctx context.Context, r storage.Ring, o storage.Change) (got storage.Ring, err error) {
	ctx, end := s.tracer.act(ctx, "SaveRing")
	defer end(&err)
	return s.Store.SaveRing(ctx, r, o)
}

func (s acts) Browser(ctx context.Context, h storage.Handle, now time.Time) (got storage.Browser, all []storage.SessionUser, err error) {
	ctx, end := s.tracer.act(ctx, "Browser")
	defer end(&err)
	return s.Store.Browser(ctx, h, now)
}

func (s acts) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (ended storage.Ended, err error) {
	ctx, end := s.tracer.act(ctx, "EndSessions")
	defer end(&err)
	return s.Store.EndSessions(ctx, ids, o)
}

func (s acts) EndUser(ctx context.Context, sub string, o storage.Change) (ended storage.Ended, err error) {
	ctx, end := s.tracer.act(ctx, "EndUser")
	defer end(&err)
	return s.Store.EndUser(ctx, sub, o)
}

func (s acts) Withdraw(ctx context.Context, sub, client string, o storage.Change) (ended storage.Ended, err error) {
	ctx, end := s.tracer.act(ctx, "Withdraw")
	defer end(&err)
	return s.Store.Withdraw(ctx, sub, client, o)
}

func (s acts) Sessions(ctx context.Context, sub string, now time.Time) (all []storage.Session, err error) {
	ctx, end := s.tracer.act(ctx, "Sessions")
	defer end(&err)
	return s.Store.Sessions(ctx, sub, now)
}

func (s acts) Families(ctx context.Context, sub string, now time.Time) (all []storage.Family, err error) {
	ctx, end := s.tracer.act(ctx, "Families")
	defer end(&err)
	return s.Store.Families(ctx, sub, now)
}

func (s acts) Consents(ctx context.Context, sub string) (all []storage.Consent, err error) {
	ctx, end := s.tracer.act(ctx, "Consents")
	defer end(&err)
	return s.Store.Consents(ctx, sub)
}

func (s acts) Session(ctx context.Context, id storage.ID) (got storage.SessionUser, err error) {
	ctx, end := s.tracer.act(ctx, "Session")
	defer end(&err)
	return s.Store.Session(ctx, id)
}

func (s acts) ClaimNotices(ctx context.Context, now, until time.Time, limit int) (all []storage.Notice, err error) {
	ctx, end := s.tracer.act(ctx, "ClaimNotices")
	defer end(&err)
	return s.Store.ClaimNotices(ctx, now, until, limit)
}

func (s acts) SettleNotice(ctx context.Context, n storage.Notice, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "SettleNotice")
	defer end(&err)
	return s.Store.SettleNotice(ctx, n, o)
}

func (s acts) Notices(ctx context.Context, ending storage.ID) (all []storage.Notice, err error) {
	ctx, end := s.tracer.act(ctx, "Notices")
	defer end(&err)
	return s.Store.Notices(ctx, ending)
}

func (s acts) Marked(ctx context.Context, now time.Time) (m storage.Marks, err error) {
	ctx, end := s.tracer.act(ctx, "Marked")
	defer end(&err)
	return s.Store.Marked(ctx, now)
}

func (s acts) History(ctx context.Context, sub string) (h storage.History, err error) {
	ctx, end := s.tracer.act(ctx, "History")
	defer end(&err)
	return s.Store.History(ctx, sub)
}

func (s acts) SignInFailed(ctx context.Context, sub string, n storage.SignInNote, entries ...audit.Entry) (err error) {
	ctx, end := s.tracer.act(ctx, "SignInFailed")
	defer end(&err)
	return s.Store.SignInFailed(ctx, sub, n, entries...)
}

func (s acts) Consent(ctx context.Context, user, client string) (got storage.Consent, err error) {
	ctx, end := s.tracer.act(ctx, "Consent")
	defer end(&err)
	return s.Store.Consent(ctx, user, client)
}

func (s acts) BeginInteraction(ctx context.Context, i storage.Interaction, limit int) (err error) {
	ctx, end := s.tracer.act(ctx, "BeginInteraction")
	defer end(&err)
	return s.Store.BeginInteraction(ctx, i, limit)
}

func (s acts) Interaction(ctx context.Context, h storage.Handle, now time.Time) (got storage.Interaction, err error) {
	ctx, end := s.tracer.act(ctx, "Interaction")
	defer end(&err)
	return s.Store.Interaction(ctx, h, now)
}

func (s acts) SelectSession(ctx context.Context, h, browser storage.Handle, session storage.ID, now time.Time) (err error) {
	ctx, end := s.tracer.act(ctx, "SelectSession")
	defer end(&err)
	return s.Store.SelectSession(ctx, h, browser, session, now)
}

func (s acts) SignIn(ctx context.Context, in storage.SignIn) (done storage.SignedIn, err error) {
	ctx, end := s.tracer.act(ctx, "SignIn")
	defer end(&err)
	return s.Store.SignIn(ctx, in)
}

func (s acts) EndInteraction(ctx context.Context, h storage.Handle, a storage.Authorization, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "EndInteraction")
	defer end(&err)
	return s.Store.EndInteraction(ctx, h, a, o)
}

func (s acts) KeepRequest(ctx context.Context, k storage.KeptRequest, limit int) (err error) {
	ctx, end := s.tracer.act(ctx, "KeepRequest")
	defer end(&err)
	return s.Store.KeepRequest(ctx, k, limit)
}

func (s acts) TakeRequest(ctx context.Context, h storage.Handle, now time.Time) (got storage.KeptRequest, err error) {
	ctx, end := s.tracer.act(ctx, "TakeRequest")
	defer end(&err)
	return s.Store.TakeRequest(ctx, h, now)
}

func (s acts) Authorize(ctx context.Context, i storage.Issue) (err error) {
	ctx, end := s.tracer.act(ctx, "Authorize")
	defer end(&err)
	return s.Store.Authorize(ctx, i)
}

func (s acts) RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (got storage.Redeemed, err error) {
	ctx, end := s.tracer.act(ctx, "RedeemCode")
	defer end(&err)
	return s.Store.RedeemCode(ctx, r, f)
}

func (s acts) BeginDevice(ctx context.Context, d storage.DeviceGrant, limit int) (err error) {
	ctx, end := s.tracer.act(ctx, "BeginDevice")
	defer end(&err)
	return s.Store.BeginDevice(ctx, d, limit)
}

func (s acts) Device(ctx context.Context, userCode string, now time.Time) (got storage.DeviceGrant, err error) {
	ctx, end := s.tracer.act(ctx, "Device")
	defer end(&err)
	return s.Store.Device(ctx, userCode, now)
}

func (s acts) DecideDevice(ctx context.Context, d storage.DeviceDecision) (err error) {
	ctx, end := s.tracer.act(ctx, "DecideDevice")
	defer end(&err)
	return s.Store.DecideDevice(ctx, d)
}

func (s acts) PollDevice(ctx context.Context, p storage.DevicePoll, f storage.Family) (got storage.DevicePolled, err error) {
	ctx, end := s.tracer.act(ctx, "PollDevice")
	defer end(&err)
	return s.Store.PollDevice(ctx, p, f)
}

func (s acts) GrantFamily(ctx context.Context, f storage.Family, o storage.Change) (got storage.Family, err error) {
	ctx, end := s.tracer.act(ctx, "GrantFamily")
	defer end(&err)
	return s.Store.GrantFamily(ctx, f, o)
}

func (s acts) RotateFamily(ctx context.Context, r storage.Rotation) (got storage.Family, also storage.User, err error) {
	ctx, end := s.tracer.act(ctx, "RotateFamily")
	defer end(&err)
	return s.Store.RotateFamily(ctx, r)
}

func (s acts) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "EndFamily")
	defer end(&err)
	return s.Store.EndFamily(ctx, id, client, o)
}

func (s acts) EndAccess(ctx context.Context, id storage.ID, series uint32, client string, o storage.Change) (err error) {
	ctx, end := s.tracer.act(ctx, "EndAccess")
	defer end(&err)
	return s.Store.EndAccess(ctx, id, series, client, o)
}

func (s acts) Family(ctx context.Context, id storage.ID) (got storage.FamilyState, err error) {
	ctx, end := s.tracer.act(ctx, "Family")
	defer end(&err)
	return s.Store.Family(ctx, id)
}

func (s acts) Record(ctx context.Context, entries ...audit.Entry) (err error) {
	ctx, end := s.tracer.act(ctx, "Record")
	defer end(&err)
	return s.Store.Record(ctx, entries...)
}
