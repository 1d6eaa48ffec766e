// Package login asks the browser: which account, who are you, and may this app.
//
//	GET  /choose    the accounts that are signed in at this browser
//	POST /choose    one of them, and back to /authorize/continue
//	GET  /signin    the sign-in page
//	POST /signin    user name and password; a new session, and back to /authorize/continue
//	GET  /consent   the consent page; its answer goes to /authorize/continue, which alone writes to clients
//
// Each page belongs to an interaction, and so to one browser; none of them decides what comes next. The forms are protected
// twice against being posted by another site: the interaction's cookie is SameSite=Lax, and net/http.CrossOriginProtection
// refuses what a browser marks as cross-origin.
package login
