package oauth

import (
	"strconv"
	"strings"
)

// Accepts reports whether a header of content negotiation lets one of these names through: the most special one that it names decides, and they
// come in that order. Without the header everything is good.
func Accepts(header []string, names ...string) bool {
	if strings.TrimSpace(strings.Join(header, "")) == "" {
		return true
	}
	return Weight(header, names...) > 0
}

// Weight is how much a header of content negotiation wants what these names stand for: from 0, not at all, to 1. The most special one that it names
// decides, and they come in that order: RFC 9110 sections 12.4.2, 12.5.1 and 12.5.3. Other parameters than the weight are passed over: what
// we have has none.
func Weight(header []string, names ...string) float64 {
	for _, name := range names {
		if weight, ok := weightOf(header, name); ok {
			return weight
		}
	}
	return 0
}

// weightOf returns the weight of a name; not ok where the header does not have it.
func weightOf(header []string, name string) (weight float64, ok bool) {
	for _, line := range header {
		for element := range strings.SplitSeq(line, ",") {
			is, parameters, _ := strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(is), name) {
				return weightIn(parameters), true
			}
		}
	}
	return 0, false
}

// weightIn reads the parameter q, which is 1 where it is left out. One that cannot be read asks for nothing.
func weightIn(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
