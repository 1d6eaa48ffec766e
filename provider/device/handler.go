package device

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"signet/audit"
	"signet/clients"
	"signet/provider/clientauth"
	"signet/provider/interaction"
	"signet/provider/issue"
	"signet/provider/logos"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Where the pages are, below the issuer's path.
const (
	Path       = interaction.DevicePath
	DecidePath = Path + "/decide"
	SwitchPath = Path + "/switch"
	QRPath     = Path + "/qr"
)

const (
	life       = 10 * time.Minute // of a device code and its user code: RFC 8628 section 3.2, expires_in
	interval   = 5 * time.Second  // between two polls
	perAddress = 20               // pending at one time
)

// Options is what the endpoint and the pages work with.
type Options struct {
	Store        Store
	Clients      *clientauth.Authenticator
	Issuer       *issue.Issuer
	Sessions     *session.Sessions
	Interactions *interaction.Interactions
	Pages        *web.Pages
	Logos        *logos.Logos
	Record       audit.Recorder // of guesses that are refused
	Base         string         // path of the issuer
	Now          func() time.Time
}

// Endpoint is the device authorization endpoint, and the pages.
type Endpoint struct {
	Options
	guesses *guesses
}

// New returns the endpoint of a provider. What is counted of guesses goes on where after, the one in whose place it comes, is not nil.
func New(o Options, after *Endpoint) *Endpoint {
	e := &Endpoint{Options: o, guesses: newGuesses()}
	if after != nil {
		e.guesses = after.guesses
	}
	return e
}

// Authorization is the answer to a device: RFC 8628 section 3.2. Times are in seconds.
type Authorization struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	// Complete has the user code in it, so that a person need not type it. It is short: devices show it as a QR code.
	Complete  string `json:"verification_uri_complete"`
	ExpiresIn int64  `json:"expires_in"`
	Interval  int64  `json:"interval"`
}

// Authorize answers a device authorization request: RFC 8628 section 3.1.
func (e *Endpoint) Authorize(w http.ResponseWriter, r *http.Request) error {
	client, p, err := e.Clients.ReadForm(w, r)
	if err != nil {
		return err
	}
	if !clients.Allows(client, clients.GrantDevice) {
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s", clients.GrantDevice)
	}
	grant, err := e.validate(r.Context(), client, p)
	if err != nil {
		return err
	}
	handle, err := e.begin(r, &grant)
	if err != nil {
		return err
	}
	at := strings.TrimSuffix(e.Issuer.Issuer, "/") + Path
	return oauth.WriteJSON(w, Authorization{
		DeviceCode: handle.String(), UserCode: show(grant.UserCode), VerificationURI: at, Complete: at + "?" + codeParam + "=" + show(grant.UserCode),
		ExpiresIn: int64(life / time.Second), Interval: int64(interval / time.Second),
	})
}

// begin stores a device authorization.
func (e *Endpoint) begin(r *http.Request, d *storage.DeviceGrant) (storage.Handle, error) {
	now := e.Now()
	h := storage.NewHandle(now.Add(life))
	d.ID, d.SecretHash, d.State, d.Interval, d.Created, d.Expires = h.ID, h.Hash(), storage.DevicePending, interval, now, now.Add(life)
	d.Address, d.UserAgent = trail.Network(trail.Of(r.Context()).Address), session.UserAgent(r)
	err := storage.ErrExists
	for range 3 { // among 34 bits that two are alike is rare, that four are is a fault
		if !errors.Is(err, storage.ErrExists) {
			break
		}
		d.UserCode = newCode()
		err = e.Store.BeginDevice(r.Context(), *d, perAddress)
	}
	if errors.Is(err, storage.ErrTooMany) {
		return h, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "too many devices of this network wait for their users, try again later",
			Cause: err, Status: http.StatusTooManyRequests, RetryAfter: time.Minute}
	}
	return h, err
}

// client is the one that a device authorization is of, if it may still have one: otherwise the zero one.
func (e *Endpoint) client(ctx context.Context, d storage.DeviceGrant) (storage.Client, error) {
	c, err := e.Store.Client(ctx, d.Client)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !clients.Allows(c, clients.GrantDevice) {
		return storage.Client{}, nil
	}
	return c, err
}
