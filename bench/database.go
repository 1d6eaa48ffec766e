package main

import (
	"time"

	"signet/storage/postgres/postgrestest"
)

// serveDatabase is the child that runs PostgreSQL: the server of Debian's package, with its data in a temporary folder, on the providers'
// core. What its commits promise is on the disk.
func serveDatabase(task) error {
	if err := pinned(first); err != nil { // which the server inherits
		return err
	}
	server, err := postgrestest.Run()
	if err != nil {
		return err
	}
	defer server.Stop()
	total := map[int]time.Duration{} // by process; one that has ended has used what it had when it was last seen
	return obey(greeting{URL: server.URL("signet")}, func() (u used, err error) {
		for _, pid := range server.Processes() {
			total[pid] = max(total[pid], ran(pid))
			u.Resident += proportional(pid)
		}
		for _, cpu := range total {
			u.CPU += cpu
		}
		return u, nil
	}, deaf)
}
