// Package device signs people in to what has no browser: a television, a command line on a server (RFC 8628).
//
//	POST /device_authorization   the device asks, and shows its user a code of eight letters
//	GET  /device                 that user, in a browser elsewhere, types it
//	POST /device                 and sees what they are about to allow
//	POST /device/decide          and decides
//	POST /device/switch          as another account, first
//	GET  /device/qr              the way to the page as a picture, for devices that show one
//
// Meanwhile the device polls the token endpoint (provider/token, device.go). A device authorization is pending until its user has decided or ten
// minutes are over, then approved or denied; its tokens are given out once.
//
// What this flow invites is remote phishing (section 5.4): somebody begins it on a device of theirs and sends the code to a person who trusts
// the name of this server. So no address does anything but fill in the code, everybody is asked each time, trusted clients' users too, and
// nothing of it is remembered as consent: an id is all that it takes to pose as a public client. The page says for whom it asks, since when and
// from where, and has people compare the code.
//
// The code is short, since people type it, so guesses at it are counted (guesses.go): a code is looked up for people who are signed in alone.
package device
