//go:build linux || darwin

package main

import "syscall"

// diskFree returns how many bytes of a folder's disk are free for us, and how many it has.
func diskFree(folder string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
