package keys_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/keys"
	"signet/keys/keystest"
)

func TestMakeMaster(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "master.key")
	made, err := keys.MakeMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 45 {
		t.Fatal(info.Mode(), info.Size(), err)
	}
	loaded, err := keys.LoadMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	store, c := new(keystest.Rings), newClock()
	o := options(store, c)
	o.Master = made
	open(t, o)
	o.Master = loaded
	open(t, o)

	t.Run("it never replaces a key", func(t *testing.T) {
		before, _ := os.ReadFile(path)
		if _, err := keys.MakeMaster(path); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Error("the key was replaced")
		}
	})
	t.Run("of several at once one makes it", func(t *testing.T) {
		path := filepath.Join(folder, "race.key")
		made := make([]bool, 8)
		parallel(8, func(i int) {
			_, err := keys.MakeMaster(path)
			made[i] = err == nil
			if err != nil && !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
		n := 0
		for _, m := range made {
			if m {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d made it", n)
		}
	})
	t.Run("nothing is left behind", func(t *testing.T) {
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 2 {
			t.Error(entries, err)
		}
	})
	t.Run("a folder that is not there", func(t *testing.T) {
		if _, err := keys.MakeMaster(filepath.Join(folder, "none", "master.key")); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("it does not print", func(t *testing.T) {
		text, _ := os.ReadFile(path)
		if got := fmt.Sprintf("%v %+v %#v %s", made, made, made, made); strings.Contains(got, strings.TrimSpace(string(text))) ||
			strings.Contains(got, "0x") {
			t.Error(got)
		}
	})
}

func TestLoadMasterRefuses(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, c := range []struct {
		name, text string
		mode       fs.FileMode
		want       string // in the error; "" is none
	}{
		{"one line", good + "\n", 0o600, ""},
		{"no newline", good, 0o400, ""},
		{"a newline of Windows", good + "\r\n", 0o600, ""},
		{"readable by the group", good, 0o640, "chmod 600"},
		{"readable by all", good, 0o604, "chmod 600"},
		{"writable by the group", good, 0o620, "chmod 600"},
		{"empty", "", 0o600, "openssl rand"},
		{"short", good[:40], 0o600, "openssl rand"},
		{"long", good + "AAAA", 0o600, "openssl rand"},
		{"two lines", good + "\n\n", 0o600, "openssl rand"},
		{"a line break within", good[:20] + "\n" + good[21:], 0o600, "openssl rand"},
		{"base64url", strings.Repeat("-", 43) + "=", 0o600, "openssl rand"},
		{"bits left over", strings.Repeat("A", 42) + "B=", 0o600, "openssl rand"},
		{"33 bytes", strings.Repeat("A", 44), 0o600, "openssl rand"},
		{"31 bytes", strings.Repeat("A", 42) + "==", 0o600, "openssl rand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
			_, err := keys.LoadMaster(path)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)):
				t.Errorf("%v: neither %q nor the path", err, c.want)
			case c.want != "" && len(c.text) > 20 && strings.Contains(err.Error(), c.text[:20]):
				t.Error("the key is in the error")
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		if _, err := keys.LoadMaster(filepath.Join(t.TempDir(), "master.key")); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		t.Parallel()
		if _, err := keys.LoadMaster(t.TempDir()); err == nil || !strings.Contains(err.Error(), "must be a file") {
			t.Error(err)
		}
	})
}

// systemd.exec(5): credentials are guarded by the folder and by access lists, whatever their mode says.
func TestLoadMasterFromSystemd(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", folder)
	good := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o440); err != nil {
			t.Fatal(err)
		}
	}
	inside, outside := filepath.Join(folder, "master"), filepath.Join(t.TempDir(), "master")
	beside := folder + "-master"
	write(beside)
	if _, err := keys.LoadMaster(beside); err == nil {
		t.Error("a file beside the folder passes as a credential")
	}
	write(inside)
	write(outside)
	if _, err := keys.LoadMaster(inside); err != nil {
		t.Error(err)
	}
	if _, err := keys.LoadMaster(outside); err == nil {
		t.Error("a file elsewhere passes as a credential")
	}
	if _, err := keys.LoadMaster(filepath.Join(folder, "..", filepath.Base(filepath.Dir(outside)), "master")); err == nil {
		t.Error("a path through the folder passes as a credential")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := keys.LoadMaster(inside); err == nil {
		t.Error("without systemd the mode counts")
	}
}
