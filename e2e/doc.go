// Package e2e looks at Signet from outside: with a real browser, with other people's client libraries, with kill -9. It has nothing but
// tests. What a single endpoint answers is tested beside it; here is what only the whole can show.
//
//	signin_test.go     people sign in with Chromium, at apps made with coreos/go-oidc and with zitadel/oidc
//	crosssite_test.go  form_post, a posted request, frames: what crosses sites, and what may not
//	session_test.go    an app's frame notices that somebody signed out, or cannot
//	signout_test.go    two apps, one password, one way out: through frames, which hold nobody up, and by the server
//	keyboard_test.go   without a mouse, and without JavaScript
//	account_test.go    a person ends at one browser what goes on at another
//	device_test.go     televisions made with x/oauth2 and zitadel/oidc, and the person who connects them
//	demo_test.go       signet dev: the demo app from the first page to Ctrl-C, and the README's pictures
//	rotation_test.go   keys rotate under load, and no verifier notices
//	crash_test.go      signet serve is killed under load, ten times: nothing acknowledged is lost, nothing spent comes back
//	notices_test.go    apps are told of logouts through everything: they are down, the server is killed, one of two nodes dies
//	race_test.go       twenty at once for one code, and for one refresh token
//	revocation_test.go an API in Python refuses a revoked access token within a minute, by the status list
//	nodes_test.go      three nodes on PostgreSQL: they are killed, it is killed, its standby takes over
//
// and below them
//
//	app_test.go        an app on another site than the provider, on either library
//	site_test.go       the program and apps, each a site of its own and over https
//	agent_test.go      a browser without a screen, for load
//	chromium_test.go   Chromium
//	signet_test.go     the built program as a process
//	cluster_test.go    nodes, who starts them again, a balancer, and a witness of every answer
//	workers_test.go    who uses them, and remembers what was acknowledged
//
// All of it runs with go test ./e2e. Parts of it:
//
//	go test ./e2e -short                    without the long ones: crash, nodes, rotation by schedule
//	go test ./e2e -run 'SignIn|SignOut|CrossSite|Frames|Keyboard|Script|Device|Demo'    what needs Chromium; skipped where there is none
//	go test ./e2e -run Crash -v             each round's counts; its first line has the seed of the pauses, for -seed
//	go test ./e2e -run Nodes -v -nodes 5m   as long; each fault once without -nodes. It prints what it did and saw
//	go test ./e2e -run "Demo|Account|SignOut|Device" -update    paints docs/images anew, and the phone's and the dark ones into -pictures DIR
//
// The provider listens on 127.0.0.1 and the apps are addressed as localhost: two sites to a browser. (Two ports of one host would
// be one.) Each app's callback sends the browser one hop further, to a third host, since Chromium holds the whole chain of redirects
// after a form against that page's form-action.
package e2e
