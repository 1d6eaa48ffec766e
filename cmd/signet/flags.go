package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/fields"
	"signet/provider/admin"
)

// The flags of add and set are the fields of the table that the configuration file uses too: --redirect-uri is redirect_uris.

// shortFlags are the fields whose flag is not simply their name.
var shortFlags = map[string]string{
	"client_name":                     "name",
	"token_endpoint_auth_method":      "auth-method",
	"token_endpoint_auth_signing_alg": "auth-signing-alg",
	"id_token_signed_response_alg":    "id-token-alg",
	"access":                          "access", // which is no plural
	"access_token_alg":                "alg",
	"access_token_typ":                "typ",
	"access_token_lifetime":           "lifetime",
}

// fieldAnnotation ties a flag to its field.
const fieldAnnotation = "field"

func flagOf[T any](f fields.Field[T]) string {
	if short, ok := shortFlags[f.Name]; ok {
		return short
	}
	name := strings.NewReplacer("_", "-", ".", "-").Replace(f.Name)
	if f.Many { // given once for each value
		name = strings.TrimSuffix(name, "s")
	}
	return name
}

// fieldValue collects what a field is to be set to.
type fieldValue struct {
	values []string
	many   bool
	arg    string // what the help calls the value; "": it is a switch
}

func (v *fieldValue) String() string { return "" }

// Type is the value's name in the help; for "bool" it shows none.
func (v *fieldValue) Type() string {
	if v.arg == "" {
		return "bool"
	}
	return v.arg
}

func (v *fieldValue) Set(s string) error {
	if !v.many {
		v.values = nil
	}
	v.values = append(v.values, s)
	return nil
}

// fieldFlags adds a flag for each field of table, except those left out, and returns what was given.
func fieldFlags[T any](cmd *cobra.Command, table fields.Table[T], leaveOut ...string) func() admin.Fields {
	cmd.Flags().SortFlags = false // the table has the order in which people want to read it
	given := map[string]*fieldValue{}
	var zero T
	for _, f := range table {
		if slices.Contains(leaveOut, f.Name) {
			continue
		}
		v := &fieldValue{many: f.Many, arg: argOf(f, &zero)}
		given[f.Name] = v
		name := flagOf(f)
		help := strings.TrimPrefix(f.Help, "true: ") // a switch says what it does when it is given
		if help == "" {
			help = "the claim " + f.Name
		}
		if f.Many {
			help += " (may be repeated)"
		}
		flag := cmd.Flags().VarPF(v, name, "", help)
		flag.Annotations = map[string][]string{fieldAnnotation: {f.Name}}
		if v.arg == "" {
			flag.NoOptDefVal = "true"
		}
	}
	return func() admin.Fields {
		set := admin.Fields{}
		for name, v := range given {
			if v.values != nil {
				set[name] = v.values
			}
		}
		return set
	}
}

// argOf is what the help calls a field's value.
func argOf[T any](f fields.Field[T], zero *T) string {
	if now := f.Get(zero); len(now) == 1 && now[0] == "false" {
		return ""
	}
	switch {
	case strings.HasSuffix(f.Name, "uris"), strings.HasSuffix(f.Name, "_uri"):
		return "URI"
	case f.Name == "email", f.Name == "contacts":
		return "ADDRESS"
	case strings.HasSuffix(f.Name, "_age"):
		return "SECONDS"
	case f.Name == "access", f.Name == "resources", f.Name == "default_resource":
		return "URL"
	case strings.HasSuffix(f.Name, "_lifetime"):
		return "DURATION"
	}
	return "VALUE"
}

// flagNames writes a refusal in the words of who typed the command: by flags, not by fields.
func flagNames(cmd *cobra.Command, err error) string {
	var answer *admin.Error
	if !errors.As(err, &answer) {
		return err.Error()
	}
	flags := map[string]string{"client_name": "NAME", "username": "NAME", "type": "TYPE", "resource": "URL"}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, field := range f.Annotations[fieldAnnotation] {
			flags[field] = "--" + f.Name
		}
	})
	lines := make([]string, len(answer.Problems))
	for i, p := range answer.Problems {
		if flag, ok := flags[p.Field]; ok {
			p.Field = flag
		}
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
