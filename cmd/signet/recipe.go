package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signet/clients"
	"signet/provider/admin"
	"signet/recipes"
)

func (a *app) recipeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipe",
		Short: "Show how apps are connected that many people run",
		Long: `A recipe knows what an app wants to be registered as, and what has to be written into its own configuration. signet client add RECIPE --url URL
does the one and prints the other.`,
	}
	cmd.AddCommand(a.recipeList(), a.recipeShow())
	return a.group(cmd)
}

// recipeJSON is a recipe for programs; what is filled in is only there once somebody said where the app is.
type recipeJSON struct {
	Name       string              `json:"recipe"`
	Title      string              `json:"title"`
	Docs       string              `json:"docs"`
	Subpath    bool                `json:"subpath"`
	Parameters []recipes.Parameter `json:"parameters,omitempty"`
	Type       string              `json:"type"`
}

func jsonOf(r recipes.Recipe) recipeJSON {
	return recipeJSON{r.Name, r.Title, r.Docs, r.Subpath, r.Parameters, r.Client.Type}
}

func (a *app) recipeList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the apps that there are recipes for", Args: exactly()}
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.command(func(*cobra.Command, []string) error {
		rows, all := [][]string{{"RECIPE", "APP", "ITS OWN PAGE ABOUT IT"}}, []recipeJSON{}
		for _, r := range recipes.All() {
			rows = append(rows, []string{r.Name, r.Title, r.Docs})
			all = append(all, jsonOf(r))
		}
		if *asJSON {
			return a.printJSON(all)
		}
		return a.table(rows)
	})
	return cmd
}

func (a *app) recipeShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show RECIPE",
		Short: "Show what client add RECIPE would register and print",
		Long: `Show what signet client add RECIPE would register and print. Nothing is changed. The issuer is the configuration's; CLIENT_ID and CLIENT_SECRET
stand for what the app gets when it is registered.`,
		Example: `    signet recipe show grafana
    signet recipe show nextcloud --url https://cloud.example.com/nc --param provider=work`,
		Args: exactly("RECIPE"),
	}
	given := addRecipeFlags(cmd)
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(_ *cobra.Command, args []string) error {
		r, ok := recipes.Find(args[0])
		if !ok {
			return usagef("there is no such recipe; signet recipe list shows all")
		}
		if *given.url == "" {
			*given.url = "https://" + r.Name + ".example"
		}
		cfg, _, err := f.configuration()
		if err != nil {
			return err
		}
		g, err := given.register(r)
		if err != nil {
			return err
		}
		return a.printRecipe(g, g.Instructions(recipes.Credentials{Issuer: cfg.Issuer}), *f.json)
	})
	return cmd
}

func (a *app) printRecipe(g recipes.Registration, in recipes.Instructions, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			recipeJSON
			Client map[string][]string `json:"client"`
			recipes.Instructions
		}{jsonOf(g.Recipe), g.Fields, in})
	}
	a.warn(in.Warnings)
	rows := [][2]string{{"app", g.Recipe.Title}, {"its own page", g.Recipe.Docs}}
	for _, p := range g.Recipe.Parameters {
		rows = append(rows, [2]string{"--param " + p.Name, p.Help + " (" + p.Default + ")"})
	}
	rows = append(rows, [2]string{"type", g.Type})
	for _, name := range clients.Fields.Names() {
		sep := " "
		if strings.HasSuffix(name, "_uris") {
			sep = "\n"
		}
		rows = append(rows, [2]string{name, strings.Join(g.Fields[name], sep)})
	}
	if err := facts(a.stdout, rows...); err != nil {
		return err
	}
	a.printInstructions(in)
	return nil
}

func (a *app) printInstructions(in recipes.Instructions) {
	for _, s := range in.Settings {
		fmt.Fprintf(a.stdout, "\n== %s\n\n%s", s.Where, s.Text)
	}
	if len(in.Notes) > 0 {
		fmt.Fprintln(a.stdout, "\n== Notes")
		fmt.Fprintln(a.stdout)
	}
	for _, n := range in.Notes {
		fmt.Fprintf(a.stdout, "- %s\n", n)
	}
}

// recipeFlags are what a recipe is filled with.
type recipeFlags struct {
	url    *string
	params *[]string
}

