package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever meets a message looks for it in docs/operation.md, so what the manual quotes must be what the program says.
func TestManualQuotesTheProgram(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	manual, err := os.ReadFile(filepath.Join(root, "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(manual), "\n## When something is wrong\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("the manual has no such section")
	}
	said := sources(t, root)
	quotes := 0
	for _, quote := range quoted(section) {
		quotes++
		for _, phrase := range regexp.MustCompile(`…|\bN\b`).Split(quote, -1) { // what differs each time
			if phrase = strings.Trim(phrase, " :;,"); !strings.Contains(said, phrase) {
				t.Errorf("nothing says %q, of %q", phrase, quote)
			}
		}
	}
	if quotes < 10 {
		t.Errorf("only %d quotations were found", quotes)
	}
}

// quoted is what stands between backquotes in the first column of a section's table.
func quoted(section string) (all []string) {
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what you see") {
			continue
		}
		first, _, _ := strings.Cut(line[2:], " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// sources is the program's text: Go files without comments or tests, and templates.
func sources(t *testing.T, root string) string {
	t.Helper()
	comment := regexp.MustCompile(`(?m)(^|\s)//.*$`)
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || e.IsDir() || ext != ".go" && ext != ".html" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(comment.ReplaceAll(text, nil))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
