package metadata

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

// Member is one member of client metadata: OpenID Connect Registration 2, RFC 7591 section 2, Front-Channel Logout 1.0
// section 2, Back-Channel Logout 1.0 section 2.2.
type Member struct {
	Name  string // in JSON
	Field string // in the tables of fields
	form  form
}

// form is the JSON type of a member. read returns its values as the tables of fields take them, and what is wrong; write is its inverse.
type form struct {
	read  func(json.RawMessage) (values []string, problem string)
	write func(values []string) any // nil: nothing is to be said
}

var (
	text    = form{readText, writeText}
	texts   = form{readTexts, writeTexts}
	words   = form{readWords, writeWords}
	flag    = form{readFlag, writeFlag}
	seconds = form{readSeconds, writeSeconds}
	keys    = form{readKeys, writeKeys}
)

// Members are all that we know, in the order in which faults are told. application_type and software_statement are read before them.
var Members = []Member{
	{"redirect_uris", "redirect_uris", texts},
	{"client_name", "client_name", text},
	{"response_types", "response_types", texts},
	{"grant_types", "grant_types", texts},
	{"scope", "scopes", words},
	{"token_endpoint_auth_method", "token_endpoint_auth_method", text},
	{"token_endpoint_auth_signing_alg", "token_endpoint_auth_signing_alg", text},
	{"jwks", "jwks", keys},
	{"jwks_uri", "jwks_uri", text},
	{"subject_type", "subject_type", text},
	{"sector_identifier_uri", "sector_identifier_uri", text},
	{"id_token_signed_response_alg", "id_token_signed_response_alg", text},
	{"id_token_encrypted_response_alg", "id_token_encrypted_response_alg", text},
	{"id_token_encrypted_response_enc", "id_token_encrypted_response_enc", text},
	{"userinfo_signed_response_alg", "userinfo_signed_response_alg", text},
	{"userinfo_encrypted_response_alg", "userinfo_encrypted_response_alg", text},
	{"userinfo_encrypted_response_enc", "userinfo_encrypted_response_enc", text},
	{"request_object_signing_alg", "request_object_signing_alg", text},
	{"request_object_encryption_alg", "request_object_encryption_alg", text},
	{"request_object_encryption_enc", "request_object_encryption_enc", text},
	{"request_uris", "request_uris", texts},
	{"default_max_age", "default_max_age", seconds},
	{"require_auth_time", "require_auth_time", flag},
	{"default_acr_values", "default_acr_values", texts},
	{"initiate_login_uri", "initiate_login_uri", text},
	{"post_logout_redirect_uris", "post_logout_redirect_uris", texts},
	{"frontchannel_logout_uri", "frontchannel_logout_uri", text},
	{"frontchannel_logout_session_required", "frontchannel_logout_session_required", flag},
	{"backchannel_logout_uri", "backchannel_logout_uri", text},
	{"backchannel_logout_session_required", "backchannel_logout_session_required", flag},
	{"client_uri", "client_uri", text},
	{"logo_uri", "logo_uri", text},
	{"policy_uri", "policy_uri", text},
	{"tos_uri", "tos_uri", text},
	{"contacts", "contacts", texts},
	{"software_id", "software_id", text},
	{"software_version", "software_version", text},
	{"id_token_claims", "id_token_claims", text}, // an extension of ours
}

// table is what can be set: what operators set too, and what only an app says of itself.
var table = append(slices.Clone(clients.Fields),
	fields.String("software_id", "", func(c *storage.Client) *string { return &c.SoftwareID }),
	fields.String("software_version", "", func(c *storage.Client) *string { return &c.SoftwareVersion }),
)

// Get returns what c has, as it stands in JSON; nil where nothing is to be said.
func (m Member) Get(c storage.Client) any {
	i := slices.IndexFunc(table, func(f fields.Field[storage.Client]) bool { return f.Name == m.Field })
	if i < 0 {
		return nil
	}
	return m.form.write(table[i].Get(&c))
}

func readText(raw json.RawMessage) ([]string, string) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, "must be a string"
	}
	return []string{s}, ""
}

func writeText(values []string) any {
	if len(values) == 0 || values[0] == "" {
		return nil
	}
	return values[0]
}

func readTexts(raw json.RawMessage) ([]string, string) {
	var all []*string
	if json.Unmarshal(raw, &all) != nil {
		return nil, "must be an array of strings"
	}
	values := make([]string, len(all))
	for i, s := range all {
		if s == nil {
			return nil, "must be an array of strings"
		}
		if *s == "" {
			return nil, "has an empty string"
		}
		values[i] = *s
	}
	return values, ""
}

func writeTexts(values []string) any {
	if len(values) == 0 {
		return nil
	}
	return values
}

// readWords: RFC 7591 section 2, scope: "a space-separated list".
func readWords(raw json.RawMessage) ([]string, string) {
	values, problem := readText(raw)
	if problem != "" {
		return nil, "must be a string, with spaces between the values"
	}
	var all []string
	for word := range strings.SplitSeq(values[0], " ") {
		if word != "" && !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return all, ""
}

func writeWords(values []string) any { return writeText([]string{strings.Join(values, " ")}) }

func readFlag(raw json.RawMessage) ([]string, string) {
	var b bool
	if json.Unmarshal(raw, &b) != nil {
		return nil, "must be true or false"
	}
	return []string{strconv.FormatBool(b)}, ""
}

func writeFlag(values []string) any { return slices.Contains(values, "true") }

func readSeconds(raw json.RawMessage) ([]string, string) {
	n, err := strconv.ParseUint(string(raw), 10, 31)
	if err != nil {
		return nil, "must be a number of seconds, 0 or more"
	}
	return []string{strconv.FormatUint(n, 10)}, ""
}

func writeSeconds(values []string) any {
	if len(values) == 0 || values[0] == "" {
		return nil
	}
	return json.Number(values[0])
}

// readKeys: a JWK Set, RFC 7517 section 5. What the keys must be is for the rules to say.
func readKeys(raw json.RawMessage) ([]string, string) {
	var set map[string]json.RawMessage
	if json.Unmarshal(raw, &set) != nil {
		return nil, "must be a JWK Set: an object"
	}
	return []string{string(raw)}, ""
}

func writeKeys(values []string) any {
	if len(values) == 0 || values[0] == "" {
		return nil
	}
	return json.RawMessage(values[0])
}
