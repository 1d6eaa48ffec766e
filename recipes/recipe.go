package recipes

import (
	"cmp"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"signet/fields"
	"signet/provider/oauth"
)

// Recipe is how one app is connected.
type Recipe struct {
	Name  string `yaml:"-"` // what the operator calls it: that of its file
	Title string `yaml:"title"`
	Docs  string `yaml:"docs"` // the app's own page about it
	// Subpath: the app can be below a path of its host.
	Subpath bool `yaml:"subpath"`
	// HTTPSIssuer: the app refuses an issuer that is not https.
	HTTPSIssuer bool        `yaml:"https_issuer"`
	Parameters  []Parameter `yaml:"parameters"`
	Client      Client      `yaml:"client"`
	Settings    []Setting   `yaml:"settings"`
	Notes       []string    `yaml:"notes"` // templates too, without the secret
}

// Parameter is what an operator can give beside the URL.
type Parameter struct {
	Name    string `yaml:"name" json:"name"`
	Help    string `yaml:"help" json:"help"`
	Default string `yaml:"default" json:"default,omitempty"` // empty: it must be given
	Form    string `yaml:"form" json:"form"`                 // FormName or FormPort
}

// The forms of parameters.
const (
	FormName = "name" // letters, digits and . _ -
	FormPort = "port"
)

// Client is what the app is registered as: templates of fields by the names of [signet/clients.Fields], over the defaults of the type.
type Client struct {
	Type   string
	Fields map[string][]string
}

// Setting is one block of text for the app.
type Setting struct {
	Where    string `yaml:"where" json:"where"`       // its file, or the place in its pages
	Language string `yaml:"language" json:"language"` // one of Languages
	Text     string `yaml:"text" json:"text"`
}

// Languages are what blocks can be written in; plain is for people, who type it in elsewhere.
var Languages = []string{"ini", "toml", "yaml", "json", "env", "shell", "plain"}

// Registration is a recipe with what the operator gave: the client that is to be registered.
type Registration struct {
	Recipe Recipe
	Type   string
	Fields map[string][]string

	values map[string]string
}

// Credentials are what the app signs people in with. An empty client id or secret stands in the text as CLIENT_ID and CLIENT_SECRET.
type Credentials struct{ Issuer, ClientID, ClientSecret string }

// Instructions is what the operator has to do at the app. It holds the secret.
type Instructions struct {
	Settings []Setting `json:"settings"`
	Notes    []string  `json:"notes,omitempty"`
	Warnings []string  `json:"warnings,omitempty"` // why it cannot work as it stands
}

// Fields that the faults of [Recipe.Register] name.
const (
	FieldURL   = "url"
	FieldParam = "param"
)

// Register fills the client's templates. Its faults are [*fields.Error] of FieldURL and FieldParam: what stands in somebody's configuration
// file, shell or page must be able to stand there as it is.
func (r Recipe) Register(app string, params map[string]string) (Registration, error) {
	var f fields.Faults
	f.Check(FieldURL, r.urlProblem(app))
	values := map[string]string{"url": strings.TrimSuffix(app, "/")}
	values["url_escaped"] = url.QueryEscape(values["url"])
	_, values["url_host"], _ = strings.Cut(values["url"], "://")
	for _, p := range r.Parameters {
		v := cmp.Or(params[p.Name], p.Default)
		f.CheckValue(FieldParam, v, p.problem(v))
		values[p.Name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.ContainsFunc(r.Parameters, func(p Parameter) bool { return p.Name == name }) {
			f.CheckValue(FieldParam, name, fields.Quote(name)+" is none of "+r.Name+"; "+r.parameterNames())
		}
	}
	if err := f.Err(); err != nil {
		return Registration{}, err
	}
	g := Registration{Recipe: r, Type: r.Client.Type, Fields: map[string][]string{}, values: values}
	for name, templates := range r.Client.Fields {
		g.Fields[name] = fillAll(templates, values)
	}
	return g, nil
}

func (r Recipe) parameterNames() string {
	if len(r.Parameters) == 0 {
		return "it has no parameters"
	}
	var names []string
	for _, p := range r.Parameters {
		names = append(names, p.Name)
	}
	return "it has " + strings.Join(names, ", ")
}

var (
	plainURL  = regexp.MustCompile(`^https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~-]+)*/?$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
)

func (r Recipe) urlProblem(app string) string {
	u, problem := fields.WebURL(app)
	switch {
	case app == "":
		return "is missing; it is where people open " + r.Title
	case problem != "":
		return problem
	case strings.ContainsAny(app, "?#"):
		return fields.Quote(app) + " has a query or a fragment; leave out what begins with ? or #"
	case u.Scheme == "http" && !fields.Loopback(u):
		return fields.Quote(app) + " is not encrypted; use https (http is for 127.0.0.1, [::1] and localhost)"
	case !plainURL.MatchString(app):
		return fields.Quote(app) + " has something other than letters, digits and . _ ~ - between single slashes"
	case strings.Trim(u.Path, "/") != "" && !r.Subpath:
		return fields.Quote(app) + " has a path, below which " + r.Title + " cannot be"
	}
	return ""
}

func (p Parameter) problem(v string) string {
	switch {
	case v == "":
		return p.Name + " is missing: " + p.Help
	case p.Form == FormPort && !fields.Port(":"+v):
		return p.Name + " is a port, 1 to 65535, and not " + fields.Quote(v)
	case p.Form == FormName && !plainName.MatchString(v):
		return p.Name + " is letters, digits and . _ -, and not " + fields.Quote(v)
	}
	return ""
}

// Instructions fills what the app reads.
func (g Registration) Instructions(c Credentials) Instructions {
	values := g.shown(c)
	var in Instructions
	for _, s := range g.Recipe.Settings {
		in.Settings = append(in.Settings, Setting{Where: fill(s.Where, values), Language: s.Language, Text: fill(s.Text, values)})
	}
	in.Notes = fillAll(g.Recipe.Notes, values)
	if g.Recipe.HTTPSIssuer && !strings.HasPrefix(c.Issuer, "https://") {
		in.Warnings = append(in.Warnings, g.Recipe.Title+" refuses an issuer that is not https, and this one is "+c.Issuer)
	}
	return in
}

func (g Registration) shown(c Credentials) map[string]string {
	base := strings.TrimSuffix(c.Issuer, "/")
	values := map[string]string{}
	maps.Copy(values, g.values)
	maps.Copy(values, map[string]string{
		"issuer":                 c.Issuer,
		"discovery":              base + oauth.OpenIDConfigurationPath,
		"authorization_endpoint": base + oauth.AuthorizePath,
		"token_endpoint":         base + oauth.TokenPath,
		"userinfo_endpoint":      base + oauth.UserinfoPath,
		"end_session_endpoint":   base + oauth.LogoutPath,
		"client_id":              cmp.Or(c.ClientID, "CLIENT_ID"),
		"client_secret":          cmp.Or(c.ClientSecret, "CLIENT_SECRET"),
	})
	return values
}

// variable is a place in a template that is filled.
var variable = regexp.MustCompile(`<[a-z][a-z_]*>`)

// fill puts values into a template whose variables are all known: see check.
func fill(template string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(template, func(v string) string { return values[strings.Trim(v, "<>")] })
}

func fillAll(templates []string, values map[string]string) []string {
	var filled []string
	for _, t := range templates {
		filled = append(filled, fill(t, values))
	}
	return filled
}
