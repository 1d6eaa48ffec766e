package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sources is what Load reads, the strongest last.
type Sources struct {
	File  string              // path; "": no file
	Env   []string            // NAME=value, as os.Environ returns it; others' variables are skipped, a variable without a value counts as absent
	Flags map[string][]string // by the setting's name
}

// fileLimit is far beyond any configuration, and well within memory.
const fileLimit = 16 << 20

// Load reads the configuration. Its error is Faults: all that is wrong, in the order of the file. The Config beside it is what
// could be read, so that the caller can add what is wrong with the declarations.
func Load(s Sources) (Config, error) {
	if s.File == "" {
		return parse("", nil, s.Env, s.Flags)
	}
	content, err := readFile(s.File)
	if err != nil {
		return Default(), Faults{{Place: Place{File: s.File}, Problem: err.Error(), Fix: "name a readable file with --config"}}
	}
	return parse(s.File, content, s.Env, s.Flags)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(content) > fileLimit {
		return nil, errors.New("the file is larger than 16 MiB")
	}
	return content, nil
}

// reason leaves out the path, which stands in front of every fault.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func parse(file string, content []byte, env []string, flags map[string][]string) (Config, error) {
	c := Default()
	l := &loader{source: File{Path: file}, config: &c, settings: table(&c), places: map[string]Place{}, elements: map[string][]Place{}, bad: map[string]bool{}}
	l.readFile(content)
	l.readEnv(env)
	l.readFlags(flags)
	l.set()
	l.check()
	c.places, c.values = l.places, l.values
	faults := l.source.Faults
	if len(faults) == 0 {
		return c, nil
	}
	faults.Sort()
	return c, faults
}

// loader gathers values from all sources before it sets any, so that a bad value that is overridden does no harm and is not
// even looked at twice.
type loader struct {
	source   File // holds all faults, those of other sources too
	config   *Config
	settings []setting
	values   map[string][]string
	places   map[string]Place
	elements map[string][]Place // where each value of a list stands, if it came from the file
	bad      map[string]bool    // settings with a fault
}

func (l *loader) fault(p Place, key, problem, fix string) {
	l.source.Fault(p, key, problem, fix)
}

// take keeps the values that a source has for a setting. elements are the places of the values, where they differ from p.
func (l *loader) take(name string, values []string, p Place, elements ...Place) {
	if l.values == nil {
		l.values = map[string][]string{}
	}
	l.values[name], l.places[name], l.elements[name] = values, p, elements
	delete(l.bad, name) // of a weaker source
}

func (l *loader) set() {
	for _, s := range l.settings {
		values, ok := l.values[s.name]
		if !ok {
			continue
		}
		for _, err := range split(s.into(values)) {
			l.bad[s.name] = true
			place := l.places[s.name]
			if e, ok := errors.AsType[elementError](err); ok && l.elements[s.name] != nil {
				place = l.elements[s.name][e.index]
			}
			problem, fix, _ := strings.Cut(err.Error(), "; ")
			l.fault(place, s.name, problem, fix)
		}
	}
}

// split takes apart what errors.Join joined.
func split(err error) []error {
	switch joined, ok := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case ok:
		return joined.Unwrap()
	}
	return []error{err}
}

func (l *loader) readEnv(env []string) {
	names := map[string]string{}
	for _, s := range l.settings {
		names[Env(s.name)] = s.name
	}
	for _, e := range env {
		variable, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(variable, "SIGNET_") || value == "" || variable == "SIGNET_CONFIG" {
			continue
		}
		name, ok := names[variable]
		if !ok {
			l.fault(Place{Name: variable}, "", "no such setting", didYouMeanEnv(variable, names))
			continue
		}
		l.take(name, l.commas(name, []string{value}), Place{Name: variable})
	}
}

func didYouMeanEnv(variable string, names map[string]string) string {
	var known []string
	for v := range names {
		known = append(known, strings.ToLower(strings.TrimPrefix(v, "SIGNET_")))
	}
	slices.Sort(known)
	if near := Nearest(strings.TrimPrefix(variable, "SIGNET_"), known); near != "" { // what all have in common makes none near
		return "did you mean SIGNET_" + strings.ToUpper(near) + "?"
	}
	return "unset it; variables that begin with SIGNET_ are ours"
}

func (l *loader) readFlags(flags map[string][]string) {
	for name, values := range flags {
		l.take(name, l.commas(name, values), Place{Name: "--" + strings.ReplaceAll(name, "_", "-")})
	}
}

// commas separates the list that the environment and flags write with commas.
func (l *loader) commas(name string, values []string) []string {
	i := slices.IndexFunc(l.settings, func(s setting) bool { return s.name == name })
	if i < 0 || !l.settings[i].list {
		return values
	}
	var list []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(part))
		}
	}
	return list
}

func (l *loader) readFile(content []byte) {
	if root := l.source.Root(content); root != nil {
		l.section("", root)
	}
}

func (l *loader) at(n *yaml.Node) Place { return l.source.At(n) }

