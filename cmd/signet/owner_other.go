//go:build !unix

package main

import "io/fs"

// owner: files have no uid here.
func owner(fs.FileInfo) (uid int, ok bool) { return 0, false }
