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
	keyed        bool   // they authenticate with private_key_jwt; otherwise with a secret
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
	if v.registered && !v.keyed {
		name += "-registered"
	}
	return name
}

// module is one test of the suite.
type module struct {
	name     string
	test     func(*run)
	only     func(variant) bool // which variants it is for; nil: all
	alone    bool               // it moves the clock, or changes what others see: it gets a provider of its own
	unsigned bool               // it needs unsigned request objects, which are off by default: it gets a provider that lets them in
}

// options are those of the provider that it runs at.
func (m module) options() []option {
	if m.unsigned {
		return []option{unsignedRequestObjects}
	}
	return nil
}

// result is what became of a module in a variant.
type result struct {
	word   string // passed, skipped, failed
	note   string // why it was skipped, or what was on
	looked bool   // a person looks at a page there
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
			shared := map[bool]*provider{false: start(t, v)}
			if slices.ContainsFunc(p.modules, func(m module) bool { return m.unsigned }) {
				shared[true] = start(t, v, unsignedRequestObjects)
			}
			for _, m := range p.modules {
				if m.only != nil && !m.only(v) {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					r := &run{T: t, variant: v}
					defer r.record(path(p, v, m), m)
					if m.alone {
						r.provider = start(t, v, m.options()...)
					} else {
						own := *shared[m.unsigned]
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
	initial string // initial access token for registrations
	address string // that they come from, said as a proxy says it; "": this machine's
	looked  bool   // the suite wants a person to look at a page
	skipped string // why
}

// withUnsigned is the footnote to what passed with unsigned_request_objects.
const withUnsigned = "With `unsigned_request_objects` on. It is off by default; then request_object_signing_alg_values_supported lacks none, and the suite skips the module"

func (r *run) record(path string, m module) {
	got := result{word: "passed", looked: r.looked}
	switch {
	case r.Failed():
		got.word = "failed"
	case r.skipped != "":
		got.word, got.note = "skipped", r.skipped
	case m.unsigned:
		got.note = withUnsigned
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
