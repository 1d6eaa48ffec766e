//go:build !linux

package main

import "runtime"

type core struct{}

var first, last core

// pin keeps a process on one core where the system can. This one cannot, or we do not know how.
func pin(core) (string, error) { return "servers and load on any core", nil }

func spread(start func() error) error { return start() }

func machine() string { return runtime.GOOS + "/" + runtime.GOARCH }
