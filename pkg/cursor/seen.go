package cursor

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// MaxSeen bounds the hashes that are kept from one run to the next: 500,000,
// which is 8 MB in memory and 11 MB in the file.
const MaxSeen = 500_000

// Hash identifies a piece of news, or an id: the first 16 bytes of its SHA-256.
// It only tells them apart; that somebody could make two of them with one hash
// would cost him his own evidence.
type Hash [16]byte

// HashOf gives the hash of a text.
func HashOf(text []byte) Hash {
	sum := sha256.Sum256(text)
	return Hash(sum[:16])
}

// Seen is a set of hashes that remembers the order of arrival. A nil Seen is
// empty and may be read. It is used by one goroutine at a time.
type Seen struct {
	order []Hash
	index map[Hash]struct{}
}

// Has reports whether h is in the set.
func (s *Seen) Has(h Hash) bool {
	if s == nil {
		return false
	}
	_, ok := s.index[h]
	return ok
}

// Add puts h into the set and reports whether it was new there.
func (s *Seen) Add(h Hash) bool {
	if s.Has(h) {
		return false
	}
	if s.index == nil {
		s.index = map[Hash]struct{}{}
	}
	s.index[h] = struct{}{}
	s.order = append(s.order, h)
	return true
}

// Len counts the hashes.
func (s *Seen) Len() int {
	if s == nil {
		return 0
	}
	return len(s.order)
}

// Union returns the hashes of both sets, those of s first.
func (s *Seen) Union(other *Seen) *Seen {
	all := &Seen{}
	for _, from := range []*Seen{s, other} {
		if from != nil {
			for _, h := range from.order {
				all.Add(h)
			}
		}
	}
	return all
}

// Newest returns the n hashes that were added last, and how many were left out.
// The result shares memory with s.
func (s *Seen) Newest(n int) (newest *Seen, left int) {
	if s.Len() <= n {
		return s, 0
	}
	left = len(s.order) - n
	newest = &Seen{}
	for _, h := range s.order[left:] {
		newest.Add(h)
	}
	return newest, left
}

// MarshalText writes the hashes one after the other in base64, in the order of
// arrival.
func (s *Seen) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, s.Len()*len(Hash{}))
	for _, h := range s.order {
		raw = append(raw, h[:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Seen) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	size := len(Hash{})
	switch {
	case err != nil:
		return fmt.Errorf("the hashes of known news are not base64: %w", err)
	case len(raw)%size != 0 || len(raw)/size > MaxSeen:
		return fmt.Errorf("the hashes of known news have %d bytes, which is no multiple of %d or too many", len(raw), size)
	}
	*s = Seen{order: make([]Hash, 0, len(raw)/size), index: make(map[Hash]struct{}, len(raw)/size)}
	for ; len(raw) > 0; raw = raw[size:] {
		s.Add(Hash(raw[:size]))
	}
	return nil
}
