package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// core picks one of the cores that the process may run on.
type core func(cores []int) int

func first(cores []int) int { return cores[0] }
func last(cores []int) int  { return cores[len(cores)-1] }

// coresVariable, which is none of Signet's, tells children which cores there are: they inherit the one that their parent was kept on.
const coresVariable = "BENCH_CORES"

// pin keeps this process on one core, threads that it starts later too, and says so. On a single core there is nothing to keep apart.
func pin(pick core) (string, error) {
	cores, err := allowed()
	if err != nil {
		return "", err
	}
	if len(cores) < 2 {
		return "one core for servers and load: rates and latencies mean little", nil
	}
	var set unix.CPUSet
	set.Set(pick(cores))
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return "", err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = unix.SchedSetaffinity(id, &set)
		}
		if err != nil {
			return "", fmt.Errorf("keeping thread %s on core %d: %w", thread.Name(), pick(cores), err)
		}
	}
	return fmt.Sprintf("servers on core %d, load on core %d of %d", first(cores), last(cores), len(cores)), nil
}

// spread lets the process that start starts run on all cores.
func spread(start func() error) error {
	cores, err := allowed()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the new process takes after this thread
	defer runtime.UnlockOSThread()
	var before, all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, n := range cores {
		all.Set(n)
	}
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		return err
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &before))
}

// allowed are the cores that the first process was given.
func allowed() (cores []int, err error) {
	if told := os.Getenv(coresVariable); told != "" {
		for text := range strings.SplitSeq(told, " ") {
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, err
			}
			cores = append(cores, n)
		}
		return cores, nil
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	for n := range len(set) * 64 {
		if set.IsSet(n) {
			cores = append(cores, n)
		}
	}
	return cores, os.Setenv(coresVariable, strings.Trim(fmt.Sprint(cores), "[]"))
}

// machine is the CPU's name.
func machine() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
