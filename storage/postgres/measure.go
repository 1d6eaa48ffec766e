package postgres

import "signet/storage"

var _ storage.Measured = (*Store)(nil)

// Measure says how the pool is, and how often acts met.
func (s *Store) Measure() []storage.Measure {
	pool := s.pool.Stat()
	return []storage.Measure{
		{Name: "connections", Help: "Connections to PostgreSQL", Value: float64(pool.TotalConns())},
		{Name: "connections_in_use", Help: "Connections that an act has", Value: float64(pool.AcquiredConns())},
		{Name: "connections_capacity", Help: "Connections that there may be (pool_max_conns)", Value: float64(pool.MaxConns())},
		{Name: "connects_total", Help: "Connections that were made", Value: float64(pool.NewConnsCount())},
		{Name: "connection_queue_acts", Help: "Acts that wait for a connection", Value: float64(s.waiting.Load())},
		{Name: "repeated_attempts_total", Help: "Attempts beyond the first of an act, after it met another or lost its connection", Value: float64(s.repeated.Load())},
	}
}
