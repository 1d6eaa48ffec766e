package recipes

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

var update = flag.Bool("update", false, "write the golden files and the table of docs/recipes.md anew")

const (
	app    = "https://app.example"
	issuer = "https://auth.example.com/realm"
	id     = "Q3f8Zk1mTn5Rv7Xy9Bc2Dg4H"
	secret = "uJ0aK2bL4cM6dN8eO1fP3gQ5hR7iS9jT0kU2lV4mW6n"
)

// registered is what the recipe makes of the URL, and of each parameter's default or its name.
func registered(t *testing.T, r Recipe, url string) Registration {
	t.Helper()
	params := map[string]string{}
	for _, p := range r.Parameters {
		if p.Default == "" {
			params[p.Name] = p.Name
		}
	}
	g, err := r.Register(url, params)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// client is what the operator's API makes of it.
func client(t *testing.T, g Registration) storage.Client {
	t.Helper()
	c, err := clients.New(g.Type, g.Recipe.Title, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range g.Fields {
		if err := clients.Set(&c, name, values); err != nil {
			t.Error(err)
		}
	}
	if _, err := clients.GiveSecret(&c, func() (clients.Sealer, error) { return nil, errors.New("no recipe needs a sealed secret") }); err != nil {
		t.Error(err)
	}
	return c
}

func TestRecipes(t *testing.T) {
	t.Parallel()
	all, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			t.Run("its name can be typed, and is no type of client", func(t *testing.T) {
				if _, err := clients.New(r.Name, "x", time.Time{}); err == nil || !plainName.MatchString(r.Name) {
					t.Errorf("%q", r.Name)
				}
			})
			t.Run("its client is one that can be registered", func(t *testing.T) {
				if err := clients.Validate(client(t, registered(t, r, app))); err != nil {
					t.Error(err)
				}
				if err := clients.Validate(client(t, registered(t, r, "http://localhost:3000"))); err != nil {
					t.Error(err)
				}
			})
			t.Run("below a path, or not", func(t *testing.T) {
				below, err := r.Register(app+"/sub/path", nil)
				if !r.Subpath {
					if err == nil {
						t.Error("taken, though the recipe has not subpath")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := clients.Validate(client(t, below)); err != nil {
					t.Error(err)
				}
			})
			t.Run("a slash at the end of the URL makes no difference", func(t *testing.T) {
				with, without := registered(t, r, app+"/"), registered(t, r, app)
				if diff := cmp.Diff(without.Fields, with.Fields); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(without.Instructions(Credentials{Issuer: issuer}), with.Instructions(Credentials{Issuer: issuer})); diff != "" {
					t.Error(diff)
				}
			})
			in := registered(t, r, app).Instructions(Credentials{issuer, id, secret})
			t.Run("what it needs of the client is asked for", func(t *testing.T) { asks(t, client(t, registered(t, r, app)), in) })
			for _, s := range in.Settings {
				t.Run("settings/"+s.Where, func(t *testing.T) {
					if err := readable(s); err != nil {
						t.Errorf("not %s: %v\n%s", s.Language, err, s.Text)
					}
					if left := variable.FindString(s.Text); left != "" {
						t.Errorf("%s is left", left)
					}
				})
			}
			golden(t, filepath.Join("testdata", r.Name+".golden"), shown(registered(t, r, app), in))
		})
	}
}

// asks compares the client with the settings: a secret is shown where there is one and nowhere else, refresh tokens are asked for where they
// can be used.
func asks(t *testing.T, c storage.Client, in Instructions) {
	var text strings.Builder
	for _, s := range in.Settings {
		text.WriteString(s.Text)
	}
	if has := strings.Contains(text.String(), secret); has == clients.Public(c) {
		t.Errorf("the secret is in the settings: %v; the client is public: %v", has, clients.Public(c))
	}
	if !strings.Contains(text.String(), id) {
		t.Error("the client id is nowhere")
	}
	if !strings.Contains(text.String(), issuer) && !strings.Contains(text.String(), "cliClientID") {
		t.Error("the issuer is nowhere")
	}
	if offline := slices.Contains(c.Scopes, "offline_access"); offline != clients.Allows(c, clients.GrantRefresh) {
		t.Errorf("offline_access: %v; the grant type refresh_token: %v", offline, !offline)
	}
	if strings.Contains(strings.Join(in.Notes, "\n"), secret) {
		t.Error("the secret is in the notes")
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./recipes -update writes it anew):\n%s", file, diff)
	}
}

