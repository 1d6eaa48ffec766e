// Package account is the user's own pages: who they are here, where they are signed in, which apps have access, who signed in or tried to.
// What was begun in their name they can end.
//
//	GET  /account            the overview, and the way to another account of this browser
//	POST /account/switch     that way
//	     /account/password   changes the password, and ends everything else
//	     /account/sessions   ends one session, the others, or everything
//	     /account/apps       takes an app's access away
//	GET  /account/history    the last sign-ins, and attempts at them
//	GET  /account/ended      after an ending: how far the apps that took part have been told
//
// The pages are no client of ours. Whoever comes without a session signs in by an interaction without a request, which leads back
// (provider/interaction, own.go). They show the account that was chosen here last, otherwise the last used one. A form is of the account for
// which its page was made, whatever a second tab has chosen meanwhile.
//
// What changes something wants a sign-in that is not older than [Fresh]: a browser left open is not enough to lock its owner out. Each id
// in a form is looked for among what belongs to the user; any other is as good as none.
package account
