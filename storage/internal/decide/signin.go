package decide

import (
	"net/netip"
	"slices"
	"time"

	"signet/audit"
	"signet/network"
	"signet/storage"
	"signet/storage/codec"
)

// SignedIn is what a sign-in stores.
type SignedIn struct {
	Browser     storage.Browser     // new
	Session     storage.Session     // new, or the one that goes on
	GoesOn      bool                // Session is one of those at the browser before
	Moved       []storage.Session   // of other accounts, to the new browser
	Interaction storage.Interaction // changed
	History     storage.History     // with Note, the last of its notes
	Note        storage.SignInNote
	Entry       audit.Entry
}

// SignIn decides a sign-in. The interaction is open; user is zero if there is none; before are the live sessions at the browser
// until now, history is the user's.
func SignIn(in storage.SignIn, i storage.Interaction, user storage.User, before []storage.SessionUser, history storage.History) (SignedIn, error) {
	if user.Sub == "" || user.Sub != in.Session.User || user.Disabled || user.Epoch != in.Session.Epoch {
		return SignedIn{}, storage.ErrEnded
	}
	s := SignedIn{Browser: in.Browser, Session: in.Session}
	s.Browser.Sessions, s.Browser.Expires = nil, in.Session.Expires
	for _, su := range before {
		if su.Session.User == user.Sub {
			s.Session, s.GoesOn = goOn(su.Session, in.Session), true
			continue
		}
		su.Session.Browser = in.Browser.ID
		s.Moved = append(s.Moved, su.Session)
		s.Browser.Sessions = append(s.Browser.Sessions, su.Session.ID)
		if su.Session.Expires.After(s.Browser.Expires) {
			s.Browser.Expires = su.Session.Expires
		}
	}
	s.Session.Browser = in.Browser.ID
	s.Browser.Sessions = append(s.Browser.Sessions, s.Session.ID)

	i.Session, i.Chosen = s.Session.ID, false
	if i.Return != "" { // nothing else will answer it
		i = SpendInteraction(i)
	}
	s.Interaction = i
	s.History, s.Note = noteSignIn(history, storage.SignInNote{
		Time: codec.UTC(in.Session.Created), Address: s.Session.Address, UserAgent: s.Session.UserAgent, AMR: s.Session.AMR,
		Client: i.Request.Client, Session: s.Session.ID,
	}, in.Device)
	s.History.User = user.Sub
	s.Entry = audit.Entry{
		Time: in.Session.Created, Event: audit.SignInSucceeded, Origin: in.Origin,
		Client: i.Request.Client, User: user.Sub, Session: s.Session.ID.String(),
	}
	return s, nil
}

// goOn is a session after its account signed in again, as the new one says. It is still the session that clients know.
func goOn(old, signedIn storage.Session) storage.Session {
	signedIn.ID, signedIn.Created, signedIn.Clients, signedIn.Withdrawn = old.ID, old.Created, old.Clients, old.Withdrawn
	return signedIn
}

// SelectSession says whether a live session of a live browser may be gone on with, and what the interaction becomes.
func SelectSession(i storage.Interaction, b storage.Browser, session storage.SessionUser, now time.Time) (storage.Interaction, error) {
	if !slices.Contains(b.Sessions, session.Session.ID) || session.Session.Live(session.User, now) != nil {
		return i, storage.ErrEnded
	}
	i.Session, i.Chosen = session.Session.ID, true
	return i, nil
}

// noteSignIn adds a sign-in to a history, and says what was unusual about it.
func noteSignIn(h storage.History, n storage.SignInNote, device storage.Hash) (storage.History, storage.SignInNote) {
	n.Unusual = unusual(h, n, device)
	h.Devices = useDevice(h.Devices, device, n)
	return AddNote(h, n), n
}

// unusual compares a sign-in with those before it. Failed attempts make neither a device nor a network known: whoever guesses
// would otherwise introduce themselves.
func unusual(h storage.History, n storage.SignInNote, device storage.Hash) (what []string) {
	succeeded := func(n storage.SignInNote) bool { return !n.Failed }
	if len(h.Devices) == 0 && !slices.ContainsFunc(h.Notes, succeeded) {
		return nil
	}
	if device.IsZero() || !slices.ContainsFunc(h.Devices, func(d storage.Device) bool { return d.Hash == device }) {
		what = append(what, storage.UnusualDevice)
	}
	from := networkOf(n.Address)
	if from.IsValid() && !slices.ContainsFunc(h.Notes, func(n storage.SignInNote) bool { return !n.Failed && networkOf(n.Address) == from }) {
		what = append(what, storage.UnusualNetwork)
	}
	if failuresBefore(h) >= manyFailures {
		what = append(what, storage.UnusualFailures)
	}
	return what
}

// manyFailures is how many failed attempts make a sign-in after them unusual.
const manyFailures = 3

// failuresBefore counts the failed attempts since the last sign-in.
func failuresBefore(h storage.History) (n int) {
	for _, note := range slices.Backward(h.Notes) {
		if !note.Failed {
			break
		}
		n++
	}
	return n
}

// networkOf is the neighbourhood of an address: /24 or /48. It is wider than what attempts are counted by (a provider moves its
// customers within such a block); the zero prefix for what is no address.
func networkOf(address string) netip.Prefix { return network.Of(address, 24, 48) }

// useDevice puts a device last, where the last used one is.
func useDevice(devices []storage.Device, hash storage.Hash, n storage.SignInNote) []storage.Device {
	if hash.IsZero() {
		return devices
	}
	used := storage.Device{Hash: hash, First: n.Time, Last: n.Time}
	others := make([]storage.Device, 0, len(devices)+1)
	for _, d := range devices {
		if d.Hash == hash {
			used.First = d.First
			continue
		}
		others = append(others, d)
	}
	others = append(others, used)
	return others[max(len(others)-storage.HistoryDevices, 0):]
}

// AddNote adds a note to a history, within its bounds.
func AddNote(h storage.History, n storage.SignInNote) storage.History {
	n.Time = codec.UTC(n.Time)
	notes := append(slices.Clone(h.Notes), n)
	failures := 0
	for _, n := range notes {
		if n.Failed {
			failures++
		}
	}
	if failures > storage.HistoryFailures {
		oldest := slices.IndexFunc(notes, func(n storage.SignInNote) bool { return n.Failed })
		notes = slices.Delete(notes, oldest, oldest+1)
	}
	h.Notes = notes[max(len(notes)-storage.HistoryNotes, 0):]
	return h
}

// Failed is a history with a sign-in to the user's account that failed.
func Failed(h storage.History, sub string, n storage.SignInNote) storage.History {
	h.User, n.Failed = sub, true
	return AddNote(h, n)
}
