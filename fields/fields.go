// Package fields is what the rules of clients, users and resources have in common: how a fault is reported, how one field is
// set by its name, and the forms of text, URLs and scopes.
//
// Rules report all faults at once. Each is an [Error] that names the field as the command line and the configuration file
// write it, and says what to do, so that the one who set it can repair it without reading code.
//
// What a record lets people set is one [Table] per record. Commands, configuration file and documentation are made from it and
// cannot disagree.
package fields

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is one fault of one field.
type Error struct {
	Field   string // as in the table
	Problem string // what is wrong and what to do; holds no secret
	Value   string // the one of several that is at fault; "": the field as a whole
}

func (e *Error) Error() string { return e.Field + ": " + e.Problem }

// Faults collects what is wrong with a record.
type Faults []error

// Add reports a fault.
func (f *Faults) Add(field, format string, args ...any) {
	*f = append(*f, &Error{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// Check reports a problem that one of the forms of this package found; "" is none.
func (f *Faults) Check(field, problem string) {
	if problem != "" {
		f.Add(field, "%s", problem)
	}
}

// CheckValue is Check for one value of several.
func (f *Faults) CheckValue(field, value, problem string) {
	if problem != "" {
		*f = append(*f, &Error{Field: field, Problem: problem, Value: value})
	}
}

// OneOf reports a value that is not among those allowed.
func (f *Faults) OneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.CheckValue(field, value, fmt.Sprintf("%s is not possible here; use %s", Quote(value), strings.Join(allowed, " or ")))
	}
}

// Err is nil, or all faults joined.
func (f Faults) Err() error { return errors.Join(f...) }

// Field is one field that can be set by name.
type Field[T any] struct {
	Name string
	Many bool   // takes any number of values
	Help string // one line for people
	Set  func(record *T, values []string) error
	Get  func(record *T) []string
}

// Table is what of a T can be set by name, in the order in which people want to read it.
type Table[T any] []Field[T]

// Names lists the fields.
func (t Table[T]) Names() []string {
	names := make([]string, len(t))
	for i, f := range t {
		names[i] = f.Name
	}
	return names
}

// Set sets the named field of record. It checks that the values can be read as what the field holds; the record's own rules
// check the rest. Its errors are [*Error].
func (t Table[T]) Set(record *T, name string, values []string) error {
	for _, f := range t {
		if f.Name != name {
			continue
		}
		if !f.Many && len(values) != 1 {
			return &Error{Field: name, Problem: fmt.Sprintf("takes one value, not %d", len(values))}
		}
		err := f.Set(record, values)
		if _, told := errors.AsType[*Error](err); err == nil || told { // of each value by itself
			return err
		}
		return &Error{Field: name, Problem: err.Error()}
	}
	return &Error{Field: name, Problem: "is not a field; the fields are " + strings.Join(t.Names(), ", ")}
}

// Diff lists the fields in which a and b differ.
func (t Table[T]) Diff(a, b T) []string {
	var names []string
	for _, f := range t {
		if !slices.Equal(f.Get(&a), f.Get(&b)) {
			names = append(names, f.Name)
		}
	}
	return names
}

// String is a field of one text; the empty value clears it.
func String[T any](name, help string, at func(*T) *string) Field[T] {
	return Field[T]{
		Name: name, Help: help,
		Set: func(r *T, values []string) error { *at(r) = values[0]; return nil },
		Get: func(r *T) []string { return []string{*at(r)} },
	}
}

// Bool is a field of true or false.
func Bool[T any](name, help string, at func(*T) *bool) Field[T] {
	return Field[T]{
		Name: name, Help: help,
		Set: func(r *T, values []string) error {
			switch values[0] {
			case "true":
				*at(r) = true
			case "false":
				*at(r) = false
			default:
				return errors.New("is true or false")
			}
			return nil
		},
		Get: func(r *T) []string { return []string{strconv.FormatBool(*at(r))} },
	}
}

// List is a field of any number of texts; no value, or one empty value, clears it.
func List[T any](name, help string, at func(*T) *[]string) Field[T] {
	return Field[T]{
		Name: name, Help: help, Many: true,
		Set: func(r *T, values []string) error {
			*at(r) = nil
			if len(values) != 1 || values[0] != "" {
				*at(r) = slices.Clone(values)
			}
			return nil
		},
		Get: func(r *T) []string { return *at(r) },
	}
}

// Words is a List whose values hold no space, so that they may also be given the OAuth way, as one text with spaces between.
func Words[T any](name, help string, at func(*T) *[]string) Field[T] {
	f := List(name, help, at)
	f.Set = func(r *T, values []string) error {
		*at(r) = strings.Fields(strings.Join(values, " "))
		return nil
	}
	return f
}