func addRecipeFlags(cmd *cobra.Command) recipeFlags {
	cmd.Flags().SortFlags = false
	return recipeFlags{
		url:    cmd.Flags().String("url", "", "`URL` where people open the app of a recipe"),
		params: cmd.Flags().StringArray("param", nil, "`NAME=VALUE` for a parameter of a recipe (may be repeated)"),
	}
}

// given reports whether any of them was set.
func (f recipeFlags) given() bool { return *f.url != "" || len(*f.params) > 0 }

func (f recipeFlags) register(r recipes.Recipe) (recipes.Registration, error) {
	params := map[string]string{}
	for _, p := range *f.params {
		name, value, ok := strings.Cut(p, "=")
		if _, twice := params[name]; !ok || twice {
			return recipes.Registration{}, usagef("--param is NAME=VALUE, once for each name")
		}
		params[name] = value
	}
	g, err := r.Register(*f.url, params)
	if err != nil {
		return g, usagef("%s", strings.Join(recipeFaults(err), "\nsignet: "))
	}
	return g, nil
}

// recipeFaults writes the faults in the words of who typed the command.
func recipeFaults(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, recipeFaults(e)...)
		}
		return all
	}
	return []string{"--" + err.Error()}
}

// typeOrRecipe wants TYPE NAME, or RECIPE and perhaps a NAME. What was typed instead is not repeated.
func typeOrRecipe(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		if _, ok := recipes.Find(args[0]); ok {
			return nil
		}
		if url := cmd.Flags().Lookup("url"); url.Changed {
			return usagef("there is no such recipe; signet recipe list shows all")
		}
	}
	return exactly("TYPE", "NAME")(cmd, args)
}

// clientRecipeJSON is a client with its secret, and what the app has to be told, flat.
type clientRecipeJSON struct {
	clientJSON
	Recipe string `json:"recipe"`
	Issuer string `json:"issuer"`
	recipes.Instructions
}

// addByRecipe registers what the recipe wants. Flags of fields come after it and win.
func (a *app) addByRecipe(c call, r recipes.Recipe, given recipeFlags, set admin.Fields, asJSON bool) error {
	g, err := given.register(r)
	if err != nil {
		return err
	}
	issuer, err := a.issuerOf(c)
	if err != nil {
		return err
	}
	in := admin.NewClient{Type: g.Type, Name: r.Title, Fields: admin.Fields(g.Fields)}
	maps.Copy(in.Fields, set)
	if len(c.args) > 1 {
		in.Name = c.args[1]
	}
	var made admin.ClientSecret
	if err := c.do(http.MethodPost, in, &made, "clients"); err != nil {
		return err
	}
	do := g.Instructions(recipes.Credentials{Issuer: issuer, ClientID: made.Client.ID, ClientSecret: made.Secret})
	a.warn(append(made.Warnings, do.Warnings...))
	if asJSON {
		return a.printJSON(clientRecipeJSON{clientJSON{made.Client, made.Secret}, r.Name, issuer, do})
	}
	if err := facts(a.stdout, [2]string{"client id", made.Client.ID}, [2]string{"client secret", made.Secret}, [2]string{"issuer", issuer},
		[2]string{"its own page", r.Docs}); err != nil {
		return err
	}
	a.printInstructions(do)
	if made.Secret != "" {
		fmt.Fprintln(a.stdout, "\nThe secret is shown this once.")
	}
	return nil
}

// issuerOf asks the server what it is called, since flags of serve may say something else than the configuration.
func (a *app) issuerOf(c call) (string, error) {
	var s admin.Status
	if err := c.do(http.MethodGet, nil, &s, "status"); err != nil {
		return "", err
	}
	if s.PID == os.Getpid() { // it is this command that answers
		a.warn([]string{"no server runs on this folder, so the issuer is the configuration's, " + s.Issuer})
	}
	return s.Issuer, nil
}

// recipeNames lists the recipes for the help, in lines of its width.
func recipeNames() string {
	const width = 100
	var b strings.Builder
	line := 0
	for i, r := range recipes.All() {
		switch {
		case i == 0:
		case line+len(r.Name) > width:
			b.WriteString(",\n    ")
			line = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(r.Name)
		line += len(r.Name) + 2
	}
	return b.String()
}
