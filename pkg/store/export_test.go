package store

// Path is the file of a key.
func (s *Space) Path(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shard(key).path
}
