package web

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"net/http/httptest"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every language has every text of the code and the templates, no other, and fills in what the English text does.
func TestMessages(t *testing.T) {
	t.Parallel()
	texts := textsOfCode(t)
	for _, s := range textsOfTemplates(t) {
		texts[s] = true
	}
	if len(texts) < 90 || !texts["Stay signed in"] || !texts["The user name or the password is not right."] || !texts["You"] || !texts["{n} hours"] || !texts["This sign-in is finished already."] {
		t.Fatalf("%d texts found, which cannot be all", len(texts))
	}
	placeholders := func(s string) []string {
		found := regexp.MustCompile(`\{\w+\}`).FindAllString(s, -1)
		slices.Sort(found)
		return found
	}
	for _, tag := range Languages()[1:] {
		v, err := newVoice(tag)
		if err != nil {
			t.Fatal(err)
		}
		for s := range texts {
			if v.messages[s] == "" {
				t.Errorf("%s does not have %q", tag, s)
			}
		}
		for s, said := range v.messages {
			if !texts[s] {
				t.Errorf("%s has %q, which nothing says", tag, s)
			}
			if want, got := placeholders(string(s)), placeholders(said); !slices.Equal(want, got) {
				t.Errorf("%s: %q fills in %q, and not %q", tag, said, got, want)
			}
		}
	}
}

var spoken = regexp.MustCompile(`(?:\bsay|\bpaper \$\w+) "([^"]+)"`)

func textsOfTemplates(t *testing.T) (all []Text) {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := templateFiles.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range spoken.FindAllStringSubmatch(string(content), -1) {
			all = append(all, Text(m[1]))
		}
	}
	return all
}

