package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/conformance.md anew")

const (
	document = "../docs/conformance.md"
	begin    = "<!-- What follows is written by go test ./conformance -update, never by hand. -->\n"
	end      = "<!-- What comes before is written by go test ./conformance -update. -->\n"
)

// TestMain compares the document with what became of the modules, once all of them have run.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && everyModuleRan() {
		if err := checkDocument(); err != nil {
			fmt.Fprintln(os.Stderr, "docs/conformance.md:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// everyModuleRan is false where -run chose some.
func everyModuleRan() bool {
	for _, p := range plans {
		for _, v := range p.variants {
			for _, m := range p.modules {
				if _, ran := results.of[path(p, v, m)]; !ran && (m.only == nil || m.only(v)) {
					return false
				}
			}
		}
	}
	return true
}

func checkDocument() error {
	raw, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	written := string(raw)
	before, rest, ok := strings.Cut(written, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("the two lines between which the tables stand are missing")
	}
	now := before + begin + tables() + end + after
	switch {
	case now == written:
		return nil
	case *update:
		return os.WriteFile(document, []byte(now), 0o644)
	}
	return fmt.Errorf("it does not say what became of the modules; go test ./conformance -update writes it anew")
}

// tables is what became of the modules, plan by plan.
func tables() string {
	var t strings.Builder
	for _, p := range plans {
		notes := map[string]int{}
		var inOrder []string
		note := func(text string) string {
			if notes[text] == 0 {
				inOrder = append(inOrder, text)
				notes[text] = len(inOrder)
			}
			return fmt.Sprint(notes[text])
		}
		fmt.Fprintf(&t, "\n### %s\n\nTest: `%s` · %s\n\n| module |", p.name, p.test, p.count())
		for _, v := range p.variants {
			fmt.Fprintf(&t, " %s |", v.column())
		}
		t.WriteString("\n|---|" + strings.Repeat("---|", len(p.variants)) + "\n")
		for _, m := range p.modules {
			cells := ""
			for _, v := range p.variants {
				r, ran := results.of[path(p, v, m)]
				if !ran {
					cells += " – |"
					continue
				}
				cells += " " + r.word
				if r.looked {
					cells += ", page"
				}
				if r.note != "" {
					cells += fmt.Sprintf(" (%s)", note(r.note))
				}
				cells += " |"
			}
			if strings.Trim(cells, " –|") != "" {
				fmt.Fprintf(&t, "| `%s` |%s\n", m.name, cells)
			}
		}
		for i, text := range inOrder {
			lead := "\n"
			if i > 0 {
				lead = ""
			}
			fmt.Fprintf(&t, "%s(%d) %s.  \n", lead, i+1, text)
		}
	}
	t.WriteString("\n")
	return t.String()
}

// count says how many modules came to what.
func (p plan) count() string {
	count := map[string]int{}
	all, unsigned := 0, 0
	for _, v := range p.variants {
		for _, m := range p.modules {
			if r, ran := results.of[path(p, v, m)]; ran {
				count[r.word]++
				all++
				if r.note == withUnsigned {
					unsigned++
				}
			}
		}
	}
	said := fmt.Sprintf("modules: %d, passed: %d", all, count["passed"])
	if unsigned > 0 {
		said += fmt.Sprintf(" (%d of them with `unsigned_request_objects`)", unsigned)
	}
	for _, word := range []string{"skipped", "failed"} {
		if count[word] > 0 {
			said += fmt.Sprintf(", %s: %d", word, count[word])
		}
	}
	return said
}

// column is the head of a variant's column.
func (v variant) column() string {
	if v.responseType == "" {
		return "result"
	}
	if v.registered && !v.keyed {
		return "`" + v.responseType + "`, registered"
	}
	return "`" + v.responseType + "`"
}
