package bolt

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"signet/storage"
)

// TestMain lets the test's own program play the other process: a holder of the lock, a victim of kill -9, a process whose files
// may not grow.
func TestMain(m *testing.M) {
	part, path := os.Getenv("SIGNET_TEST_PART"), os.Getenv("SIGNET_TEST_PATH")
	if part == "" {
		os.Exit(m.Run())
	}
	err := fmt.Errorf("there is no part %q", part)
	if play, ok := parts[part]; ok {
		err = play(path)
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

var parts = map[string]func(path string) error{
	"hold":   hold,
	"rotate": rotateForEver,
	"end":    endForEver,
	"fatal":  failFatally,
	"fill":   fillUp,
	"first":  firstWithoutRoom,
}

// hold opens the store, says so, and keeps it until its input ends.
func hold(path string) error {
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// other is another process of the test's program.
type other struct {
	*exec.Cmd
	lines *bufio.Scanner
}

// start runs a part. The process is killed at the end of the test.
func start(t *testing.T, part, path string) *other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIGNET_TEST_PART="+part, "SIGNET_TEST_PATH="+path)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
	})
	return &other{cmd, bufio.NewScanner(out)}
}

// line is the next line that the process prints.
func (o *other) line(t *testing.T) string {
	t.Helper()
	if !o.lines.Scan() {
		t.Fatal("the other process said nothing")
	}
	return o.lines.Text()
}

// saveUser is a small durable act.
func saveUser(s *Store, sub string) error {
	_, err := s.SaveUser(background, storage.User{Sub: sub, Name: sub}, false, storage.Change{Now: epoch})
	return err
}