// shown is all that comes of a recipe.
func shown(g Registration, in Instructions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "type %s\n", g.Type)
	for _, name := range clients.Fields.Names() {
		for _, v := range g.Fields[name] {
			fmt.Fprintf(&b, "%s %s\n", name, v)
		}
	}
	for _, s := range in.Settings {
		fmt.Fprintf(&b, "\n== %s (%s)\n%s", s.Where, s.Language, s.Text)
	}
	b.WriteString("\n")
	for _, n := range in.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// readable reports whether a block can be read as what it says it is, as far as apps agree on that.
func readable(s Setting) error {
	switch s.Language {
	case "yaml":
		return yamlValue(s.Text)
	case "json":
		var v any
		return json.Unmarshal([]byte(s.Text), &v)
	case "ini":
		return eachLine(s.Text, regexp.MustCompile(`^(\[[a-z0-9_.]+\]|[A-Za-z_]+ = \S.*)$`), nil)
	case "toml":
		return eachLine(s.Text, regexp.MustCompile(`^[a-z_]+ = (.*)$`), jsonValue) // strings, lists of them and booleans are those of JSON
	case "env":
		return eachLine(s.Text, regexp.MustCompile(`^[A-Z0-9_]+=(.*)$`), func(v string) error {
			if strings.HasPrefix(v, "{") {
				return jsonValue(v)
			}
			return nil
		})
	case "shell":
		return shell(s.Text)
	}
	return nil
}

// yamlValue reads YAML, and the YAML in what is called a configuration in it.
func yamlValue(text string) error {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	var within func(v any) error
	within = func(v any) error {
		m, _ := v.(map[string]any)
		for name, v := range m {
			if text, ok := v.(string); ok && strings.HasSuffix(name, ".config") {
				if err := yamlValue(text); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			} else if err := within(v); err != nil {
				return err
			}
		}
		return nil
	}
	return within(v)
}

func jsonValue(s string) error {
	var v any
	return json.Unmarshal([]byte(s), &v)
}

func eachLine(text string, form *regexp.Regexp, value func(string) error) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		m := form.FindStringSubmatch(line)
		switch {
		case line == "":
		case m == nil:
			return fmt.Errorf("line %q", line)
		case value != nil:
			if err := value(m[1]); err != nil {
				return fmt.Errorf("line %q: %w", line, err)
			}
		}
	}
	return nil
}

// shell: arguments are there for every user of the machine to read, so a secret stands in a here-document or not at all. One that looks like
// JSON is.
func shell(text string) error {
	for commands := text; commands != ""; {
		before, document, found := strings.Cut(commands, "<<'EOF'\n")
		if strings.Contains(before, secret) {
			return fmt.Errorf("the secret is an argument in %q", before)
		}
		if !found {
			return nil
		}
		document, after, ended := strings.Cut(document, "\nEOF\n")
		if !ended {
			return errors.New("a here-document does not end")
		}
		if strings.HasPrefix(document, "{") {
			if err := jsonValue(document); err != nil {
				return err
			}
		}
		commands = after
	}
	return nil
}

