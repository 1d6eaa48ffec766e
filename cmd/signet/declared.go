package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"signet/audit"
	"signet/claims"
	"signet/clients"
	"signet/configs"
	"signet/fields"
	"signet/resources"
	"signet/storage"
	"signet/users"
)

// declared is what the file declares, held to the rules of the rooms.
type declared struct {
	catalogue *claims.Catalogue
	resources []storage.Resource
	issuers   []declaredIssuer
	clients   []storage.Client
	users     []declaredUser
}

type declaredUser struct {
	storage.User
	password string // of password_file, to be hashed when it is not the one that is stored
}

// readDeclared makes records of the declarations, with all faults at once.
func readDeclared(c configs.Config) (declared, configs.Faults) {
	var all declared
	var faults configs.Faults
	all.catalogue, faults = readClaims(c)
	var scopes []string
	for _, s := range c.Scopes {
		scopes = append(scopes, s.Name)
	}
	for _, d := range c.Resources {
		r := reader{kind: "resources", declared: d}
		resource := r.resource(c, scopes)
		all.resources, faults = append(all.resources, resource), append(faults, r.faults...)
	}
	var issuerFaults configs.Faults
	all.issuers, issuerFaults = readIssuers(c)
	faults = append(faults, issuerFaults...)
	for _, d := range c.Clients {
		r := reader{kind: "clients", declared: d}
		client := r.client(c.Keys.Algorithms, scopes)
		r.rules(clients.Decryptable(client, c.EncryptedRequests))
		all.clients, faults = append(all.clients, client), append(faults, r.faults...)
	}
	for _, d := range c.Users {
		r := reader{kind: "users", declared: d}
		user := r.user()
		all.users, faults = append(all.users, user), append(faults, r.faults...)
	}
	return all, faults
}

// readClaims makes the catalogue of the declared scopes and claims; nil if they have faults.
func readClaims(c configs.Config) (*claims.Catalogue, configs.Faults) {
	var d claims.Declarations
	var readers []*reader
	for _, one := range c.Scopes {
		s := claims.Scope{Name: one.Name}
		r := &reader{kind: "scopes", declared: one}
		r.set(claims.ScopeFields.Names(), func(name string, values []string) error { return claims.ScopeFields.Set(&s, name, values) })
		d.Scopes, readers = append(d.Scopes, s), append(readers, r)
	}
	for _, one := range c.Claims {
		m := claims.Mapping{Name: one.Name}
		r := &reader{kind: "claims", declared: one}
		r.set(claims.MappingFields.Names(), func(name string, values []string) error { return claims.MappingFields.Set(&m, name, values) })
		d.Claims, readers = append(d.Claims, m), append(readers, r)
	}
	var faults configs.Faults
	for i, r := range readers {
		if i < len(d.Scopes) {
			r.rules(d.ScopeFaults(i))
		} else {
			r.rules(d.ClaimFaults(i - len(d.Scopes)))
		}
		faults = append(faults, r.faults...)
	}
	if faults != nil {
		return nil, faults
	}
	catalogue, err := d.Catalogue()
	if err != nil {
		return nil, configs.Faults{{Key: "claims", Problem: err.Error()}}
	}
	return catalogue, nil
}

// reader makes one record.
type reader struct {
	kind     string
	declared configs.Declared
	faults   configs.Faults
}

// fault reports what is wrong with a field, at its line, or at the entry's where the field is missing.
func (r *reader) fault(field, problem, fix string) { r.faultOf(field, "", problem, fix) }

// faultOf is fault for one value of a list, at the value's line.
func (r *reader) faultOf(field, value, problem, fix string) {
	place := r.declared.Place
	for _, f := range r.declared.Fields {
		if f.Name != field {
			continue
		}
		place = f.Place
		if i := slices.Index(f.Values, value); value != "" && i >= 0 {
			place = f.Places[i]
		}
	}
	r.faults = append(r.faults, configs.Fault{Place: place, Key: r.kind + "." + r.declared.Name + "." + field, Problem: problem, Fix: fix})
}

// rules reports the faults that a room's rules found. Those of fields that could not be set are not reported twice.
func (r *reader) rules(err error) {
	before := r.faults
	for _, e := range flatten(err) {
		f, ok := errors.AsType[*fields.Error](e)
		if !ok {
			r.fault("", e.Error(), "")
			continue
		}
		if !told(before, f.Field) {
			r.faultOf(f.Field, f.Value, f.Problem, "")
		}
	}
}

