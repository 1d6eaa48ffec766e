package logout

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"signet/provider/oauth"
	"signet/provider/session"
	"signet/storage"
	"signet/web"
)

// front is the page that loads the frontchannel_logout_uri of each client that took part in sessions that ended: OpenID Connect Front-Channel
// Logout 1.0, section 3. Without such clients it has no frames.
func (e *Endpoint) front(ctx context.Context, ended []storage.Session) (web.SigningOut, error) {
	var page web.SigningOut
	for _, s := range ended {
		for _, id := range s.Clients {
			client, err := e.Store.Client(ctx, id)
			switch {
			case errors.Is(err, storage.ErrNotFound):
				continue
			case err != nil:
				return page, err
			case client.FrontchannelLogoutURI == "":
				continue
			}
			page.Frames = append(page.Frames, e.frame(client, s))
			if app := (web.App{Name: client.Name, URI: client.ClientURI}); !slices.Contains(page.Apps, app) {
				page.Apps = append(page.Apps, app)
			}
		}
	}
	return page, nil
}

// frame is a client's URI with iss and sid. They come whether it requires them or not (section 3: "The OP MAY add these query parameters"): a
// client that compares them cannot be signed out by whoever else frames its page.
func (e *Endpoint) frame(c storage.Client, s storage.Session) string {
	added := url.Values{"iss": {e.Name}, "sid": {session.SID(s.ID, c.ID)}}
	return c.FrontchannelLogoutURI + oauth.Joint(c.FrontchannelLogoutURI) + added.Encode()
}
