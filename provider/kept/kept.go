// Package kept keeps a request for a moment under a one-time handle, while the browser goes from a POST to our own GET, or while a
// person answers a question. A cross-site POST carries no SameSite=Lax cookie, so it cannot be answered where it arrives.
package kept

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
)

// param holds the handle in the address.
const param = "request"

// Anybody can have a request kept, so what one address can make us keep is bounded.
const (
	maxForm    = 16 << 10 // bytes of one form; an id_token_hint and a long state fit
	perAddress = 200      // not taken yet
)

// Requests keeps and returns requests.
type Requests struct {
	Store storage.KeptRequests
	Base  string // path of the issuer
	Now   func() time.Time
}

// Keep stores the parameters for so long and returns where they can be taken: path with the handle. A request that is too long is a
// problem for the person in front of it.
func (k Requests) Keep(r *http.Request, p oauth.Params, path string, life time.Duration) (string, error) {
	form := p.Encode()
	if len(form) > maxForm {
		return "", &oauth.Error{Code: oauth.InvalidRequest, Description: "the request is longer than 16 KiB", Status: http.StatusRequestEntityTooLarge}
	}
	now := k.Now()
	h := storage.NewHandle(now.Add(life))
	row := storage.KeptRequest{
		ID: h.ID, SecretHash: h.Hash(), Form: form, Address: trail.Network(trail.Of(r.Context()).Address), Created: now, Expires: now.Add(life),
	}
	if err := k.Store.KeepRequest(r.Context(), row, perAddress); err != nil {
		return "", err
	}
	return k.Base + path + "?" + param + "=" + url.QueryEscape(h.String()), nil
}

// Take returns the parameters that r's address names, once.
func (k Requests) Take(r *http.Request) (oauth.Params, error) {
	h, err := storage.ParseHandle(r.URL.Query().Get(param))
	if err == nil {
		var row storage.KeptRequest
		if row, err = k.Store.TakeRequest(r.Context(), h, k.Now()); err == nil {
			return oauth.ParseQuery(row.Form)
		}
	}
	if errors.Is(err, storage.ErrNotFound) {
		return oauth.Params{}, &problem.Problem{Title: "This page is no longer valid", What: "This address was used already, or it is too old.",
			Who: problem.You, How: "Go back to the app and begin again from there."}
	}
	return oauth.Params{}, err
}
