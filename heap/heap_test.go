package heap

import (
	"runtime"
	"testing"
)

// collections counts how often the garbage collector runs while 256 MiB of garbage are made.
func collections() uint32 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 256 << 10 {
		garbage = make([]byte, 1<<10)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

var garbage []byte

func TestReserve(t *testing.T) {
	Reserve()
	if n := collections(); n > 20 {
		t.Errorf("%d collections of 256 MiB; without a reserve there are about 64, and with it less than 16", n)
	}
}
