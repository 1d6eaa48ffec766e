package bolt

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// lockHolder names the process that holds the lock of a file, from /proc/locks.
func lockHolder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return anotherProcess
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return anotherProcess
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return anotherProcess
	}
	defer locks.Close()
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], fmt.Sprintf(":%d", stat.Ino)) {
			continue
		}
		name, err := os.ReadFile("/proc/" + fields[4] + "/comm")
		if err != nil { // it lives in another container, or just ended
			return anotherProcess
		}
		return fmt.Sprintf("process %s (%s)", fields[4], strings.TrimSpace(string(name)))
	}
	return anotherProcess
}
