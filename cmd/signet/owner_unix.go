//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// owner returns the uid of a file's owner.
func owner(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
