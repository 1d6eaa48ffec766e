package session

import "slices"

// ACRPassword is the acr of a session that a password began.
const ACRPassword = "pwd"

// ACRs are the values of acr that a session can have, the weakest first: OpenID Connect Core 2.
func ACRs() []string { return []string{ACRPassword} }

// Reaches reports whether a sign-in can have this acr.
func Reaches(acr string) bool { return slices.Contains(ACRs(), acr) }
