package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"signet/clients"
	"signet/fields"
	"signet/keys"
	"signet/storage"
)

// Folder is what the server's own folder and its socket tell. What is not known is left zero.
type Folder struct {
	Issuer    string
	Data      string // the folder
	MasterKey string // the file
	Problem   string // why the server is not ready; "": it is
	Versions  [2]string
	Clients   []storage.Client
	Keys      []keys.Info
	Now       time.Time

	Free func(folder string) (free, size uint64, err error) // of its disk; nil: nobody can say
}

// Inside checks what nobody sees from outside.
func Inside(f Folder) []Finding {
	var all []Finding
	say := func(check string, s Status, where, fix, format string, args ...any) {
		all = append(all, Finding{check, s, fmt.Sprintf(format, args...), where, fix})
	}
	if f.Problem != "" {
		say("ready", Failure, f.Data, "docs/operation.md has what to do", "the server is not ready: %s", f.Problem)
	} else {
		say("ready", OK, "", "", "storage and keys can do their work")
	}
	if f.Versions[0] != f.Versions[1] {
		say("version", Warning, f.Data, "restart the server, if this program is the newer one", "the server is of version %s, this program of %s", f.Versions[0], f.Versions[1])
	}
	f.schedule(say)
	f.master(say)
	f.disk(say)
	f.redirects(say)
	return all
}

type sayer func(check string, s Status, where, fix, format string, args ...any)

// schedule looks at whether keys change as they should: an active and a next one for each algorithm, and none that is late.
func (f Folder) schedule(say sayer) {
	const grace = 5 * time.Minute // keys are looked after once in a minute
	active, next := map[string]keys.Info{}, map[string]bool{}
	var algs []string
	for _, k := range f.Keys {
		switch k.State {
		case keys.Active:
			active[k.Alg] = k
			algs = append(algs, k.Alg)
		case keys.Next:
			next[k.Alg] = true
		}
	}
	var soonest keys.Info
	bad := false
	for _, alg := range algs {
		k := active[alg]
		switch {
		case !next[alg]:
			bad = true
			say("rotation", Warning, "", "see signet key list; an algorithm that was turned off has none, and its key is on its way out", "no key is announced to follow %s (%s)", k.KID, alg)
		case !k.Until.IsZero() && f.Now.Sub(k.Until) > grace:
			bad = true
			say("rotation", Failure, "", "see the log for what keeps the keys from being looked after", "key %s (%s) should have been followed by another at %s", k.KID, alg, date(k.Until))
		case soonest.KID == "" || k.Until.Before(soonest.Until):
			soonest = k
		}
	}
	switch {
	case len(f.Keys) == 0 || bad:
	case soonest.Until.Sub(f.Now) < 24*time.Hour:
		say("rotation", OK, "", "", "%s changes in %s; the key that follows is published already", soonest.Alg, days(soonest.Until.Sub(f.Now)))
	default:
		say("rotation", OK, "", "", "the first to change is %s, in %s; each has its successor published", soonest.Alg, days(soonest.Until.Sub(f.Now)))
	}
}

// master looks at the file of the master key.
func (f Folder) master(say sayer) {
	if f.MasterKey == "" {
		return
	}
	_, err := keys.LoadMaster(f.MasterKey)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		say("master-key", Failure, f.MasterKey, "put it back from where you keep it, before the server ends: it will not start again without", "the master key is gone")
	case errors.Is(err, fs.ErrPermission):
		say("master-key", Warning, f.MasterKey, "ask as the user whom the server runs as", "the master key cannot be looked at from here")
	case err != nil:
		say("master-key", Failure, f.MasterKey, "", "%v", err)
	default:
		say("master-key", OK, "", "", "its owner alone may read %s", f.MasterKey)
	}
	if info, err := os.Stat(f.Data); err == nil && info.Mode().Perm()&0o077 != 0 {
		say("folder", Failure, f.Data, "chmod 700 "+f.Data, "others may enter the data folder (mode %#o)", info.Mode().Perm())
	}
}

// How much of a disk should be left: a full one refuses every sign-in.
const (
	roomSoon = 1 << 30
	roomLate = 128 << 20
)

func (f Folder) disk(say sayer) {
	if f.Free == nil {
		return
	}
	free, size, err := f.Free(f.Data)
	if err != nil || size == 0 {
		return
	}
	const mib = 1 << 20
	s := OK
	switch {
	case free < roomLate:
		s = Failure
	case free < roomSoon && free < size/10:
		s = Warning
	}
	if s == OK {
		say("disk", OK, "", "", "%d MiB of %d are free", free/mib, size/mib)
		return
	}
	say("disk", s, f.Data, "make room: on a full disk nobody signs in", "%d MiB of %d are free", free/mib, size/mib)
}

// redirects looks for redirect URIs that cannot work, or that lead into the wrong hands. What the rules of registration refuse is not
// looked for: it is not there.
func (f Folder) redirects(say sayer) {
	issuer, err := url.Parse(f.Issuer)
	if err != nil {
		return
	}
	public := !fields.Loopback(issuer) && !privateHost(issuer.Hostname()) // otherwise its apps may well be where it is
	looked, bad := 0, 0
	for _, c := range f.Clients {
		if !clients.Allows(c, clients.GrantCode) {
			continue
		}
		for _, uri := range c.RedirectURIs {
			looked++
			if text, fix := redirectFault(c, uri, public); text != "" {
				bad++
				say("redirects", Warning, uri, fmt.Sprintf("%s (signet client set %s --redirect-uri …)", fix, c.ID), "client %s (%s): %s", c.ID, c.Name, text)
			}
		}
	}
	if looked > 0 && bad == 0 {
		say("redirects", OK, "", "", "%d of %d clients look sound", looked, len(f.Clients))
	}
}

// redirectFault says what is wrong with a redirect URI where the issuer is public, "" if nothing is.
func redirectFault(c storage.Client, uri string, public bool) (text, fix string) {
	u, err := url.Parse(uri)
	web := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	switch {
	case err != nil || uri != strings.TrimSpace(uri):
		return "a redirect URI has spaces around it, or is none", "write it as the app sends it, byte for byte"
	case strings.Contains(uri, "*"):
		return "a redirect URI has a *, which stands for itself alone here", "register each one as the app sends it"
	case !web || c.Type == "native":
		return "", "" // an app's own scheme or its loopback port: RFC 8252 section 7
	case fields.Loopback(u) && public:
		return "a redirect URI leads to the machine of whoever signs in, and the issuer is public", "remove it when the app is not being developed any more"
	case fields.Loopback(u):
		return "", ""
	case u.Scheme == "http":
		return "a redirect URI is plain http: codes pass where anybody on the way reads them", "serve the app by https and register that"
	case public && privateHost(u.Hostname()):
		return "a redirect URI leads to a private address or name, which most browsers cannot reach", "register the address that people open"
	}
	return "", ""
}

// privateHost reports whether a host has no meaning on the internet: RFC 1918, RFC 4193, RFC 6761, RFC 6762.
func privateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate() || addr.IsLinkLocalUnicast() || addr.IsUnspecified()
	}
	for _, end := range []string{".local", ".internal", ".test", ".example", ".invalid", ".localhost"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}
