package storage

import (
	"context"
	"time"

	"signet/audit"
)

// DeviceGrant is one device authorization (RFC 8628 section 3.2): a device without a browser waits for its user to agree elsewhere. Its handle is
// the device code; the user code is what the user types.
type DeviceGrant struct {
	ID         ID          `json:"id"`
	SecretHash Hash        `json:"secret"`
	UserCode   string      `json:"user_code"` // as it is compared: capital letters, no hyphen
	Client     string      `json:"client"`
	Scopes     []string    `json:"scopes"`
	Resources  []string    `json:"resources,omitempty"`
	Access     []string    `json:"access,omitempty"`  // as of [Request]
	Address    string      `json:"address,omitempty"` // where it was asked for: what the limit counts, and what the user is shown
	UserAgent  string      `json:"user_agent,omitempty"`
	Created    time.Time   `json:"created"`
	Expires    time.Time   `json:"expires"`
	State      DeviceState `json:"state"`

	// Interval is what the device has to wait between two polls; Polled is when it last did.
	Interval time.Duration `json:"interval"`
	Polled   time.Time     `json:"polled,omitzero"`

	Authorization Authorization `json:"authorization,omitzero"` // of the user who agreed
	Withdrawn     uint32        `json:"withdrawn,omitempty"`    // as of [Code]
	Family        ID            `json:"family,omitempty"`       // what it was spent on
	Replayed      bool          `json:"replayed,omitempty"`     // it came again after that, and that is recorded
}

// DeviceState is how far a device authorization is.
type DeviceState string

// The states.
const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
	DeviceSpent    DeviceState = "spent"
)

// How the interval grows, and where it stops: RFC 8628 section 3.5, "slow_down".
const (
	DeviceSlowDown    = 5 * time.Second
	DeviceMaxInterval = time.Minute
)

// devicePollSlack is how much earlier than the interval a poll may come: clocks and networks jitter.
const devicePollSlack = 500 * time.Millisecond

// Poll decides what one poll of the device changes, and the answer: nil, and the row is spent, or the refusal. The secret was compared before.
func (d DeviceGrant) Poll(client string, now time.Time) (DeviceGrant, error) {
	switch {
	case d.Client != client: // RFC 8628 section 3.4, RFC 6749 section 5.2: "was issued to another client"
		return d, ErrOtherClient
	case d.State == DeviceSpent:
		return d, ErrSpent
	case !now.Before(d.Expires): // section 3.5, expired_token
		return d, ErrExpired
	case !d.Polled.IsZero() && now.Before(d.Polled.Add(d.Interval-devicePollSlack)): // section 3.5, slow_down: "the interval MUST be increased by 5 seconds"
		d.Interval = min(d.Interval+DeviceSlowDown, DeviceMaxInterval)
		return d, ErrSlowDown
	}
	d.Polled = now
	switch d.State {
	case DeviceDenied: // section 3.5, access_denied
		return d, ErrDenied
	case DeviceApproved:
		d.State = DeviceSpent
		return d, nil
	default: // section 3.5, authorization_pending
		return d, ErrPending
	}
}

// Devices holds the device authorizations that are under way.
type Devices interface {
	// BeginDevice stores d, and records it, with its address for an origin. Its user code is that of another one that has not expired: ErrExists. When
	// limit of d.Address, neither expired nor decided, are stored already: ErrTooMany.
	BeginDevice(ctx context.Context, d DeviceGrant, limit int) error
	// Device returns the one with this user code. Unknown: ErrNotFound; too old at now: ErrExpired; decided: ErrSpent.
	Device(ctx context.Context, userCode string, now time.Time) (DeviceGrant, error)
	// DecideDevice stores what the user decided. The session must be live and the user's epoch unchanged, otherwise ErrEnded or ErrExpired; a client
	// that was allowed takes part in the session from then on. An authorization for another client than the grant's: ErrOtherClient. Of concurrent
	// calls one succeeds; the others, and later ones, are refused as by Device.
	DecideDevice(ctx context.Context, d DeviceDecision) error
	// PollDevice does what [DeviceGrant.Poll] decides, in one commit. Where the user agreed, it spends the grant and stores the family that it turns
	// into, whose authorization is the grant's, if the user may still sign in and has not ended or withdrawn it (ErrEnded otherwise; without
	// offline_access the session must be live as well). Of concurrent calls one returns nil; a later one ends that family in its own commit and
	// returns ErrSpent, however often; the first is recorded. What it polled too early, or too late for the user's yes, leaves the yes as good as it
	// was. Unknown code or another secret: ErrNotFound, and nothing is written.
	PollDevice(ctx context.Context, p DevicePoll, f Family) (DevicePolled, error)
}

// DeviceDecision is what a user decided about a device.
type DeviceDecision struct {
	UserCode string
	Allow    bool
	// Authorization is what the user agreed to, or who declined.
	Authorization Authorization
	Idle          time.Duration // as of [Issue]
	Now           time.Time
	Origin        audit.Origin
}

// DevicePoll is one request of the device.
type DevicePoll struct {
	Code   Handle
	Client string // the one that calls
	// Resources are what the token is to be for: among what was asked for, or ErrTarget, and nothing is spent.
	Resources []string
	Now       time.Time
	Origin    audit.Origin
}

// DevicePolled is what a device authorization stood for, from the snapshot in which it was spent; of a refusal the grant alone.
type DevicePolled struct {
	Grant  DeviceGrant
	Family Family
	User   User
}
