package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signet/gate"
)

// The APIs that access tokens are for, beside the issuer itself, and the scope that users give there. A gate is before each.
const (
	ordersAPI = "https://api.example/orders"
	opaqueAPI = "https://api.example/opaque"
	apiScope  = "orders:read"
)

const gateFile = `
issuer: http://%s
resource: %s
trusted_proxy: 127.0.0.1
introspection:
  client_id: %s
  client_secret_file: %s
routes:
  - path: /orders/*
    methods: [GET]
    scopes: [orders:read]
    permissions: [orders.list]
`

// guard is the gate's process, before an API of the provider at t.Issuer: what signet gate does.
func guard(t task) error {
	secret, file := filepath.Join(t.Folder, "gate.secret"), filepath.Join(t.Folder, "gate.yaml")
	if err := os.WriteFile(secret, []byte(t.Caller.Secret), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, gateFile, t.Issuer, t.Resource, t.Caller.ID, secret), 0o600); err != nil {
		return err
	}
	config, err := gate.Load(file)
	if err != nil {
		return err
	}
	g, err := gate.New(gate.Options{Config: config})
	if err != nil {
		return err
	}
	return serve(t.Address, g, deaf)
}

// check asks the gate as Caddy does, whether a request with the token of one of the users, and with these headers, may pass.
func check(tokens []string, want int, headers ...string) func(*worker) error {
	asked := "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example\r\nX-Forwarded-Uri: /orders/7\r\n" + strings.Join(headers, "")
	return func(w *worker) error {
		a, err := w.get(gate.ForwardedPath, asked+"Authorization: Bearer "+tokens[w.number%len(tokens)]+"\r\n")
		return a.want(want, err)
	}
}
