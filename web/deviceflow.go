package web

import "time"

// DeviceCode asks for the code that a device shows: RFC 8628 section 3.3. Field "user_code".
type DeviceCode struct {
	DeviceFor
	Code    string        // prefilled
	Problem Text          // what was wrong with the last one, as a sentence
	Wait    time.Duration // how long none is taken; says so in place of Problem
}

func (DeviceCode) template() string { return "device-code" }

// DeviceConsent asks whether the device that shows the code may have what it asks for: button "decision" with "allow" or "deny".
type DeviceConsent struct {
	DeviceFor
	Code       string // to compare with what the device shows
	Client     App
	Registered bool      // by itself: nobody vouches for it
	Asked      time.Time // when, and from which address
	Address    string
	Elsewhere  bool // that is in another network than this browser
	Scopes     []ScopeLine
	APIs       []API
	Offline    bool
}

func (DeviceConsent) template() string { return "device-consent" }

// DeviceDone says that the person has decided.
type DeviceDone struct {
	Allowed bool
	Client  App
	Page    string // path of the person's own pages
}

func (DeviceDone) template() string { return "device-done" }
func (DeviceDone) policy() policy   { return policy{} }

// DeviceFor says in whose name a device is about to be connected. Buttons "to", which go to Switch: the Key of another account, or "" for one
// that is not signed in.
type DeviceFor struct {
	Action  string
	Switch  string
	Account string
	Page    string // path of the person's own pages
	Others  []AccountChoice
}

// policy is that of both pages that ask: their forms come back to us.
func (DeviceFor) policy() policy { return policy{ownForms: true} }
