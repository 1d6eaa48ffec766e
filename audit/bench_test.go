package audit_test

import (
	"testing"

	"signet/audit"
)

// BenchmarkRecord is what a commit of 48 rotations pays for its record of the audit log.
func BenchmarkRecord(b *testing.B) {
	var entries []audit.Entry
	for range 48 {
		entries = append(entries, audit.Entry{
			Time: epoch, Event: audit.TokenRefreshed, Origin: audit.Origin{Trace: "0123456789abcdef0123456789abcdef", Address: "192.0.2.17"},
			Client: "4cXk0tKc7Zq1", User: "user00000001", Session: "AaGbmB47FQp1xjsyMi0qSg", Family: "AaGbmB47bCD5Tyd_arLASA",
		})
	}
	b.ReportAllocs()
	var last audit.Link
	for b.Loop() {
		last = last.Next(audit.Bodies(entries)[0]).Link()
	}
}
