package ending

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"signet/storage"
	"signet/web"
)

// Receipt is how far one client is with an ending.
type Receipt struct {
	Client   string              `json:"client_id"`
	Name     string              `json:"client_name"` // empty: the client is gone
	State    storage.NoticeState `json:"state"`
	Notices  int                 `json:"notices"`  // one for each session that ended
	Attempts uint32              `json:"attempts"` // of that which needed most
	Problem  string              `json:"problem,omitempty"`
	Time     time.Time           `json:"time"` // when the last of it was settled; while it is pending, of the next attempt
}

// Shown is r as pages show it, of an app of that name, on clocks of that zone.
func (r Receipt) Shown(name string, zone *time.Location) web.Receipt {
	w := web.Receipt{App: web.App{Name: name}, Failed: r.State == storage.NoticeFailed, Problem: r.Problem}
	if r.State == storage.NoticeDelivered {
		w.Told = r.Time.In(zone)
	}
	return w
}

// Receipts reads the outbox.
type Receipts struct {
	Store Store
}

// Of returns one receipt for each client that an ending concerns, by name. A client is pending while one of its notices is, and has failed if one
// has.
func (r Receipts) Of(ctx context.Context, id storage.ID) ([]Receipt, error) {
	notices, err := r.Store.Notices(ctx, id)
	if err != nil {
		return nil, err
	}
	all, err := r.names(ctx, notices)
	if err != nil {
		return nil, err
	}
	for _, n := range notices {
		i := slices.IndexFunc(all, func(a Receipt) bool { return a.Client == n.Client })
		all[i].add(n)
	}
	return all, nil
}

// names begins the receipts.
func (r Receipts) names(ctx context.Context, notices []storage.Notice) ([]Receipt, error) {
	all := []Receipt{}
	for _, n := range notices {
		if slices.ContainsFunc(all, func(a Receipt) bool { return a.Client == n.Client }) {
			continue
		}
		c, err := r.Store.Client(ctx, n.Client)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		all = append(all, Receipt{Client: n.Client, Name: c.Name, State: storage.NoticeDelivered})
	}
	slices.SortFunc(all, func(a, b Receipt) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Client, b.Client)) })
	return all, nil
}

// weight orders states: what one notice of several says of all.
var weight = map[storage.NoticeState]int{storage.NoticeDelivered: 0, storage.NoticeFailed: 1, storage.NoticePending: 2}

func (r *Receipt) add(n storage.Notice) {
	at := n.Settled
	if n.State == storage.NoticePending {
		at = n.Next
	}
	r.Notices++
	r.Attempts = max(r.Attempts, n.Attempts)
	if heavier := weight[n.State] - weight[r.State]; heavier > 0 || heavier == 0 && at.After(r.Time) {
		r.State, r.Time = n.State, at
		r.Problem = cmp.Or(n.Problem, r.Problem)
	}
	if r.State == storage.NoticeDelivered {
		r.Problem = ""
	}
}

// Pending reports whether one of them is.
func Pending(all []Receipt) bool {
	return slices.ContainsFunc(all, func(r Receipt) bool { return r.State == storage.NoticePending })
}
