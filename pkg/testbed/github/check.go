package github

const defaultChecks = 50

type checks struct{ every int }

func (s *Server) check(*call, *answer) {}
