package configs

import (
	"reflect"
	"slices"
)

// Changed names what differs between two configurations that were loaded, in the order of the table: settings, and the lists of
// declarations. Values that are written in another way are the same.
func Changed(before, after Config) []string {
	names := []string{}
	fresh := Default()
	for _, s := range table(&fresh) {
		if differs(s.name, before, after) {
			names = append(names, s.name)
		}
	}
	for _, list := range []struct {
		name          string
		before, after []Declared
	}{
		{scopesKey, before.Scopes, after.Scopes}, {claimsKey, before.Claims, after.Claims},
		{resourcesKey, before.Resources, after.Resources}, {trustedIssuersKey, before.TrustedIssuers, after.TrustedIssuers}, {clientsKey, before.Clients, after.Clients}, {usersKey, before.Users, after.Users},
	} {
		if !slices.EqualFunc(list.before, list.after, sameDeclared) {
			names = append(names, list.name)
		}
	}
	return names
}

// Fixed are the faults of a configuration that a server which runs with before cannot take on: what is wrong with each is that it
// changed.
func Fixed(before, after Config) Faults {
	var faults Faults
	fresh := Default()
	for _, s := range table(&fresh) {
		if s.fixed && differs(s.name, before, after) {
			faults = append(faults, fixed(s.name, before, after))
		}
	}
	if (before.TLSCert == "") != (after.TLSCert == "") {
		faults = append(faults, fixed("tls_cert", before, after))
	}
	faults.Sort()
	return faults
}

// fixed says it where the setting stands now, or where it stood.
func fixed(name string, before, after Config) Fault {
	place := after.Place(name)
	if place == (Place{}) {
		place = before.Place(name)
	}
	return Fault{Place: place, Key: name, Problem: "a running server cannot change it", Fix: "restart the server, or put back what it was"}
}

// differs compares what a setting comes to.
func differs(name string, before, after Config) bool {
	was, wasSet := before.values[name]
	is, isSet := after.values[name]
	if !wasSet && !isSet || wasSet && isSet && slices.Equal(was, is) {
		return false
	}
	return !reflect.DeepEqual(alone(name, was, wasSet), alone(name, is, isSet))
}

// alone is the default configuration with one setting.
func alone(name string, values []string, set bool) Config {
	c := Default()
	for _, s := range table(&c) {
		if set && s.name == name {
			_ = s.into(values) // it was good when it was loaded
		}
	}
	return c
}

// sameDeclared compares what is declared, wherever it stands.
func sameDeclared(a, b Declared) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Entries, b.Entries, sameDeclared) && slices.EqualFunc(a.Fields, b.Fields, func(a, b Field) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) })
}