// The keys of the file that are lists of declarations.
const (
	scopesKey    = "scopes"
	claimsKey    = "claims"
	clientsKey   = "clients"
	usersKey     = "users"
	resourcesKey = "resources"

	trustedIssuersKey = "trusted_issuers"
	subjectsKey       = "subjects" // of a trusted issuer
)

// section reads a mapping whose settings begin with prefix: "" or "lifetimes.".
func (l *loader) section(prefix string, n *yaml.Node) {
	for key, value := range l.pairs(strings.TrimSuffix(prefix, "."), n) {
		name := prefix + key.Value
		switch {
		case prefix == "" && name == scopesKey:
			l.config.Scopes = l.declarations(name, "name", value)
		case prefix == "" && name == claimsKey:
			l.config.Claims = l.declarations(name, "name", value)
		case prefix == "" && name == trustedIssuersKey:
			l.config.TrustedIssuers = l.declarations(name, "issuer", value)
		case prefix == "" && name == clientsKey:
			l.config.Clients = l.declarations(name, "id", value)
		case prefix == "" && name == usersKey:
			l.config.Users = l.declarations(name, "username", value)
		case prefix == "" && name == resourcesKey:
			l.config.Resources = l.declarations(name, "id", value)
		case l.isSection(name):
			if value.Kind != yaml.MappingNode {
				l.fault(l.at(key), name, "a section without settings", "indent its settings below it, or leave it out")
				continue
			}
			l.section(name+".", value)
		case slices.ContainsFunc(l.settings, func(s setting) bool { return s.name == name }):
			if values, places, ok := l.scalars(name, value); ok {
				l.take(name, values, l.at(key), places...)
			} else {
				l.bad[name] = true
			}
		default:
			l.fault(l.at(key), name, "no such setting", didYouMean(key.Value, l.siblings(prefix)))
		}
	}
}

func (l *loader) isSection(name string) bool {
	return slices.ContainsFunc(l.settings, func(s setting) bool { return strings.HasPrefix(s.name, name+".") })
}

// siblings are the keys that a section knows.
func (l *loader) siblings(prefix string) []string {
	var keys []string
	for _, s := range l.settings {
		if rest, ok := strings.CutPrefix(s.name, prefix); ok {
			first, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(keys, first) {
				keys = append(keys, first)
			}
		}
	}
	if prefix == "" {
		keys = append(keys, scopesKey, claimsKey, resourcesKey, trustedIssuersKey, clientsKey, usersKey)
	}
	return keys
}

// pairs and scalars read the file: [File.Pairs], [File.Scalars].
func (l *loader) pairs(section string, n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return l.source.Pairs(section, n)
}

func (l *loader) scalars(name string, n *yaml.Node) (values []string, places []Place, ok bool) {
	return l.source.Scalars(name, n, !l.isSingle(name))
}

func (l *loader) isSingle(name string) bool {
	i := slices.IndexFunc(l.settings, func(s setting) bool { return s.name == name })
	return i >= 0 && !l.settings[i].list
}

// declarations reads a list of what is declared, each entry named by its field nameKey.
func (l *loader) declarations(list, nameKey string, n *yaml.Node) []Declared {
	if n.Kind != yaml.SequenceNode {
		l.fault(l.at(n), list, "not a list", "begin each entry with a dash, as in \"- "+nameKey+": …\"")
		return nil
	}
	var all []Declared
	lines := map[string]int{}
	for _, entry := range n.Content {
		d, ok := l.declared(list, nameKey, entry)
		if !ok {
			continue
		}
		if first, twice := lines[d.Name]; twice {
			l.fault(d.Place, list, fmt.Sprintf("%s is declared already, on line %d", d.Name, first), "remove one of the two")
		} else {
			lines[d.Name] = d.Place.Line
		}
		all = append(all, d)
	}
	return all
}

func (l *loader) declared(list, nameKey string, n *yaml.Node) (Declared, bool) {
	d := Declared{Place: l.at(n)}
	if n.Kind != yaml.MappingNode {
		l.fault(l.at(n), list, "an entry without fields", "begin it with "+nameKey+": and indent its other fields below")
		return d, false
	}
	for key, value := range l.pairs(list, n) {
		if list == trustedIssuersKey && key.Value == subjectsKey {
			d.Entries = l.declarations(list+"."+subjectsKey, "subject", value)
			continue
		}
		values, places, ok := l.scalars(list+"."+key.Value, value)
		if !ok {
			continue
		}
		if key.Value != nameKey {
			d.Fields = append(d.Fields, Field{key.Value, values, l.at(key), places})
			continue
		}
		if value.Kind != yaml.ScalarNode || values[0] == "" {
			l.fault(l.at(key), list+"."+nameKey, "takes one name", "write it after the colon")
			return d, false
		}
		d.Name, d.Place = values[0], l.at(key)
	}
	if d.Name == "" {
		l.fault(l.at(n), list, "an entry without "+nameKey, "give it one: it is how the entry is found again")
		return d, false
	}
	return d, true
}