func TestShell(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"app --secret-file=f\n":                             true,
		"app - <<'EOF'\n" + secret + "\nEOF\n":              true,
		"app --secret=" + secret + "\n":                     false,
		"app - <<'EOF'\nx\nEOF\napp " + secret + "\n":       false,
		"app - <<'EOF'\nx\n":                                false,
		"app - <<'EOF'\n{\"a\": }\nEOF\n":                   false,
		"app - <<'EOF'\n{\"a\": \"" + secret + "\"}\nEOF\n": true,
	} {
		if err := shell(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

const small = `title: App
docs: https://app.example/docs
client:
  type: web
  redirect_uris: [<url>/cb]
settings:
  - where: app.ini
    language: ini
    text: |
      secret = <client_secret>
`

func TestLoad(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"whole":                              {small, ""},
		"a key that is not known":            {small + "colour: red\n", "colour"},
		"a key that is there twice":          {small + "title: Other\n", "title"},
		"no settings":                        {strings.Split(small, "settings:")[0], "settings: are missing"},
		"a type that is not known":           {strings.Replace(small, "type: web", "type: desktop", 1), "desktop"},
		"no type":                            {strings.Replace(small, "  type: web\n", "", 1), "client: "},
		"a field that no client has":         {strings.Replace(small, "redirect_uris", "redirects", 1), `"redirects" is not a field`},
		"the name, which is the operator's":  {strings.Replace(small, "type: web", "type: web\n  client_name: App", 1), `"client_name" is not a field`},
		"a variable that is not known":       {small + "notes: [see <port>]\n", "<port> is not known here"},
		"a client that knows its own id":     {strings.Replace(small, "<url>/cb", "<url>/<client_id>", 1), "<client_id> is not known here"},
		"a secret in a note":                 {small + "notes: [it is <client_secret>]\n", "<client_secret> is not known here"},
		"a parameter that is not used":       {small + "parameters: [{name: port, help: a port}]\n", "port is not used"},
		"a parameter with a name of ours":    {small + "parameters: [{name: issuer, help: x}]\nnotes: [<issuer>]\n", `"issuer" cannot be called that`},
		"a default that could not be given":  {small + "parameters: [{name: port, help: a port, form: port, default: x}]\nnotes: [<port>]\n", "port is a port"},
		"a form that is not known":           {small + "parameters: [{name: port, help: a port, form: number}]\nnotes: [<port>]\n", "number"},
		"a language that is not known":       {strings.Replace(small, "language: ini", "language: xml", 1), "xml"},
		"documentation that is not on https": {strings.Replace(small, "https://app.example/docs", "http://app.example/docs", 1), "docs: "},
		"not YAML":                           {"title: [", "app.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(fstest.MapFS{"app.yaml": {Data: []byte(test.text)}})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	r, err := parse("app", []byte(small+"parameters: [{name: port, help: where it listens, form: port, default: '1'}, {name: group, help: whose}]\nnotes: [<port> <group>]\n"))
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"group": "staff"}
	for name, test := range map[string]struct {
		url    string
		params map[string]string
		want   string // "": taken
		field  string
	}{
		"https":                       {"https://app.example", good, "", ""},
		"a port":                      {"https://app.example:8443", good, "", ""},
		"http on this machine":        {"http://127.0.0.1:3000/", good, "", ""},
		"an address":                  {"https://[2001:db8::1]", good, "", ""},
		"http elsewhere":              {"http://app.example", good, "is not encrypted", FieldURL},
		"no URL":                      {"", good, "is missing", FieldURL},
		"no scheme":                   {"app.example", good, "is not absolute", FieldURL},
		"another scheme":              {"ftp://app.example", good, "does not begin with https://", FieldURL},
		"a query":                     {"https://app.example?a=b", good, "has a query or a fragment", FieldURL},
		"an empty query":              {"https://app.example?", good, "has a query or a fragment", FieldURL},
		"a fragment":                  {"https://app.example#a", good, "has a query or a fragment", FieldURL},
		"a user name":                 {"https://me@app.example", good, "has a user name", FieldURL},
		"a path":                      {"https://app.example/sub", good, "has a path", FieldURL},
		"what a shell reads":          {"https://app.example/$(id)", good, "has something other", FieldURL},
		"what a quoted string reads":  {"https://app.example/'", good, "has something other", FieldURL},
		"two slashes":                 {"https://app.example//", good, "has something other", FieldURL},
		"a parameter that is missing": {"https://app.example", nil, "group is missing: whose", FieldParam},
		"a parameter of another app":  {"https://app.example", map[string]string{"group": "a", "realm": "b"}, `"realm" is none of app; it has port, group`, FieldParam},
		"a port that is none":         {"https://app.example", map[string]string{"group": "a", "port": "70000"}, "port is a port", FieldParam},
		"a name that is more":         {"https://app.example", map[string]string{"group": "a' || 'b"}, "group is letters", FieldParam},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Register(test.url, test.params)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			fault, ok := errors.AsType[*fields.Error](err)
			if !ok || fault.Field != test.field || !strings.Contains(fault.Problem, test.want) {
				t.Errorf("%v; want %s: %q", err, test.field, test.want)
			}
		})
	}
}

