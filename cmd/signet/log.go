package main

import (
	"log/slog"

	"signet/configs"
)

// newLog writes to standard error.
func (a *app) newLog(c configs.Log) *slog.Logger {
	a.setLevel(c)
	options := &slog.HandlerOptions{Level: &a.level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(a.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, options))
}

// setLevel says from now on what is written.
func (a *app) setLevel(c configs.Log) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // configs knows only good ones
	a.level.Set(level)
}

// quietLog is for commands, which print what matters themselves: whatever fails is an error of theirs.
func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