// told reports whether a fault of a field is among those that are known. The lines that a secret can come from are all the secret's.
func told(known configs.Faults, field string) bool {
	names := []string{field}
	if field == "client_secret" {
		names = append(names, "secret", "secret_file", "secret_hash")
	}
	return slices.ContainsFunc(known, func(f configs.Fault) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(f.Key, "."+name) })
	})
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// one is the value of a field that the tables do not have; "" if it is not there.
func (r *reader) one(field string) string {
	for _, f := range r.declared.Fields {
		if f.Name == field {
			if len(f.Values) != 1 || f.Values[0] == "" {
				r.fault(field, "takes one value", "write one, or leave the line out")
				return ""
			}
			return f.Values[0]
		}
	}
	return ""
}

// set sets the fields of a table; own are those that the caller reads.
func (r *reader) set(names []string, set func(name string, values []string) error, own ...string) {
	for _, f := range r.declared.Fields {
		switch {
		case slices.Contains(own, f.Name):
		case len(own) > 0 && (f.Name == "secret" || f.Name == "client_secret" || f.Name == "password"):
			r.fault(f.Name, "a secret does not stand in this file", "use "+strings.Join(own[len(own)-2:], " or "))
		case !slices.Contains(names, f.Name):
			fix := "known here: " + strings.Join(append(slices.Clone(own), names...), ", ")
			if near := configs.Nearest(f.Name, append(slices.Clone(own), names...)); near != "" {
				fix = "did you mean " + near + "?"
			}
			r.fault(f.Name, "no such field", fix)
		default:
			r.rules(set(f.Name, f.Values))
		}
	}
}

// builtIn is the resource of whoever names none, as the settings have it.
func builtIn(c configs.Config) storage.Resource {
	return resources.Default(c.AccessTokens.Algorithm, c.AccessTokens.Typ, c.Lifetimes.AccessToken, c.AccessTokens.Claims)
}

func (r *reader) resource(c configs.Config, scopes []string) storage.Resource {
	res := resources.New(r.declared.Name, builtIn(c), time.Time{})
	res.Origin = storage.OriginFile
	r.set(resources.Fields.Names(), func(name string, values []string) error { return resources.Set(&res, name, values) })
	if !r.names("claims") {
		resources.Settle(storage.Resource{}, &res)
	}
	r.rules(errors.Join(resources.Validate(res), resources.Server{Issuer: c.Issuer, Algs: c.Keys.OfRing(), Scopes: scopes}.Check(res)))
	return res
}

// names reports whether the file has a line for a field.
func (r *reader) names(field string) bool {
	return slices.ContainsFunc(r.declared.Fields, func(f configs.Field) bool { return f.Name == field })
}

func (r *reader) client(algs, scopes []string) storage.Client {
	name, typ := r.declared.Name, r.one("type")
	c, err := clients.New(typ, name, time.Time{})
	c.ID, c.Origin = name, storage.OriginFile
	switch {
	case typ == "" && len(r.faults) == 0:
		r.fault("type", "is missing", "write type: web (on a server), spa (in a browser), native (on a phone or desktop) or service (acts for itself)")
	case err != nil:
		r.rules(err)
	}
	r.set(clients.Fields.Names(), func(name string, values []string) error { return clients.Set(&c, name, values) },
		"type", "secret_file", "secret_hash")
	if !r.names("default_resource") {
		c.DefaultResource = clients.OnlyResource(c)
	}
	c.SecretHash = r.secret(c)
	if clients.SealsSecret(c) {
		r.sealed(c)
		c.SealedSecret = []byte{} // that there is none has been said
	}
	if typ != "" && err == nil {
		r.rules(errors.Join(clients.Validate(c, scopes...), clients.Signable(c, algs)))
	}
	return c
}

// sealed refuses what needs a secret that we can read again: one from a file is not kept, its hash is.
func (r *reader) sealed(c storage.Client) {
	for _, s := range []struct{ field, value, sealing, instead string }{
		{"token_endpoint_auth_method", c.TokenEndpointAuthMethod, clients.AuthSecretJWT, clients.AuthKeyJWT},
		{"id_token_signed_response_alg", c.IDTokenAlg, clients.AlgHS256, "RS256"},
		{"userinfo_signed_response_alg", c.UserinfoAlg, clients.AlgHS256, "RS256"},
	} {
		if s.value == s.sealing {
			r.fault(s.field, s.value+" has a secret that is made and sealed here, and none from a file", "use "+s.instead+", or signet client add")
		}
	}
}

