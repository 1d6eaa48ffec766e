package recipes

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"signet/clients"
	"signet/fields"
)

//go:embed *.yaml
var files embed.FS

// All are the recipes, in the order of their names.
var All = sync.OnceValue(func() []Recipe {
	all, err := Load(files)
	if err != nil {
		panic(err) // they are embedded, and tested
	}
	return all
})

// Find returns the recipe of the name.
func Find(name string) (Recipe, bool) {
	i := slices.IndexFunc(All(), func(r Recipe) bool { return r.Name == name })
	if i < 0 {
		return Recipe{}, false
	}
	return All()[i], true
}

// Load reads the recipes of a folder. What it does not know is a fault, and so is a recipe that could not be filled.
func Load(folder fs.FS) ([]Recipe, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Recipe
	for _, name := range names {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		r, err := parse(strings.TrimSuffix(path.Base(name), ".yaml"), content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Recipe) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func parse(name string, content []byte) (Recipe, error) {
	r := Recipe{Name: name}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&r); err != nil {
		return r, err
	}
	for i := range r.Parameters {
		if r.Parameters[i].Form == "" {
			r.Parameters[i].Form = FormName
		}
	}
	return r, r.check()
}

// UnmarshalYAML reads the type and fields side by side, as a client is declared in the configuration file.
func (c *Client) UnmarshalYAML(node *yaml.Node) error {
	var all map[string]list
	if err := node.Decode(&all); err != nil {
		return err
	}
	c.Fields = map[string][]string{}
	for name, values := range all {
		c.Fields[name] = values
	}
	if typ := c.Fields["type"]; len(typ) == 1 {
		c.Type = typ[0]
		delete(c.Fields, "type")
	}
	return nil
}

// list is one text or several.
type list []string

func (l *list) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = list{node.Value}
		return nil
	}
	var many []string
	err := node.Decode(&many)
	*l = many
	return err
}

var parameterName = regexp.MustCompile(`^[a-z][a-z_]*$`)

// check finds what would only be noticed when an operator uses the recipe.
func (r Recipe) check() error {
	var f fields.Faults
	f.Check("title", fields.Text(r.Title, 60))
	if _, problem := fields.WebURL(r.Docs); problem != "" || !strings.HasPrefix(r.Docs, "https://") {
		f.Add("docs", "is not the https address of the app's page")
	}
	f.OneOf("client", r.Client.Type, clients.Web, clients.SPA, clients.Native, clients.Service)
	for _, name := range slices.Sorted(maps.Keys(r.Client.Fields)) {
		if name == "client_name" || !slices.Contains(clients.Fields.Names(), name) {
			f.CheckValue("client", name, fields.Quote(name)+" is not a field that a recipe sets")
		}
	}
	if len(r.Settings) == 0 {
		f.Add("settings", "are missing")
	}
	for _, s := range r.Settings {
		f.OneOf("language", s.Language, Languages...)
		f.Check("where", fields.Text(s.Where, 200))
	}
	r.checkParameters(&f)
	r.checkVariables(&f)
	return f.Err()
}

func (r Recipe) checkParameters(f *fields.Faults) {
	taken := Registration{}.shown(Credentials{})
	for i, p := range r.Parameters {
		_, known := taken[p.Name]
		switch {
		case !parameterName.MatchString(p.Name), known, strings.HasPrefix(p.Name, "url"):
			f.Add("parameters", "%s cannot be called that", fields.Quote(p.Name))
		case slices.ContainsFunc(r.Parameters[:i], func(o Parameter) bool { return o.Name == p.Name }):
			f.Add("parameters", "%s is there twice", p.Name)
		case !strings.Contains(r.templates(), "<"+p.Name+">"):
			f.Add("parameters", "%s is not used", p.Name)
		case p.Default != "":
			f.Check("parameters", p.problem(p.Default))
		}
		f.Check("parameters", fields.Text(p.Help, 200))
		f.OneOf("parameters", p.Form, FormName, FormPort)
	}
}

// checkVariables: a client is registered before it has an id, and only what the app reads may hold the secret.
func (r Recipe) checkVariables(f *fields.Faults) {
	known := map[string]string{"url": "", "url_escaped": "", "url_host": ""}
	for _, p := range r.Parameters {
		known[p.Name] = ""
	}
	for _, name := range slices.Sorted(maps.Keys(r.Client.Fields)) {
		unknown(f, name, known, r.Client.Fields[name]...)
	}
	known = Registration{values: known}.shown(Credentials{})
	for _, s := range r.Settings {
		unknown(f, "settings", known, s.Text)
	}
	delete(known, "client_secret")
	for _, s := range r.Settings {
		unknown(f, "where", known, s.Where)
	}
	unknown(f, "notes", known, r.Notes...)
}

func unknown(f *fields.Faults, where string, known map[string]string, templates ...string) {
	for _, t := range templates {
		for _, v := range variable.FindAllString(t, -1) {
			if _, ok := known[strings.Trim(v, "<>")]; !ok {
				f.CheckValue(where, v, v+" is not known here")
			}
		}
	}
}

// templates are all of them, to look something up in.
func (r Recipe) templates() string {
	var b strings.Builder
	for _, values := range r.Client.Fields {
		b.WriteString(strings.Join(values, "\n") + "\n")
	}
	for _, s := range r.Settings {
		b.WriteString(s.Where + "\n" + s.Text + "\n")
	}
	return b.String() + strings.Join(r.Notes, "\n")
}
