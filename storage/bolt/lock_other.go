//go:build !linux

package bolt

// lockHolder names the process that holds the lock of a file, where the system tells.
func lockHolder(string) string { return anotherProcess }
