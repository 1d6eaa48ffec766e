// Package oauth holds the protocol's words that every endpoint uses: the error answer, the parameters of a request, the JSON
// writer, the paths.
//
// Reading is strict where leniency has been somebody's vulnerability: a form comes by POST in the body alone, a name is compared
// with regard to case, nothing comes twice, percent-encoding is whole.
package oauth
