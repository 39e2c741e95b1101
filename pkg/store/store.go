// Package store keeps what never changes from run to run: the summary of a commit,
// the labels of an image. What is in it was redacted before it came here.
//
// A store is a folder of text files that people can read: one JSON object a line.
// Keys are spread over the files by their hash, so that a run reads only the files
// that it needs. A line is appended; a torn or damaged line is left out and its
// value is asked for again. A file that has grown too large loses its older half.
package store

// Store is a folder of spaces. It is used by one process at a time; its methods may
// be used by several goroutines.
type Store struct{}

// Open opens the folder, making it when something is first put.
func Open(dir string) *Store { return &Store{} }

// Space gives the part of a store that is named. A name holds letters, digits, ".",
// "_" and "-".
func (s *Store) Space(name string) *Space { return &Space{} }

// Flush brings to disk what was put.
func (s *Store) Flush() error { return nil }

// Space is a part of a store: keys of one kind.
type Space struct{}

// Get gives the value of a key, or false.
func (s *Space) Get(key string) ([]byte, bool) { return nil, false }

// Put keeps a value.
func (s *Space) Put(key string, value []byte) {}
