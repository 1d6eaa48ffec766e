package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"

	"signet/clients/keyset"
	"signet/configs"
	"signet/fetch"
	"signet/provider/assertion"
)

// declaredIssuer is an issuer whose assertions are taken, with what is in the files that its declaration names.
type declaredIssuer struct {
	assertion.Declaration
	set keyset.Set // of jwks_file
	ca  []byte     // of ca_file
}

// readIssuers makes records of the issuers that are trusted, with all faults at once.
func readIssuers(c configs.Config) (all []declaredIssuer, faults configs.Faults) {
	for _, one := range c.TrustedIssuers {
		r := reader{kind: "trusted_issuers", declared: one}
		d := declaredIssuer{Declaration: assertion.NewDeclaration(one.Name)}
		r.set(append(assertion.Fields.Names(), "subjects"), func(name string, values []string) error {
			return assertion.Fields.Set(&d.Declaration, name, values)
		})
		for _, entry := range one.Entries {
			rule := assertion.Rule{Subject: entry.Name}
			of := reader{kind: "trusted_issuers." + one.Name + ".subjects", declared: entry}
			of.set(assertion.RuleFields.Names(), func(name string, values []string) error { return assertion.RuleFields.Set(&rule, name, values) })
			of.rules(rule.Faults())
			d.Subjects, faults = append(d.Subjects, rule), append(faults, of.faults...)
		}
		r.rules(d.Faults(c.Issuer))
		r.issuerFiles(&d)
		all, faults = append(all, d), append(faults, r.faults...)
	}
	return all, faults
}

// issuerFiles reads the files that a declaration names.
func (r *reader) issuerFiles(d *declaredIssuer) {
	if d.JWKSFile != "" {
		raw, err := os.ReadFile(d.JWKSFile)
		if err == nil {
			if d.set, err = keyset.Parse(raw); err != nil {
				err = fmt.Errorf("%s %w", d.JWKSFile, err)
			}
		}
		if err != nil {
			r.fault("jwks_file", err.Error(), "name a JWK set of public keys that signet may read")
		}
	}
	if d.CAFile != "" {
		pem, err := os.ReadFile(d.CAFile)
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s holds no certificate", d.CAFile)
		}
		if err != nil {
			r.fault("ca_file", err.Error(), "name a file of certificates, in PEM, that signet may read")
		}
		d.ca = pem
	}
}

func sameIssuer(a, b declaredIssuer) bool { return reflect.DeepEqual(a, b) }

// trustedIssuer is an issuer with its keys, and the way to them.
type trustedIssuer struct {
	assertion.Issuer
	ca      []byte
	by      *fetch.Client // the way that is everybody's
	fetched *keyset.Keys  // nil: of a file
}

// trust makes the issuers of a configuration ready. What was fetched before of one's keys is kept where the way to them is the same.
func trust(cfg configured, pool *x509.CertPool, way *fetch.Client, before []trustedIssuer, log *slog.Logger) ([]trustedIssuer, error) {
	var all []trustedIssuer
	for _, d := range cfg.declared.issuers {
		t := trustedIssuer{Issuer: assertion.Issuer{Declaration: d.Declaration}, ca: d.ca, by: way}
		if d.JWKSURI == "" {
			t.Keys = assertion.Known{Set: d.set}
			all = append(all, t)
			continue
		}
		n := slices.IndexFunc(before, func(b trustedIssuer) bool {
			return b.fetched != nil && b.JWKSURI == d.JWKSURI && b.by == way && bytes.Equal(b.ca, d.ca)
		})
		if n >= 0 {
			t.fetched = before[n].fetched
		} else {
			by := way
			if d.ca != nil {
				own, err := withCertificates(pool, d.ca)
				if err != nil {
					return nil, fmt.Errorf("trusted_issuers: %s: ca_file: %w", d.Issuer, err)
				}
				by = fetch.New(fetch.Options{Allow: cfg.OutgoingAllow, CA: own, Log: log})
			}
			t.fetched = keyset.New(keyset.Options{Fetch: by, Log: log})
		}
		t.Keys = assertion.Fetched{Keys: t.fetched, URI: d.JWKSURI}
		all = append(all, t)
	}
	return all, nil
}

// withCertificates is pool, or the system's where there is none, and the certificates of a PEM file.
func withCertificates(pool *x509.CertPool, pem []byte) (*x509.CertPool, error) {
	if pool != nil {
		pool = pool.Clone()
	} else if system, err := x509.SystemCertPool(); err == nil {
		pool = system
	} else { // a machine that trusts nobody
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file holds no certificate")
	}
	return pool, nil
}

// issuersOf are the trusted issuers as the provider takes them.
func issuersOf(all []trustedIssuer) (issuers []assertion.Issuer) {
	for _, t := range all {
		issuers = append(issuers, t.Issuer)
	}
	return issuers
}
