package archive

import (
	"math"

	"signet/storage"
	"signet/storage/rows"
)

// Revive is what of a backup becomes alive again. A store that was restored is behind what it handed out after the backup, and
// nothing that was spent since may be good again:
//
//   - Codes that were not spent are left out, for they may be now; their people start again, within the minute that a code lives. Spent
//     ones stay: who comes with one a second time still ends its family.
//   - Interactions and kept requests are left out likewise.
//   - Initial access tokens with a number of uses are left out, since nobody knows how many are left. Those with any number stay.
//   - Access tokens that clients got for themselves are over, whether or not they were revoked since: their clients ask for others.
//   - Assertions that were spent stay: they only ever refuse.
//   - Families stay at the generation of the backup. A refresh token that is newer than its row closes the family
//     ([storage.ErrAhead]), and its person signs in again.
//
// What was ended since (sessions, families, users, keys) is alive again: nobody knows of it any more. With signOut the epoch of every user
// moves on, which ends all of it, and everybody signs in again.
func Revive(all storage.Rows, signOut bool) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		for row, err := range all {
			if err == nil {
				var keep bool
				if row, keep, err = revived(row, signOut); err == nil && !keep {
					continue
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// leap is more series than any client used since a backup.
const leap = 1 << 16

func revived(row storage.Row, signOut bool) (_ storage.Row, keep bool, err error) {
	switch row.Kind {
	case storage.KindInteraction, storage.KindAnswered, storage.KindKept:
		return row, false, nil
	case storage.KindCode, storage.KindInitial, storage.KindUser, storage.KindClient:
	default:
		return row, true, nil
	}
	record, err := rows.Decode(row)
	if err != nil {
		return row, false, err
	}
	switch r := record.(type) {
	case storage.Code:
		return row, r.Spent, nil
	case storage.InitialToken:
		return row, r.Uses < 0, nil
	case storage.Client:
		r.ServiceSeries = min(r.ServiceSeries, math.MaxUint32-leap) + leap
		row, err = rows.Encode(row.Kind, r)
	case storage.User:
		if signOut {
			r.Epoch++
			row, err = rows.Encode(row.Kind, r)
		}
	}
	return row, true, err
}
