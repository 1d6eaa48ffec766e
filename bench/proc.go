package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// resident is how much of the machine's memory a process has, in bytes; 0 where the system does not say.
func resident(pid int) int64 {
	return kibibytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// proportional is resident with what several processes share divided among them.
func proportional(pid int) int64 {
	return kibibytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

func kibibytes(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// ran is the CPU time of a process with one thread, to the nanosecond; 0 where the system does not say.
func ran(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	nanoseconds, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(nanoseconds, 10, 64)
	return time.Duration(n)
}
