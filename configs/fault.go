package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Place is where a value came from, for people: a line of the file, a variable or a flag. The zero Place is the default.
type Place struct {
	File string
	Line int    // of File
	Name string // of the variable or the flag
}

// String is "signet.yaml:7", "SIGNET_LISTEN", "--listen" or "default".
func (p Place) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	case p.File != "":
		return p.File
	}
	return "default"
}

// Fault is one thing that is wrong, and how to mend it.
type Fault struct {
	Place   Place
	Key     string // the setting; "" when it is the file as a whole
	Problem string // neither ends with a full stop
	Fix     string
}

// Error is one line: place, key, problem, fix.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Place.String())
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.Problem)
	if f.Fix != "" {
		b.WriteString("; " + f.Fix)
	}
	return strings.Map(printable, b.String())
}

// printable keeps what stands in a file from steering the terminal that the fault is printed on.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// Faults is the error of Load: all of them.
type Faults []Fault

// Error has one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort orders fs for a reader: the file from top to bottom, then the environment, then the flags.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(rank(a.Place), rank(b.Place)),
			cmp.Compare(a.Place.Line, b.Place.Line),
			cmp.Compare(a.Place.Name, b.Place.Name),
		)
	})
}

func rank(p Place) int {
	switch {
	case p.Name == "":
		return 0
	case strings.HasPrefix(p.Name, "--"):
		return 2
	}
	return 1
}

// Nearest returns the one of known that name was probably meant to be; "" when none is near.
func Nearest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, remove or replace that make b of a (Levenshtein).
func distance(a, b string) int {
	if n := len(a) - len(b); n > 8 || n < -8 { // far apart in any case, and a name from outside may be long
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			swap := corner
			if a[i] != b[j] {
				swap++
			}
			corner = row[j+1]
			row[j+1] = min(swap, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// didYouMean is the fix for an unknown name.
func didYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}
