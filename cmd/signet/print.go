package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, "print JSON") }

// printJSON prints v for programs.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints rows in columns, the first row as the head.
func (a *app) table(rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(plain(strings.Join(row, "\t")), "\t"))
	}
	return w.Flush()
}

// facts prints names and values below each other. Facts without a value are left out.
func facts(w io.Writer, rows ...[2]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i, line := range strings.Split(row[1], "\n") {
			name := row[0]
			if i > 0 {
				name = ""
			}
			if row[1] != "" {
				fmt.Fprintf(t, "%s\t%s\n", plain(name), plain(line))
			}
		}
	}
	return t.Flush()
}

// plain keeps what is stored from steering the terminal that it is printed on.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// when prints an instant for people; "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