// textsOfCode are the constants of type Text in the rooms that have a page.
func textsOfCode(t *testing.T) map[Text]bool {
	found := make(map[Text]bool)
	of := &roomImporter{t: t, fset: token.NewFileSet(), done: make(map[string]*types.Package), see: func(typ types.Type, v constant.Value) {
		if named, ok := typ.(*types.Named); ok && named.Obj().Name() == "Text" && named.Obj().Pkg().Path() == "signet/web" && constant.StringVal(v) != "" {
			found[Text(constant.StringVal(v))] = true
		}
	}}
	of.room("signet/web")
	err := filepath.WalkDir("../provider", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != "testdata" {
			of.room("signet/" + filepath.ToSlash(strings.TrimPrefix(name, "../")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// roomImporter checks the types of our own packages as far as texts need it. All others are empty to it; what is missed for that has
// nothing to do with texts.
type roomImporter struct {
	t    *testing.T
	fset *token.FileSet
	done map[string]*types.Package
	see  func(types.Type, constant.Value)
}

func (i *roomImporter) Import(name string) (*types.Package, error) {
	if strings.HasPrefix(name, "signet/web") || strings.HasPrefix(name, "signet/provider/") {
		return i.room(name), nil
	}
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

func (i *roomImporter) room(name string) *types.Package {
	if p, ok := i.done[name]; ok {
		return p
	}
	sources, err := filepath.Glob("../" + strings.TrimPrefix(name, "signet/") + "/*.go")
	if err != nil {
		i.t.Fatal(err)
	}
	var files []*ast.File
	for _, s := range sources {
		if strings.HasSuffix(s, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(i.fset, s, nil, parser.SkipObjectResolution)
		if err != nil {
			i.t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)}
	config := types.Config{Importer: i, Error: func(error) {}}
	p, _ := config.Check(name, i.fset, files, info)
	i.done[name] = p
	for _, e := range info.Types {
		if e.Value != nil && e.Value.Kind() == constant.String {
			i.see(e.Type, e.Value)
		}
	}
	return p
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com")
	for name, row := range map[string]struct {
		preferences []string
		want        string
	}{
		"nothing is preferred":                                               {nil, "en"},
		"Core 3.1.2.1: ui_locales in order of preference":                    {[]string{"tlh-CA", "de", "en"}, "de"},
		"the other order":                                                    {[]string{"en", "de"}, "en"},
		"BCP 47: a region of a language that we have":                        {[]string{"de-AT"}, "de"},
		"BCP 47: case does not matter":                                       {[]string{"DE-ch"}, "de"},
		"RFC 9110 12.5.4: weights":                                           {[]string{"en;q=0.3, de-DE;q=0.9, tlh"}, "de"},
		"RFC 9110 12.5.4: q=0 is not wanted":                                 {[]string{"de;q=0, tlh"}, "en"},
		"ui_locales before the browser's":                                    {[]string{"de", "en-US,en;q=0.5"}, "de"},
		"the browser's, where ui_locales has none of ours":                   {[]string{"tlh", "vo", "de,en;q=0.5"}, "de"},
		"Core 3.1.2.1: what is named before what is likely to be understood": {[]string{"cy", "de"}, "de"},
		"what is likely to be understood, where nothing else is ours":        {[]string{"lb", "tlh"}, "de"},
		"none of ours":                   {[]string{"tlh", "*"}, "en"},
		"malformed ones are passed over": {[]string{"", "\x00", "../de", strings.Repeat("a-", 3000), "de-" + strings.Repeat("x", 99), "de"}, "de"},
		"an unknown language":            {[]string{"xx-YY", "tlh"}, "en"},
	} {
		w, doc := write(t, pages, Home{}, row.preferences...)
		if lang := attr(elements(doc, "html")[0], "lang"); lang != row.want || w.Header().Get("Content-Language") != row.want {
			t.Errorf("%s: lang %q, Content-Language %q, want %q", name, lang, w.Header().Get("Content-Language"), row.want)
		}
	}
}

func TestGerman(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com")
	app := App{Name: "Demo {account}", Host: "app.example.com", Policy: "https://app.example.com/privacy?a=1&b=2", Terms: "https://app.example.com/terms"}
	lines, _ := StandardScopes([]string{"openid", "email"})
	for name, row := range map[string]struct {
		page Page
		want string
	}{
		"sign-in": {SignIn{Client: app, Problem: "The user name or the password is not right."}, "Anmelden weiter zu Demo {account} Der Benutzername oder das Passwort stimmt nicht. " +
			"Benutzername oder E-Mail Passwort Auf diesem Gerät angemeldet bleiben Anmelden Lesen Sie die Datenschutzerklärung (öffnet einen neuen Tab) und die Nutzungsbedingungen (öffnet einen neuen Tab) der App."},
		"what fills a text is not filled itself": {Consent{Client: app, Account: "{app} <b>", Scopes: append(lines, ScopeLine{"orders", "See <your> orders"})},
			"Demo {account} den Zugriff erlauben? Sie sind angemeldet als {app} <b> Die App wird Folgendes dürfen: Erkennen, dass Sie es sind openid " +
				"Ihre E-Mail-Adresse sehen email See <your> orders orders Erlauben Ablehnen In beiden Fällen geht es zurück zu app.example.com. " +
				"Lesen Sie die Datenschutzerklärung (öffnet einen neuen Tab) und die Nutzungsbedingungen (öffnet einen neuen Tab) der App."},
		"sign-out":            {SignOut{Client: app, Account: "Anna"}, "Abmelden? Sie sind angemeldet als Anna Demo {account} möchte Sie abmelden. Abmelden Angemeldet bleiben"},
		"descriptions stay":   {Error{Title: "This request is invalid", Detail: "nonce is missing", Who: "You"}, "Diese Anfrage ist ungültig nonce is missing Wer das beheben kann Sie"},
		"an app without name": {SignedOut{Return: "https://app.example.com/"}, "Sie sind abgemeldet Bei id.example.com, in diesem Browser. In anderen Apps können Sie noch angemeldet sein. Zurück zur App"},
	} {
		if _, doc := write(t, pages, row.page, "de"); text(elements(doc, "main")[0]) != row.want {
			t.Errorf("%s:\n got %s\nwant %s", name, text(elements(doc, "main")[0]), row.want)
		}
	}
	if got := (voice{messages: map[Text]string{"{n} minutes": "{n} Minuten"}}).wait(2e9 * 60); got != "2 Minuten" {
		t.Errorf("wait %q", got)
	}
}

func FuzzLanguage(f *testing.F) {
	for _, s := range []string{"", "de", "de-AT,en;q=0.5", "*", "de;q=x", "x-y-z", "en-u-rg-dezzzz"} {
		f.Add(s)
	}
	pages, err := New("")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := httptest.NewRecorder()
		pages.Write(w, 200, Home{}, s, s)
		if tag := w.Header().Get("Content-Language"); w.Code != 200 || !slices.Contains(Languages(), tag) {
			t.Fatalf("%d, %q", w.Code, tag)
		}
	})
}
