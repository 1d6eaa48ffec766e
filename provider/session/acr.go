package session

import "slices"

// ACRPassword is the acr of a session that a password began.
const ACRPassword = "pwd"

// ACRs are the values of acr that a session can have, the weakest first: OpenID Connect Core 2.
func ACRs() []string { return []string{ACRPassword} }

// StepsUp reports whether a sign-in can reach one of the acr values that are asked for where a session of acr reaches none: RFC 9470
// section 5. What no sign-in has cannot be reached, and does no harm: the values are voluntary (Core 3.1.2.1), and tokens say what there is.
func StepsUp(acr string, asked []string) bool {
	has, reachable := slices.Index(ACRs(), acr), false
	for _, v := range asked {
		wants := slices.Index(ACRs(), v)
		if wants >= 0 && wants <= has || v == acr {
			return false
		}
		reachable = reachable || wants >= 0
	}
	return reachable
}

// Reaches reports whether a sign-in can have this acr.
func Reaches(acr string) bool { return slices.Contains(ACRs(), acr) }
