// Package metadata reads what apps say of themselves in JSON, be it sent to the registration endpoint (RFC 7591) or published at their
// client id (OAuth Client ID Metadata Document).
//
// members.go is the table of members that we understand. Each is a field of [clients.Fields], read strictly by its JSON type; the rules
// for its value are those of [clients.Validate], which operators are held to as well. A member that we do not know is ignored.
package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"signet/fields"
	"signet/storage"
)

// Object is the members of a JSON object that have a value.
type Object map[string]json.RawMessage

// What is wrong with text that is no Object.
var (
	errNoObject = errors.New("is not one JSON object")
	errNoText   = errors.New("is not UTF-8 text")
	errTwice    = errors.New("has a member twice")
)

// Parse reads one JSON object. Names are compared with regard to case, and none may come twice: which of the two counts is what two readers
// never agree about. A member that is null counts as left out (RFC 7592 section 2.2). An error completes a sentence: "the body …".
func Parse(text []byte) (Object, error) {
	if !utf8.Valid(text) {
		return nil, errNoText
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNoObject
	}
	o, seen := Object{}, map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errNoObject
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errNoObject
		}
		key := name.(string) // the decoder allows nothing else there
		if seen[key] {
			return nil, errTwice
		}
		seen[key] = true
		if string(value) != "null" {
			o[key] = value
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNoObject
	}
	return o, nil
}

// Set sets the fields of c that o has members for, and reports those that cannot be read. An empty value is as good as none.
func (o Object) Set(f *fields.Faults, c *storage.Client) {
	for _, m := range Members {
		raw, ok := o[m.Name]
		if !ok {
			continue
		}
		values, problem := m.form.read(raw)
		switch {
		case problem != "":
			f.Check(m.Field, problem)
			continue
		case len(values) == 1 && values[0] == "":
			continue
		}
		if err := table.Set(c, m.Field, values); err != nil {
			*f = append(*f, err)
		}
	}
}

// Text is a member that others depend on, or preset where it is not there; a fault of it is reported if f is not nil.
func (o Object) Text(f *fields.Faults, name, preset string) string {
	raw, ok := o[name]
	if !ok {
		return preset
	}
	values, problem := readText(raw)
	switch {
	case problem == "" && values[0] != "":
		return values[0]
	case problem != "" && f != nil:
		f.Check(name, problem)
	}
	return preset
}

// Texts reads an array of strings, none of them empty. A problem completes a sentence: "… must be".
func Texts(raw json.RawMessage) (values []string, problem string) { return readTexts(raw) }
