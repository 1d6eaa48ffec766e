// Package conformance holds the provider to the modules of the OpenID Foundation's certification plans, one test for each. It has
// nothing but tests, and they know the provider only as a relying party does: by its discovery document, over HTTP. Browser, client and
// checks are of their own (net/http and go-jose); from here they take only [signet/provider/providertest], to have something to talk to, and
// [signet/provider/admin] for what an operator does.
//
//	plan_test.go      a plan: which modules, in which variants; running them; what became of them
//	plans_test.go     the plans of the Foundation, and one test for each
//	modules_test.go   the modules, by their names in the Foundation's suite
//	dynamic_test.go   those that only clients who register themselves have
//	logout_test.go    those of the logout plans
//	session_test.go   those of session management
//	offered_test.go   the discovery document against what is done, setting by setting
//	flow_test.go      one authorization from the request to UserInfo, with what the suite checks of each
//	check_test.go     what is checked of keys, tokens and claims
//	provider_test.go  the provider under test, and how a client comes to be registered with it
//	site_test.go      a client's own server and keys
//	browser_test.go   a browser without script
//	table_test.go     docs/conformance.md
//
// All of it runs with go test ./conformance. With -update it writes the table of docs/conformance.md anew; without, it fails when the table
// does not say what became of the modules. A module's test is at TestOIDCCBasic/code/oidcc-server and the like.
//
// What the suite warns of is a failure here: no warning is wanted. Where the suite wants a person to look at a page, the test looks for what
// the person would.
package conformance
