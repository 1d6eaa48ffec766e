package postgres

import "errors"

var errPending = errors.New("this act is not there yet")
