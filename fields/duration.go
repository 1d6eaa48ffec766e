package fields

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a field of a time span, as [ParseDuration] reads it.
func Duration[T any](name, help string, at func(*T) *time.Duration) Field[T] {
	return Field[T]{
		Name: name, Help: help,
		Set: func(r *T, values []string) error {
			d, err := ParseDuration(values[0])
			if err != nil {
				return err
			}
			*at(r) = d
			return nil
		},
		Get: func(r *T) []string { return []string{FormatDuration(*at(r))} },
	}
}

var days = regexp.MustCompile(`^(\d{1,6})d(.*)$`)

// ParseDuration reads a duration as Go writes it, with days ("d") in front where there are any: 10m, 1h30m, 90d, 1d12h. Never
// negative.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration; write it like 10s, 5m, 12h or 30d", s)
	var sum time.Duration
	rest := s
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 100*365 {
			return 0, bad
		}
		sum, rest = time.Duration(n)*24*time.Hour, m[2]
		if rest == "" {
			return sum, nil
		}
	}
	if rest != "" && strings.Trim(rest, "0123456789") == "" && rest != "0" {
		return 0, fmt.Errorf("%q has no unit; write %ss if seconds are meant", s, s)
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.ContainsAny(rest, "+-") || d > 100*365*24*time.Hour {
		return 0, bad
	}
	return sum + d, nil
}

// FormatDuration writes what ParseDuration reads, as a person would.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
