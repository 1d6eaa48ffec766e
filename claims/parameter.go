package claims

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"signet/storage"
)

// Asked is the claims parameter: OpenID Connect Core 5.5.
type Asked struct {
	IDToken  Members `json:"id_token,omitempty"`
	Userinfo Members `json:"userinfo,omitempty"`
}

// Members are the claims that are asked for in one place, by name.
type Members map[string]Wanted

// Wanted is how one claim is asked for: Core 5.5.1. The zero value is JSON's null: voluntarily, with any value.
type Wanted struct {
	Essential bool              `json:"essential,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"` // any of these; value is the only one
}

// What a claims parameter may be.
const (
	maxParameter = 8 << 10 // bytes
	maxDepth     = 8       // of objects and arrays; a value may be one itself
	maxMembers   = 100     // claims in one place
	maxValues    = 50      // for one claim
)

// Parse reads a claims parameter. Members that are not understood are ignored, as Core 5.5 and 5.5.1 want it; those that are must be
// of the right type, and none may be there twice. The text of an error holds nothing that was sent.
func Parse(s string) (Asked, error) {
	if len(s) > maxParameter {
		return Asked{}, fmt.Errorf("it is longer than %d KiB", maxParameter>>10)
	}
	d := json.NewDecoder(strings.NewReader(s))
	if err := scan(d, maxDepth); err != nil {
		return Asked{}, err
	}
	if strings.TrimSpace(s[d.InputOffset():]) != "" {
		return Asked{}, errJSON
	}
	var top map[string]json.RawMessage // not a struct: encoding/json would take ID_TOKEN for id_token
	if json.Unmarshal([]byte(s), &top) != nil || top == nil {
		return Asked{}, errors.New("it is not a JSON object")
	}
	var a Asked
	var err error
	if a.IDToken, err = parseMembers(top, string(IDToken)); err != nil {
		return Asked{}, err
	}
	a.Userinfo, err = parseMembers(top, string(Userinfo))
	return a, err
}

var errJSON = errors.New("it is not JSON")

