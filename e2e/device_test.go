package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"golang.org/x/oauth2"

	"signet/provider/providertest"
	"signet/storage"
)

// TestDevice is a television, and a person who connects it with a browser: RFC 8628. One television is made with x/oauth2 and coreos/go-oidc, which
// finds the endpoint by discovery, another with zitadel/oidc.
func TestDevice(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	alice := s.User("alice", func(u *storage.User) { u.Profile.Name, u.Profile.Zoneinfo = "Alice Liddell", "Europe/London" })
	s.User("bob")
	client, _ := s.Client("device", "Living room TV", func(c *storage.Client) {
		c.RedirectURIs, c.PostLogoutRedirectURIs, c.ClientURI = nil, nil, "https://tv.example/"
	})
	scopes := []string{"openid", "profile", "email", "offline_access"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	discovered, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	tv := oauth2.Config{ClientID: client.ID, Scopes: scopes, Endpoint: discovered.Endpoint()}
	asked, err := tv.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		token *oauth2.Token
		err   error
	}
	connected := make(chan result, 1)
	go func() {
		token, err := tv.DeviceAccessToken(ctx, asked)
		connected <- result{token, err}
	}()

	c := newChromium(t)
	step(t, "the link fills in the code, and the way leads by the sign-in", func(t *testing.T) {
		c.open(asked.VerificationURIComplete)
		c.see("#password")
		if said := c.text("main"); !strings.Contains(said, "to connect a device") {
			t.Errorf("the sign-in says %q", said)
		}
		c.signIn("alice", providertest.Password)
		c.see("#user_code")
		if typed := script[string](c, `document.querySelector("#user_code").value`); typed != asked.UserCode || c.focus() != "user_code" {
			t.Errorf("the field has %q, the focus is at %q", typed, c.focus())
		}
		c.paint("device-code", 1000, 800)
	}, &c.t)
	step(t, "RFC 8628 5.4: the person sees what to compare before they decide", func(t *testing.T) {
		c.keys("\r")
		c.see("button[value=allow]")
		said := c.text("main")
		for _, want := range []string{"Connect Living room TV?", "Alice Liddell (alice)", asked.UserCode, "tv.example", "127.0.0.1", "Only go on if you started this yourself", "See your email address"} {
			if !strings.Contains(said, want) {
				t.Errorf("the page lacks %q: %s", want, said)
			}
		}
		c.paint("device-consent", 1000, 1000)
		if wide := script[bool](c, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
			t.Error("the page is wider than the window")
		}
	}, &c.t)
	step(t, "another account, and back", func(t *testing.T) {
		c.press(`button[name=to]`)
		c.signIn("bob", providertest.Password)
		c.see("#user_code")
		if said := c.text("main"); !strings.Contains(said, "Full Name of bob (bob)") {
			t.Fatalf("the page says %s", said)
		}
		c.press(`button[name=to]:not([value=""])`)
		c.see("#user_code")
		if said := c.text("main"); !strings.Contains(said, "You are signed in as Alice Liddell") {
			t.Fatalf("the page says %s", said)
		}
		c.press(`button.primary`)
		c.see("button[value=allow]")
	}, &c.t)
	step(t, "the device has its tokens", func(t *testing.T) {
		c.press("button[value=allow]")
		c.see(`a[href$="/account/apps"]`)
		if h := c.text("h1"); h != "The device is connected" {
			t.Errorf("there is %q", h)
		}
		c.paint("device-done", 1000, 600)
		got := <-connected
		if got.err != nil {
			t.Fatal(got.err)
		}
		raw, _ := got.token.Extra("id_token").(string)
		id, err := discovered.Verifier(&oidc.Config{ClientID: client.ID}).Verify(ctx, raw)
		if err != nil || id.Subject != alice.Sub || got.token.RefreshToken == "" {
			t.Errorf("ID token %v (%v)", id, err)
		}
		verifyAccessToken(t, s, client, alice, got.token.AccessToken)
	}, &c.t)
	step(t, "a device made with zitadel/oidc, whose person types the code and declines", func(t *testing.T) {
		party, err := rp.NewRelyingPartyOIDC(ctx, s.Issuer, client.ID, "", "", scopes)
		if err != nil {
			t.Fatal(err)
		}
		second, err := rp.DeviceAuthorization(ctx, scopes, party, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.open(s.Issuer + "/device")
		c.fill("#user_code", "BCDF GHJK")
		c.press("button.primary")
		c.see("#problem")
		c.complains("422") // of the status
		c.paint("device-wrong", 1000, 800)
		c.fill("#user_code", strings.ToLower(strings.ReplaceAll(second.UserCode, "-", " ")))
		c.press("button.primary")
		c.see("button[value=deny]")
		c.press("button[value=deny]")
		c.see("main:not(:has(form)) h1")
		_, err = rp.DeviceAccessToken(ctx, second.DeviceCode, time.Duration(second.Interval)*time.Second, party)
		if err == nil || !strings.Contains(err.Error(), "access_denied") {
			t.Errorf("the device hears %v", err)
		}
	}, &c.t)
	step(t, "a device's own page shows the QR code", func(t *testing.T) {
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
			write(w, `<img id="qr" width="300" alt="" src="{{.}}">`, s.Issuer+"/device/qr?user_code="+asked.UserCode)
		}))
		defer page.Close()
		c.open(strings.Replace(page.URL, "127.0.0.1", string(otherSite), 1))
		c.see("#qr")
		if wide := script[int](c, `document.querySelector("#qr").naturalWidth`); wide == 0 {
			t.Error("there is no picture")
		}
		c.paint("device-qr", 400, 400)
	}, &c.t)
	c.quiet()
}
