package keys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"signet/storage"
)

// Master is the key that wraps the ring's seal keys. It is kept apart from the store and its backups.
type Master struct{ sealer sealer }

// String keeps the key out of logs.
func (*Master) String() string { return "[master key]" }

// GoString is String, for %#v.
func (m *Master) GoString() string { return m.String() }

// NewMaster returns the master key of 32 random bytes.
func NewMaster(key [keySize]byte) *Master {
	s, err := newSealer(key[:])
	if err != nil {
		panic(err) // not with 32 bytes
	}
	return &Master{s}
}

// Opens reports whether m is the master key of a ring: nil, or ErrMasterKey.
func (m *Master) Opens(ring storage.Ring) error {
	_, err := openSealKeys(m, ring.Seals)
	return err
}

// maxMasterFile is more than any master key file; whatever is larger is another file.
const maxMasterFile = 1024

// LoadMaster reads the master key from a file: 32 random bytes as one line of base64 (44 characters), readable by its owner
// alone, or a systemd credential, which systemd guards. Every error says what to do. A missing file is fs.ErrNotExist.
func LoadMaster(path string) (*Master, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no master key at %s. Put it back from where you keep it: "+
			"without it nothing in the store can be signed or opened: %w", path, err)
	} else if err != nil {
		return nil, fmt.Errorf("the master key cannot be read. Check who owns %s: %w", path, err)
	}
	defer file.Close()
	if err := guarded(file); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxMasterFile))
	if err != nil {
		return nil, fmt.Errorf("the master key cannot be read: %w", err)
	}
	key, err := parseMaster(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a master key: %w", path, err)
	}
	return NewMaster(key), nil
}

// guarded refuses a file that others than its owner may touch.
func guarded(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("the master key cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("the master key must be a file, but %s is a %s", file.Name(), info.Mode().Type())
	}
	if info.Mode().Perm()&0o077 != 0 && !isCredential(file.Name()) {
		return fmt.Errorf("the master key %s can be read or changed by others than its owner (mode %04o). Run: chmod 600 %s",
			file.Name(), info.Mode().Perm(), file.Name())
	}
	return nil
}

// isCredential reports whether path lies in the folder that systemd made for this service (systemd.exec(5), LoadCredential=).
// Files there may be group-readable by mode while an access list says otherwise.
func isCredential(path string) bool {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if !filepath.IsAbs(folder) {
		return false
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	return filepath.Dir(path) == filepath.Clean(folder)
}

// parseMaster reads the text of a master key file. One newline at the end is what editors and echo leave.
func parseMaster(text []byte) (key [keySize]byte, err error) {
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if len(line) != base64.StdEncoding.EncodedLen(keySize) {
		return key, errMasterForm
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil || copy(key[:], decoded) != keySize || len(decoded) != keySize {
		return key, errMasterForm
	}
	return key, nil
}

var errMasterForm = errors.New("it must be one line of 44 characters, the base64 of 32 random bytes, " +
	"as `openssl rand -base64 32` prints it")

// MakeMaster makes a master key and stores it at path, mode 0600, durable before it returns. It never replaces a file: if
// there is one, or another process is faster, the error is fs.ErrExist.
func MakeMaster(path string) (*Master, error) {
	var key [keySize]byte
	copy(key[:], randomKey())
	if err := writeNew(path, base64.StdEncoding.EncodeToString(key[:])+"\n"); err != nil {
		return nil, fmt.Errorf("the master key cannot be made. It can also be made by hand: "+
			"(umask 077; openssl rand -base64 32 > %s): %w", path, err)
	}
	return NewMaster(key), nil
}

// writeNew makes a file appear whole or not at all. A hard link, unlike a rename, fails if the name is taken.
func writeNew(path, text string) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes the folder's entries durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