// secret is the hash of a client's secret, from where the file says.
func (r *reader) secret(c storage.Client) (hash storage.Hash) {
	file, hexHash := r.one("secret_file"), r.one("secret_hash")
	switch {
	case file != "" && hexHash != "":
		r.fault("secret_hash", "stands beside secret_file", "keep one of the two")
	case hexHash != "":
		b, err := hex.DecodeString(hexHash)
		if err != nil || len(b) != len(hash) {
			r.fault("secret_hash", "is not a SHA-256 in hex", `make it with: printf %s "$SECRET" | sha256sum`)
			return hash
		}
		copy(hash[:], b)
	case file != "":
		secret, ok := r.file("secret_file", file)
		if ok && (len(secret) < 32 || !lettersAndDigits(secret)) {
			r.fault("secret_file", "does not hold 32 or more letters and digits", "make one with: openssl rand -hex 32 > "+file)
			return hash
		}
		if ok {
			hash = storage.HashOf([]byte(secret))
		}
	case clients.NeedsSecret(c) && !told(r.faults, "client_secret"):
		r.fault("client_secret", "is missing", "name a file that holds it by secret_file, or write its hash as secret_hash")
	}
	return hash
}

func lettersAndDigits(s string) bool {
	return strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// file reads a secret from a file, without the newline that ends it.
func (r *reader) file(field, path string) (string, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		r.fault(field, err.Error(), "name a file that signet may read")
		return "", false
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), true
}

func (r *reader) user() declaredUser {
	u, err := users.New(r.declared.Name, time.Time{})
	u.Origin = storage.OriginFile
	r.rules(err)
	r.set(users.Fields.Names(), func(name string, values []string) error { return users.Set(&u, name, values) },
		"password_file", "password_hash")
	if !r.names("email_verified") {
		u.EmailVerified = u.Email != "" // the operator vouches for it
	}
	d := declaredUser{User: u}
	file := r.one("password_file")
	d.PasswordHash = r.one("password_hash")
	switch {
	case file != "" && d.PasswordHash != "":
		r.fault("password_hash", "stands beside password_file", "keep one of the two")
	case file != "":
		d.password, _ = r.file("password_file", file)
	}
	if err == nil {
		r.rules(users.Validate(d.User))
	}
	return d
}

// byFile is whoever wrote the file, in the audit log.
func byFile(now time.Time, detail string) storage.Change {
	return storage.Change{Now: now, Origin: audit.Origin{Actor: "file"}, Detail: detail}
}

// apply brings the store to what the file declares. What a command added under a declared name is the file's from then on. A client or a user
// whom the file no longer declares is put out of use and left to the commands: ids are never given twice, so removing a client for a line
// that was lost would be for ever. A resource, whose id is its own address, is removed.
func (d declared) apply(ctx context.Context, store storage.Store, now time.Time, log *slog.Logger) error {
	if err := d.applyResources(ctx, store, now, log); err != nil {
		return fmt.Errorf("the declared resources: %w", err)
	}
	if err := d.applyClients(ctx, store, now, log); err != nil {
		return fmt.Errorf("the declared clients: %w", err)
	}
	if err := d.applyUsers(ctx, store, now, log); err != nil {
		return fmt.Errorf("the declared users: %w", err)
	}
	return nil
}

// fits refuses what apply would: all of it, as far as it can be known before.
func (d declared) fits(ctx context.Context, store storage.Users) error {
	var faults []error
	for _, want := range d.users {
		for _, login := range []string{want.Name, want.Email} {
			have, err := store.UserByLogin(ctx, login)
			switch {
			case login == "" || errors.Is(err, storage.ErrNotFound):
			case err != nil:
				return err
			case storage.LoginKey(have.Name) == storage.LoginKey(want.Name):
			case login == want.Name:
				faults = append(faults, fmt.Errorf("the declared users: %s: this is the address of another user, %s; choose another name", want.Name, have.Name))
			default:
				faults = append(faults, fmt.Errorf("the declared users: %s: another user, %s, has this address; choose another", want.Name, have.Name))
			}
		}
	}
	return errors.Join(faults...)
}

func (d declared) applyResources(ctx context.Context, store storage.Resources, now time.Time, log *slog.Logger) error {
	all, err := store.Resources(ctx)
	if err != nil {
		return err
	}
	for _, want := range d.resources {
		i := slices.IndexFunc(all, func(r storage.Resource) bool { return r.ID == want.ID })
		saved, err := resources.Ensure(ctx, store, want, byFile(now, "declared"))
		if err != nil {
			return fmt.Errorf("%s: %w", want.ID, err)
		}
		if i < 0 || all[i].Revision != saved.Revision {
			log.Info("resource taken from the file", "resource", want.ID)
		}
	}
	for _, r := range all {
		declared := slices.ContainsFunc(d.resources, func(want storage.Resource) bool { return want.ID == r.ID })
		if r.Origin != storage.OriginFile || declared {
			continue
		}
		if err := store.RemoveResource(ctx, r.ID, byFile(now, "no longer declared")); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		log.Warn("resource is no longer in the file and was removed", "resource", r.ID)
	}
	return nil
}

