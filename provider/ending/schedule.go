package ending

import (
	"time"

	"signet/storage"
)

// waits are how long after an attempt the next one is; after the last of them, always that long.
var waits = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// patience is how long a client is tried. Then its sessions have long been over by themselves.
const patience = 24 * time.Hour

// settled is a notice after an attempt that ended at now.
func settled(n storage.Notice, o Outcome, now time.Time) storage.Notice {
	n.State, n.Problem = o.State, o.Problem
	end := n.Created.Add(patience)
	if n.State == storage.NoticePending && !now.Before(end) {
		n.State, n.Problem = storage.NoticeFailed, n.Problem+"; it was tried for a day"
	}
	if n.State != storage.NoticePending {
		n.Settled = now
		return n
	}
	wait := waits[min(max(int(n.Attempts), 1), len(waits))-1]
	if n.Next = now.Add(max(wait, o.After)); n.Next.After(end) {
		n.Next = end // once more, at the very end
	}
	return n
}
