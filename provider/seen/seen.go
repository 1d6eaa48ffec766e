// Package seen tells the operator's own tool how a request looks when it arrives here, behind all proxies: whose it is thought to be, by
// which host and scheme. Nobody else is told: the page's address holds a MAC by a key of the ring, is handed out over the operator's socket
// alone, and is good for a minute. All nodes on one store know the same keys, so any of them may answer.
package seen

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"signet/provider/oauth"
	"signet/provider/trail"
)

// Path is the page's, below the issuer; a segment of its own follows.
const Path = "/doctor"

// Seen is how a request arrived.
type Seen struct {
	Address string `json:"address"`         // whose it is, as far as trusted proxies vouch
	Peer    string `json:"peer"`            // the connection's other end
	Proxied bool   `json:"proxied"`         // there are trusted proxies
	Host    string `json:"host"`            // the header
	Proto   string `json:"proto,omitempty"` // X-Forwarded-Proto
	For     string `json:"for,omitempty"`   // X-Forwarded-For
}

// Keys make the MAC; [signet/keys.Keys] is one.
type Keys interface {
	MAC(key uint32, data []byte) ([32]byte, error)
	MACKey() uint32
}

// Page is the page of one provider.
type Page struct {
	Issuer  string
	Keys    Keys
	Proxied bool
	Now     func() time.Time
}

// life is how long an address is good.
const life = time.Minute

// A handle is when it ends, in Unix seconds, the id of the MAC's key, and the MAC.
const handleSize = 8 + 4 + 32

// Open returns the page's path, good for a minute.
func (p Page) Open() (string, error) {
	h := binary.BigEndian.AppendUint64(nil, uint64(p.Now().Add(life).Unix()))
	h = binary.BigEndian.AppendUint32(h, p.Keys.MACKey())
	mac, err := p.mac(h)
	if err != nil {
		return "", err
	}
	return Path + "/" + base64.RawURLEncoding.EncodeToString(append(h, mac[:]...)), nil
}

func (p Page) mac(h []byte) ([32]byte, error) {
	return p.Keys.MAC(binary.BigEndian.Uint32(h[8:]), append([]byte("signet doctor\x00"+p.Issuer+"\x00"), h...))
}

// good reports whether a handle is one of ours and not over.
func (p Page) good(handle string) bool {
	h, err := base64.RawURLEncoding.Strict().DecodeString(handle)
	if err != nil || len(h) != handleSize {
		return false
	}
	mac, err := p.mac(h[:12:12])
	return err == nil && hmac.Equal(mac[:], h[12:]) && uint64(p.Now().Unix()) < binary.BigEndian.Uint64(h)
}

// Get answers GET {Path}/{handle}; whoever brings another handle finds no page.
func (p Page) Get(w http.ResponseWriter, r *http.Request, missing http.HandlerFunc) {
	if !p.good(chi.URLParam(r, "handle")) {
		missing(w, r)
		return
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	_ = oauth.WriteJSON(w, Seen{
		Address: trail.Of(r.Context()).Address, Peer: peer, Proxied: p.Proxied, Host: r.Host,
		Proto: r.Header.Get("X-Forwarded-Proto"), For: r.Header.Get("X-Forwarded-For"),
	})
}
