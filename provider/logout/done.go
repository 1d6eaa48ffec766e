package logout

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"time"

	"signet/provider/ending"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Keys make the MAC of addresses; [signet/keys.Keys] is one.
type Keys interface {
	MAC(key uint32, data []byte) ([32]byte, error)
	MACKey() uint32
}

const (
	doneFor = 10 * time.Minute // how long the last page can be looked at
	looks   = time.Minute      // how long it looks again by itself while clients are being told
)

// The last page's address holds a handle: when it ends (Unix seconds), the id of the MAC's key, the ending, and the MAC. Nobody else is told
// which apps somebody used; and no link from elsewhere can say that one is signed out.
const handleSize = 8 + 4 + len(storage.ID{}) + 32

// done is the address of the page that says how far an ending is.
func (e *Endpoint) done(id storage.ID) (string, error) {
	h := binary.BigEndian.AppendUint64(nil, uint64(e.Now().Add(doneFor).Unix()))
	h = binary.BigEndian.AppendUint32(h, e.Keys.MACKey())
	h = append(h, id[:]...)
	mac, err := e.mac(h)
	if err != nil {
		return "", err
	}
	return e.Base + DonePath + "?" + url.Values{"of": {base64.RawURLEncoding.EncodeToString(append(h, mac[:]...))}}.Encode(), nil
}

func (e *Endpoint) mac(h []byte) ([32]byte, error) {
	return e.Keys.MAC(binary.BigEndian.Uint32(h[8:]), append([]byte("signet logout done\x00"+e.Name+"\x00"), h...))
}

// endingOf returns the ending of a handle of ours, and how long the handle is good.
func (e *Endpoint) endingOf(handle string) (id storage.ID, left time.Duration, ok bool) {
	h, err := base64.RawURLEncoding.Strict().DecodeString(handle)
	if err != nil || len(h) != handleSize {
		return id, 0, false
	}
	signed := h[: handleSize-32 : handleSize-32]
	mac, err := e.mac(signed)
	left = time.Unix(int64(binary.BigEndian.Uint64(h)), 0).Sub(e.Now())
	copy(id[:], h[12:])
	return id, left, err == nil && hmac.Equal(mac[:], h[handleSize-32:]) && left > 0
}

// Done says that one is signed out, and which clients have been told.
func (e *Endpoint) Done(w http.ResponseWriter, r *http.Request) error {
	id, left, ok := e.endingOf(r.URL.Query().Get("of"))
	if !ok {
		return &problem.Problem{Title: "This page is no longer valid", What: "This address was used already, or it is too old.",
			Who: problem.You, How: "Go back to the app and begin again from there."}
	}
	receipts, err := e.Receipts.Of(r.Context(), id)
	if err != nil {
		return err
	}
	page := web.SignedOut{Waiting: ending.Pending(receipts) && left > doneFor-looks}
	for _, c := range receipts {
		page.Told = append(page.Told, c.Shown(c.Name, time.UTC))
	}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}
