package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"signet/claims"
	"signet/configs"
	"signet/keys"
	"signet/provider/issue"
	"signet/provider/statuslist"
	"signet/storage"
	"signet/storage/bolt"
)

// Names in the data folder; the socket's is admin.SocketName.
const (
	storeName  = "signet.db"
	masterName = "master.key"
)

// explain adds a fix to an error.
func explain(err error, fix string) error { return fmt.Errorf("%w; %s", err, fix) }

// checkFolder refuses a data folder that is not there, or that others may enter.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no data folder %s; signet serve makes it at its first start, or name another with --data", dir)
	case err != nil:
		return explain(err, "check who owns it, or name another with --data")
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder; name the data folder with --data", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others may enter the data folder %s, and with it whoever they are (its mode is %#o); chmod 700 %s, or name a folder inside it, "+
			"which is then made", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// ownFolder refuses to open what is in another user's folder, which root could: its owner can exchange every file in it, and files that
// we make there would be out of the owner's reach.
func ownFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return explain(err, "check who owns it, or name another with --data")
	}
	uid, ok := owner(info)
	if !ok || uid == os.Geteuid() {
		return nil
	}
	name, id := fmt.Sprintf("uid %d", uid), fmt.Sprintf("'#%d'", uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name, id = u.Username, u.Username
	}
	return fmt.Errorf("the data folder %s is %s's, not yours; do this as that user (sudo -u %s signet …), or start the server as that user, "+
		"which then answers the commands", dir, name, id)
}

// makeFolder makes the data folder if it is missing. The folder above it must be there: a mistyped path shall not become a tree.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		if err := checkFolder(dir); err != nil {
			return err
		}
		return ownFolder(dir)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data folder %s cannot be made, since %s is missing; make that first, or name another with --data", dir, filepath.Dir(dir))
	}
	return explain(err, "make it by hand (mkdir -m 700 "+dir+") as the user whom signet runs as, or name another with --data")
}

// withRoom says what to do about a disk that is full.
func withRoom(dir string, err error) error {
	if errors.Is(err, storage.ErrNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("no space is left for the data folder %s; make room on its disk and try again (%w)", dir, err)
	}
	return err
}

// openStore opens the store of a data folder. Only a server makes one: a command on the wrong folder shall not.
func openStore(ctx context.Context, cfg configs.Config, patience time.Duration, log *slog.Logger, make bool) (storage.Store, error) {
	if cfg.Postgres() {
		return openPostgres(ctx, cfg, log, make)
	}
	path := filepath.Join(cfg.Data, storeName)
	if _, err := os.Stat(path); !make && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store in %s; signet serve makes it at its first start, or name another folder with --data", cfg.Data)
	}
	o := bolt.Options{Path: path, Timeout: patience, Log: log}
	if !make {
		o.Fatal = func(error) {} // the command is refused with the reason, and prints that
	}
	store, err := bolt.Open(o)
	if errors.Is(err, fs.ErrPermission) {
		err = explain(err, "become the user whom signet runs as, or give the file to the one you are")
	}
	if err != nil {
		return nil, err // a nil store of bolt's would not be none
	}
	return store, nil
}

// masterPath is where the master key is: the configured file, a systemd credential, or master.key in the data folder.
func (a *app) masterPath(cfg configs.Config) string {
	if cfg.MasterKeyFile != "" {
		return cfg.MasterKeyFile
	}
	if folder := a.getenv("CREDENTIALS_DIRECTORY"); folder != "" {
		if path := filepath.Join(folder, masterName); !missing(path) {
			return path
		}
	}
	return filepath.Join(cfg.Data, masterName)
}

// missing reports whether there is nothing at path, not even something that we may not read.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// master loads the master key. The one in the data folder is made at the first start. A store that has keys is not given another one:
// what they seal would be lost.
func (a *app) master(ctx context.Context, cfg configs.Config, store storage.Rings) (*keys.Master, error) {
	path := a.masterPath(cfg)
	master, err := keys.LoadMaster(path)
	if !errors.Is(err, fs.ErrNotExist) || cfg.MasterKeyFile != "" {
		return master, err
	}
	ring, ringErr := store.Ring(ctx)
	if ringErr != nil {
		return nil, ringErr
	}
	if ring.Revision > 0 {
		return nil, explain(err, "if it is elsewhere, name it with "+configs.Env("master_key_file")+", or as master_key_file in the file of --config")
	}
	return keys.MakeMaster(path)
}

func (a *app) getenv(name string) string {
	value := ""
	for _, e := range a.env { // the last one counts, as for the shell
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

func openKeys(ctx context.Context, cfg configs.Config, store storage.Rings, master *keys.Master, log *slog.Logger) (*keys.Keys, error) {
	o := keyOptions(cfg)
	o.Store, o.Master, o.Log = store, master, log
	return keys.Open(ctx, o)
}

// keyOptions is what the configuration says of the keys.
func keyOptions(cfg configs.Config) keys.Options {
	return keys.Options{
		Algs: cfg.Keys.OfRing(), Encryption: cfg.EncryptedRequests,
		Rotate: cfg.Keys.RotateEvery, Announce: cfg.Keys.Announce,
		MaxToken:   max(cfg.Lifetimes.AccessToken, cfg.Lifetimes.IDToken, statuslist.Life),
		MaxSession: max(cfg.Lifetimes.SessionAbsolute, cfg.Lifetimes.SessionKept), MaxFamily: cfg.Lifetimes.RefreshAbsolute,
	}
}

func newIssuer(cfg configs.Config, catalogue *claims.Catalogue, store storage.Store, k *keys.Keys) *issue.Issuer {
	var places *statuslist.Places
	if cfg.AccessTokens.StatusList {
		places = statuslist.NewPlaces(cfg.Issuer, k)
	}
	return issue.New(issue.Options{
		Status: places, Issuer: cfg.Issuer, Keys: k, Resources: store, Families: store, Denials: store, Clients: store, HS256: cfg.Keys.HS256(), Claims: catalogue,
		IDToken: cfg.Lifetimes.IDToken, Now: time.Now,
	})
}
