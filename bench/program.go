package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// program is a start of the real one.
type program struct {
	firstAnswer time.Duration // since it was started
	resident    int64         // bytes, a second after that
}

// build builds the program as a release does, and says how large it is.
func build(folder string) (path string, size int64, err error) {
	path = filepath.Join(folder, "signet")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "signet/cmd/signet")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", 0, fmt.Errorf("building signet: %w\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size(), nil
}

// run starts the real program on the store, on all cores, asks it something, and ends it.
func (b *bed) run(binary string) (p program, err error) {
	cmd := exec.Command(binary, "serve", "--issuer", "http://"+b.Address, "--listen", b.Address, "--data", b.Folder)
	cmd.Env = os.Environ()
	if b.URL != "" {
		file := filepath.Join(b.Folder, "url")
		if err := os.WriteFile(file, []byte(b.URL), 0o600); err != nil {
			return p, err
		}
		cmd.Env = append(cmd.Env, "SIGNET_STORAGE_FILE="+file)
	}
	log, err := os.Create(filepath.Join(b.Folder, "program.log"))
	if err != nil {
		return p, err
	}
	defer log.Close()
	cmd.Stderr = log
	began := time.Now()
	if err := spread(cmd.Start); err != nil {
		return p, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := b.answered(began, ended); err != nil {
		return p, errors.Join(err, told(log.Name()))
	}
	p.firstAnswer = time.Since(began)
	time.Sleep(time.Second)
	p.resident = resident(cmd.Process.Pid)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return p, err
	}
	if err := <-ended; err != nil {
		return p, errors.Join(err, told(log.Name()))
	}
	return p, nil
}

// answered waits for the first right answer.
func (b *bed) answered(began time.Time, ended chan error) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, b.Address)
	}}}
	for time.Since(began) < time.Minute {
		select {
		case err := <-ended:
			return fmt.Errorf("signet ended before it answered: %w", err)
		default:
		}
		answer, err := client.Get("http://" + b.Address + "/.well-known/openid-configuration")
		if err != nil {
			time.Sleep(time.Millisecond / 2)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("signet does not answer")
}

// told is what a program wrote.
func told(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.New(string(text))
}
