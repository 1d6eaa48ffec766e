package requestobject

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"signet/clients"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

// maxFetched is how many objects are remembered.
const maxFetched = 256

// follow reads the object that a request_uri leads to: Core 6.2. What the hash in its fragment names cannot change, so it is remembered;
// everything else is fetched for each request. A hash of something else refuses nothing: it is there for caches, apps whose requests
// differ keep the URI that they registered, and the same object would be as good by value.
func (r *Reader) follow(ctx context.Context, c storage.Client, uri string) (object, error) {
	if !clients.RequestURI(c, uri) {
		return nil, oauth.Errorf(oauth.InvalidRequestURI, "request_uri is not among the request_uris that this client registered")
	}
	if token, ok := r.fetched.Get(uri); ok {
		return r.read(ctx, c, token, r.Unsigned)
	}
	d, err := r.Fetch.Get(ctx, uri)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidRequestURI, "the request object could not be fetched from the request_uri").Because(err)
	}
	token := strings.TrimSpace(string(d.Body))
	if _, hash, _ := strings.Cut(uri, "#"); hash == hashOf(d.Body) && len(token) <= jwt.Max {
		r.fetched.Add(uri, token)
	}
	return r.read(ctx, c, token, r.Unsigned)
}

// hashOf is the fragment for a content: Core 6.2.
func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