// scan goes through one value and refuses what two readers could understand in two ways.
func scan(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return errJSON
	}
	if token != json.Delim('{') && token != json.Delim('[') {
		return nil
	}
	if depth == 0 {
		return errors.New("it is nested too deeply")
	}
	seen := map[string]bool{}
	for d.More() {
		if token == json.Delim('{') {
			key, err := d.Token()
			name, ok := key.(string)
			switch {
			case err != nil || !ok:
				return errJSON
			case seen[name]:
				return errors.New("it has a member twice")
			}
			seen[name] = true
		}
		if err := scan(d, depth-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

func parseMembers(top map[string]json.RawMessage, place string) (Members, error) {
	raw, ok := top[place]
	if !ok {
		return nil, nil
	}
	var names map[string]json.RawMessage
	switch {
	case json.Unmarshal(raw, &names) != nil || names == nil:
		return nil, fmt.Errorf("its member %s is not an object", place)
	case len(names) > maxMembers:
		return nil, fmt.Errorf("its member %s has more than %d claims", place, maxMembers)
	}
	m := Members{}
	for name, raw := range names {
		w, err := parseWanted(raw)
		if err != nil {
			return nil, fmt.Errorf("in its member %s, %w", place, err)
		}
		m[name] = w
	}
	return m, nil
}

// parseWanted: Core 5.5.1.
func parseWanted(raw json.RawMessage) (Wanted, error) {
	var w Wanted
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return w, errors.New("a claim is neither null nor an object")
	}
	if essential, ok := members["essential"]; ok && (string(essential) == "null" || json.Unmarshal(essential, &w.Essential) != nil) {
		return w, errors.New("essential is neither true nor false")
	}
	if values, ok := members["values"]; ok {
		if json.Unmarshal(values, &w.Values) != nil || len(w.Values) == 0 || len(w.Values) > maxValues {
			return w, fmt.Errorf("values is not an array of 1 to %d values", maxValues)
		}
	}
	if value, ok := members["value"]; ok {
		if w.Values != nil {
			return w, errors.New("a claim has both value and values")
		}
		w.Values = []json.RawMessage{value}
	}
	return w, nil
}

// Matches says whether v is a value that is wanted. A claim that is asked for with a value says either that or nothing: Core 5.5.1.
func (w Wanted) Matches(v any) bool {
	if len(w.Values) == 0 {
		return true
	}
	own, err := json.Marshal(v)
	return err == nil && slices.ContainsFunc(w.Values, func(raw json.RawMessage) bool { return equal(own, raw) })
}

// equal compares two values as JSON, whatever their spelling.
func equal(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// Texts are the wanted values where all are strings; ok is false where one is not.
func (w Wanted) Texts() (texts []string, ok bool) {
	for _, raw := range w.Values {
		var s string
		if string(raw) == "null" || json.Unmarshal(raw, &s) != nil {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, true
}

// Subject is the user that the claims parameter names, as the client knows them (Core 5.5.1: "can be used to specify that the request
// apply to the End-User with Subject Identifier"); "" for any.
func (a Asked) Subject() (string, error) {
	subject := ""
	for _, m := range []Members{a.IDToken, a.Userinfo} {
		texts, ok := m["sub"].Texts()
		switch {
		case !ok || len(texts) > 1:
			return "", errors.New("sub takes one value, a string")
		case len(texts) == 0:
		case subject != "" && subject != texts[0]:
			return "", errors.New("it names two different sub")
		default:
			subject = texts[0]
		}
	}
	return subject, nil
}

// ACR are the values of which acr has to be one: Core 5.5.1.1. None, unless it is essential and has values.
func (a Asked) ACR() ([]string, error) {
	texts, ok := a.IDToken["acr"].Texts()
	if !ok {
		return nil, errors.New("acr takes values that are strings")
	}
	if !a.IDToken["acr"].Essential {
		return nil, nil
	}
	return texts, nil
}

// In is what is asked for in the place.
func (a Asked) In(p Place) Members {
	switch p {
	case IDToken:
		return a.IDToken
	case Userinfo:
		return a.Userinfo
	}
	return nil
}

// Stored returns the parameter as a request and an authorization carry it; nil when nothing is asked for.
func (a Asked) Stored() json.RawMessage {
	if len(a.IDToken) == 0 && len(a.Userinfo) == 0 {
		return nil
	}
	raw, err := json.Marshal(a)
	if err != nil { // its parts were read as JSON
		return nil
	}
	return raw
}

// Read returns what [Asked.Stored] made. What is not that asks for nothing.
func Read(stored json.RawMessage) Asked {
	var a Asked
	if len(stored) == 0 || json.Unmarshal(stored, &a) != nil {
		return Asked{}
	}
	return a
}

// Known returns what of a concerns us and the client may have: claims of the catalogue, and those of the sign-in itself. The rest
// is left out, as Core 5.5 wants it of what is not understood, and what the client may not have is left out likewise.
func (c *Catalogue) Known(a Asked, client storage.Client) Asked {
	keep := func(p Place, m Members, own ...string) Members {
		kept := Members{}
		for name, w := range m {
			if d := c.claim(name); slices.Contains(own, name) || d != nil && d.askable(p, client) {
				kept[name] = w
			}
		}
		return kept
	}
	return Asked{IDToken: keep(IDToken, a.IDToken, "sub", "acr", "auth_time"), Userinfo: keep(Userinfo, a.Userinfo, "sub")}
}

// Beyond lists the claims about the user that are asked for and that none of the scopes stands for, in the order of the catalogue: what
// the user has to be asked for besides the scopes.
func (c *Catalogue) Beyond(a Asked, scopes []string) []string {
	var names []string
	for _, d := range c.claims {
		_, inToken := a.IDToken[d.name]
		_, inUserinfo := a.Userinfo[d.name]
		if (inToken || inUserinfo) && granted(d.scopes, scopes) == "" {
			names = append(names, d.name)
		}
	}
	return names
}
