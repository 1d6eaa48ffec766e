package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// plan is a certification plan: its modules in the order of the suite, run in each variant that they are for.
type plan struct {
	name     string // as the Foundation has it
	test     string // the Go test
	variants []variant
	modules  []module
}

// variant is what a plan is run for.
type variant struct {
	responseType string // "": the plan has no flow
	formPost     bool   // response_mode=form_post
	registered   bool   // clients register themselves; otherwise the operator registers them
}

func (v variant) carries(what string) bool {
	return slices.Contains(strings.Fields(v.responseType), what)
}

// name is the variant's in test names and in the table.
func (v variant) name() string {
	if v.responseType == "" {
		return "any"
	}
	name := strings.ReplaceAll(v.responseType, " ", "+")
	if v.registered {
		name += "-registered"
	}
	return name
}

// module is one test of the suite.
type module struct {
	name  string
	test  func(*run)
	only  func(variant) bool // which variants it is for; nil: all
	alone bool               // it moves the clock, or changes what others see: it gets a provider of its own
}

// result is what became of a module in a variant.
type result struct {
	word string // passed, skipped, failed
	note string // why it was skipped, or that a person looks at a page there
}

// results are those of all plans so far.
var results = struct {
	sync.Mutex
	of map[string]result // by path
}{of: map[string]result{}}

func path(p plan, v variant, m module) string {
	return p.test + "/" + v.name() + "/" + m.name
}

// run runs a plan. The modules of a variant share a provider, each with a client and a browser of its own.
func (p plan) run(t *testing.T) {
	t.Parallel()
	for _, v := range p.variants {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			shared := start(t, v)
			for _, m := range p.modules {
				if m.only != nil && !m.only(v) {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					r := &run{T: t, variant: v}
					defer r.record(path(p, v, m))
					if m.alone {
						r.provider = start(t, v)
					} else {
						own := *shared
						r.provider = &own
					}
					r.discover()
					m.test(r)
				})
			}
		})
	}
}

// run is a module at work.
type run struct {
	*testing.T
	variant
	*provider
	looked  bool   // the suite wants a person to look at a page
	skipped string // why
}

func (r *run) record(path string) {
	got := result{word: "passed"}
	switch {
	case r.Failed():
		got.word = "failed"
	case r.skipped != "":
		got = result{"skipped", r.skipped}
	case r.looked:
		got.note = "page"
	}
	results.Lock()
	defer results.Unlock()
	results.of[path] = got
}

// skip ends the module, as the suite does where discovery says that a feature is off.
func (r *run) skip(format string, args ...any) {
	r.Helper()
	r.skipped = fmt.Sprintf(format, args...)
	r.Skip(r.skipped)
}

// must ends the module at a failure of what it is run with.
func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}
