package main

import (
	"os"
	"regexp"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if done, err := obeyed(); done { // the servers are this program again
		exit(err)
		return
	}
	os.Exit(m.Run())
}

// Every row is asked and answered. The figures are nobody's business here.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers and signs people in")
	}
	s := settings{duration: 20 * time.Millisecond, rounds: 1, workers: []int{4}, families: 8, run: regexp.MustCompile(""), log: true, storage: onBolt}
	if err := measure(s); err != nil {
		t.Fatal(err)
	}
}

func TestMine(t *testing.T) {
	t.Parallel()
	all := make([]int, 10)
	for n := range 3 {
		w := &worker{number: n, of: 3}
		for w.turn = range 12 {
			*mine(w, all) |= 1 << n
		}
	}
	for i, users := range all {
		if users != 1<<(i%3) {
			t.Errorf("row %d was used by %b, want worker %d alone", i, users, i%3)
		}
	}
}