// FuzzRegister: whatever is taken can stand in a string, a line and an argument of any of the languages as it is.
func FuzzRegister(f *testing.F) {
	for _, url := range []string{app, app + "/", app + "/a/b", "http://[::1]:3000/~me", "https://a.example/%27", "https://a.example/'$(id)`<url>"} {
		f.Add(url, "admins")
	}
	f.Add(app, "a'; b")
	grafana, _ := Find("grafana")
	f.Fuzz(func(t *testing.T, url, group string) {
		g, err := grafana.Register(url, map[string]string{"admin_group": group})
		if err != nil {
			return
		}
		if err := clients.Validate(client(t, g)); err != nil {
			t.Errorf("%q: %v", url, err)
		}
		for _, v := range []string{g.values["url"], g.values["admin_group"]} {
			if strings.ContainsAny(v, " \t\r\n'\"`$\\<>(){}|&;*!#?%@,=") || strings.HasSuffix(v, "/") {
				t.Errorf("%q was taken", v)
			}
		}
		for _, s := range g.Instructions(Credentials{issuer, id, secret}).Settings {
			if err := readable(s); err != nil {
				t.Errorf("%q: %v", url, err)
			}
		}
	})
}

func TestInstructions(t *testing.T) {
	t.Parallel()
	kubernetes, ok := Find("kubernetes")
	if !ok {
		t.Fatal("there is no recipe kubernetes")
	}
	t.Run("an issuer without https is told of where the app refuses it", func(t *testing.T) {
		t.Parallel()
		g := registered(t, kubernetes, app)
		if w := g.Instructions(Credentials{Issuer: "http://localhost:8080"}).Warnings; len(w) != 1 || !strings.Contains(w[0], "http://localhost:8080") {
			t.Errorf("%q", w)
		}
		if w := g.Instructions(Credentials{Issuer: issuer}).Warnings; len(w) != 0 {
			t.Errorf("%q", w)
		}
	})
	t.Run("what is not known yet stands in capitals", func(t *testing.T) {
		t.Parallel()
		grafana, _ := Find("grafana")
		text := registered(t, grafana, app).Instructions(Credentials{Issuer: issuer}).Settings[0].Text
		for _, want := range []string{"client_id = CLIENT_ID\n", "client_secret = CLIENT_SECRET\n", "auth_url = " + issuer + "/authorize\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
	})
	t.Run("no such recipe", func(t *testing.T) {
		t.Parallel()
		if _, ok := Find("web"); ok {
			t.Error("found")
		}
	})
}

// TestDocumentation holds the table in docs/recipes.md to the recipes.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../docs/recipes.md", "<!-- recipes -->\n", "<!-- /recipes -->\n"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table", file)
	}
	if want := before + begin + table() + end + after; want != string(content) {
		if !*update {
			t.Fatalf("%s is not what the recipes say (go test ./recipes -update writes it anew):\n%s", file, cmp.Diff(string(content), want))
		}
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| recipe | app | keeps a secret | below a path | parameters |\n|---|---|---|---|---|\n")
	yes := map[bool]string{true: "yes", false: "no"}
	for _, r := range All() {
		var params []string
		for _, p := range r.Parameters {
			text := "`" + p.Name + "`: " + p.Help
			if p.Default != "" {
				text += " (`" + p.Default + "`)"
			}
			params = append(params, text)
		}
		fmt.Fprintf(&b, "| `%s` | [%s](%s) | %s | %s | %s |\n", r.Name, r.Title, r.Docs, yes[r.Client.Type == clients.Web], yes[r.Subpath], strings.Join(params, "<br>"))
	}
	return b.String()
}
