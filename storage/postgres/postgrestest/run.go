package postgrestest

// Run is [Start] for programs that are no tests: the caller stops the server, and is told where PostgreSQL is not installed.
func Run() (*Server, error) {
	s, err := start("scram-sha-256")
	if err != nil {
		return nil, err
	}
	if err := s.admin(`CREATE DATABASE signet OWNER ` + User); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Processes are the server's first process and those that it started.
func (s *Server) Processes() []int { return append([]int{s.pid}, children(s.pid)...) }
