package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// The floor does the least that an answer can be: net/http itself, and the signature itself.
const (
	floorDocument = "/document" // as long as the discovery document is
	floorES256    = "/es256"    // a form is read, a JWT is signed
	floorRS256    = "/rs256"
	floorEdDSA    = "/eddsa"
)

// serveFloor is the floor's process.
func serveFloor(t task) error {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	document := []byte(`{"issuer":"` + strings.Repeat("x", 1700) + `"}`)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := document
		switch r.URL.Path {
		case floorES256:
			body = signed(r, func(token []byte) []byte {
				digest := sha256.Sum256(token)
				x, y, err := ecdsa.Sign(rand.Reader, ec, digest[:])
				if err != nil {
					panic(err)
				}
				var signature [64]byte
				x.FillBytes(signature[:32])
				y.FillBytes(signature[32:])
				return signature[:]
			})
		case floorRS256:
			body = signed(r, func(token []byte) []byte {
				digest := sha256.Sum256(token)
				signature, err := rsa.SignPKCS1v15(nil, rs, crypto.SHA256, digest[:])
				if err != nil {
					panic(err)
				}
				return signature
			})
		case floorEdDSA:
			body = signed(r, func(token []byte) []byte { return ed25519.Sign(ed, token) })
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
	return serve(t.Address, handler, deaf)
}

// claims are as many as an access token has.
const claims = `{"iss":"http://127.0.0.1:8080","sub":"7Qk2m9XcT1bVZr8yLw5uEA","aud":"http://127.0.0.1:8080","client_id":"kZ3vQ9w1bT7xN2mR",` +
	`"scope":"openid profile email offline_access","iat":1793610000,"exp":1793610600,"jti":"AZz1XGxhdWdodGVyIGlzIHRoZSBiZXN0IG1lZGlj","auth_time":1793609000,"acr":"pwd","amr":["pwd"]}`

// signed reads the form and answers with one JWT.
func signed(r *http.Request, sign func(token []byte) []byte) []byte {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") == "" {
		panic("the load sends a form")
	}
	enc := base64.RawURLEncoding
	token := enc.AppendEncode(nil, []byte(`{"alg":"ES256","kid":"k","typ":"at+jwt"}`))
	token = enc.AppendEncode(append(token, '.'), []byte(claims))
	signature := sign(token)
	token = enc.AppendEncode(append(token, '.'), signature)
	return append(append([]byte(`{"access_token":"`), token...), `","token_type":"Bearer"}`...)
}
