package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"sync"
)

// ErrWeakKey says that key material would not protect pseudonyms.
var ErrWeakKey = errors.New("redaction key is too weak")

const (
	// MinKey is the least key material that is taken, in bytes.
	MinKey = 32
	// maxKey bounds it, so that a wrong path is noticed.
	maxKey = 4096
	// keyPrefix starts generated keys, so that the leak check knows them.
	keyPrefix = "rcactl_key_"
	keyMask   = "[secret]"
)

// Key is the secret that pseudonyms depend on. Whoever has it can find out
// whether a name that they guess is behind a pseudonym. It prints as [secret].
// The zero Key is not usable.
type Key struct{ derived []byte }

// NewKey makes a Key of the content of a key file or variable. White space at
// the ends does not count. It refuses fewer than 32 bytes and what is plainly
// not random: an empty file, one byte or a short piece over and over.
func NewKey(material []byte) (Key, error) {
	material = bytes.TrimSpace(material)
	switch {
	case len(material) < MinKey:
		return Key{}, fmt.Errorf("%w: it has %d bytes and needs at least %d; make one with: openssl rand -hex 32", ErrWeakKey, len(material), MinKey)
	case len(material) > maxKey:
		return Key{}, fmt.Errorf("%w: it has %d bytes, more than any key; check that it is the right file", ErrWeakKey, len(material))
	case distinct(material) < 8 || periodic(material):
		return Key{}, fmt.Errorf("%w: it repeats itself; make a random one with: openssl rand -hex 32", ErrWeakKey)
	}
	return Key{derived: mac([]byte("rcactl redaction key v1"), material)}, nil
}

// GenerateKey makes key material for a file, as one line of text.
func GenerateKey(random io.Reader) ([]byte, error) {
	seed := make([]byte, 32)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("make a redaction key: %w", err)
	}
	return []byte(keyPrefix + lowerBase32(seed) + "\n"), nil
}

// ID names the key without telling anything of it: 16 hexadecimal digits.
func (k Key) ID() string {
	if k.IsZero() {
		return ""
	}
	return hex.EncodeToString(mac(k.derived, []byte("key id"))[:8])
}

// Fingerprints gives what digests parts under the key, apart for each domain and
// apart from all pseudonyms: whoever has the key can find out whether a value that
// they guess is behind it, and nobody else can. Parts are length-prefixed.
func (k Key) Fingerprints(domain string) func(parts ...[]byte) [sha256.Size]byte {
	sub := mac(k.derived, []byte("fingerprint v1 "+domain))
	macs := sync.Pool{New: func() any { return hmac.New(sha256.New, sub) }}
	return func(parts ...[]byte) (sum [sha256.Size]byte) {
		h := macs.Get().(hash.Hash)
		defer macs.Put(h)
		h.Reset()
		var n [8]byte
		for _, part := range parts {
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			h.Write(n[:])
			h.Write(part)
		}
		h.Sum(sum[:0])
		h.Reset()
		return sum
	}
}

// IsZero reports whether k was never set.
func (k Key) IsZero() bool { return len(k.derived) == 0 }

// String hides the key.
func (Key) String() string { return keyMask }

// Format hides the key under every verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, keyMask) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(keyMask) }

// MarshalText hides the key.
func (Key) MarshalText() ([]byte, error) { return []byte(keyMask), nil }

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func distinct(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// periodic reports whether b is a piece of at most 16 bytes over and over.
func periodic(b []byte) bool {
	for p := 1; p <= 16 && p < len(b); p++ {
		if bytes.Equal(b[p:], b[:len(b)-p]) {
			return true
		}
	}
	return false
}

func lowerBase32(b []byte) string {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(b)
}