func (d declared) applyClients(ctx context.Context, store storage.Store, now time.Time, log *slog.Logger) error {
	wanted := map[string]bool{}
	apis, err := store.Resources(ctx)
	if err != nil {
		return err
	}
	for _, want := range d.clients {
		for _, what := range resources.Missing(want, apis) {
			log.Warn("declared client: "+what, "client", want.ID)
		}
		wanted[want.ID] = true
		have, err := store.Client(ctx, want.ID)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			want.Created = now
		case err != nil:
			return err
		case sameClient(have, want):
			continue
		default:
			want.Revision, want.Created = have.Revision, have.Created
		}
		want.Updated = now
		if _, err := store.SaveClient(ctx, want, byFile(now, "declared")); err != nil {
			return fmt.Errorf("%s: %w", want.ID, removedID(err))
		}
		log.Info("client taken from the file", "client", want.ID)
	}
	all, err := store.Clients(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Origin != storage.OriginFile || wanted[c.ID] {
			continue
		}
		c.Origin, c.Updated = storage.OriginOperator, now
		c.SecretHash, c.RedirectURIs, c.PostLogoutRedirectURIs, c.GrantTypes, c.ResponseTypes = storage.Hash{}, nil, nil, nil, nil
		c.JWKS, c.JWKSURI, c.FrontchannelLogoutURI, c.BackchannelLogoutURI = nil, "", "", ""
		if _, err := store.SaveClient(ctx, c, byFile(now, "no longer declared")); err != nil {
			return fmt.Errorf("%s: %w", c.ID, err)
		}
		log.Warn("client is no longer in the file and was put out of use; declare it again, or remove it with signet client remove", "client", c.ID)
	}
	return nil
}

// removedID explains the refusal of an id that a removed client had.
func removedID(err error) error {
	if errors.Is(err, storage.ErrExists) {
		return explain(err, "a client that was removed had this id, and tokens of it may still be about; choose another")
	}
	return err
}

func sameResource(a, b storage.Resource) bool { return len(resources.Fields.Diff(a, b)) == 0 }

func sameClient(a, b storage.Client) bool {
	return a.Origin == b.Origin && a.Type == b.Type && a.SecretHash == b.SecretHash && a.ApplicationType == b.ApplicationType &&
		len(clients.Fields.Diff(a, b)) == 0
}

func (d declared) applyUsers(ctx context.Context, store storage.Store, now time.Time, log *slog.Logger) error {
	wanted := map[string]bool{}
	for _, u := range d.users {
		want := u.User
		wanted[storage.LoginKey(want.Name)] = true
		have, err := store.UserByLogin(ctx, want.Name)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			want.Created = now
		case err != nil:
			return err
		case storage.LoginKey(have.Name) != storage.LoginKey(want.Name):
			return fmt.Errorf("%s: this is the address of another user, %s; choose another name", want.Name, have.Name)
		default:
			want.Sub, want.Revision, want.Created, want.Epoch = have.Sub, have.Revision, have.Created, have.Epoch
		}
		if u.password != "" {
			if want.PasswordHash, err = hashOf(u.password, have.PasswordHash); err != nil {
				return fmt.Errorf("%s: %w", want.Name, err)
			}
		}
		if want.Revision > 0 && sameUser(have, want) {
			continue
		}
		want.Updated = now
		if _, err := store.SaveUser(ctx, want, false, byFile(now, "declared")); err != nil {
			return fmt.Errorf("%s: %w", want.Name, err)
		}
		log.Info("user taken from the file", "user", want.Sub)
	}
	all, err := store.DeclaredUsers(ctx)
	if err != nil {
		return err
	}
	for _, u := range all {
		if wanted[storage.LoginKey(u.Name)] {
			continue
		}
		u.Origin, u.Disabled, u.Updated = storage.OriginOperator, true, now
		if _, err := store.SaveUser(ctx, u, true, byFile(now, "no longer declared")); err != nil {
			return fmt.Errorf("%s: %w", u.Name, err)
		}
		log.Warn("user is no longer in the file and was disabled; declare them again, or remove them with signet user remove", "user", u.Sub)
	}
	return nil
}

// hashOf returns the hash of a declared password: the stored one while it fits, since a new one would sign the user out.
func hashOf(password, stored string) (string, error) {
	if stored != "" && users.Matches(stored, password) && !users.NeedsRehash(stored) {
		return stored, nil
	}
	return users.HashPassword(password)
}

// sameDeclaredUser compares what two readings of the file declare.
func sameDeclaredUser(a, b declaredUser) bool {
	return a.password == b.password && sameUser(a.User, b.User)
}

func sameUser(a, b storage.User) bool {
	return a.Origin == b.Origin && a.PasswordHash == b.PasswordHash && len(users.Fields.Diff(a, b)) == 0
}
