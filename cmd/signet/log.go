package main

import (
	"log/slog"

	"signet/configs"
)

// newLog writes to standard error.
func (a *app) newLog(c configs.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // configs knows only good ones
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(a.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, options))
}

// quietLog is for commands, which print what matters themselves: whatever fails is an error of theirs.
func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
