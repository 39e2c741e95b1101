// Package cursor remembers, for each connector instance, how far its evidence
// has been collected: one JSON file an instance, replaced as a whole.
//
// A cursor is moved last of all, after the evidence that it stands for was
// written, signed and put in place. A run that dies earlier leaves the old
// cursor, and the next run asks for the same window again; facts that
// were told already are recognised (Seen, Told) and left out.
//
// What is on disk is either good or an error that names the file and what to
// do. A cursor is never quietly started anew: that would lose evidence, or
// write it twice, without a word.
package cursor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"
)

// Version is the version of the files that are written, and the newest that
// is read.
const Version = 1

// MaxFile bounds a cursor file: 64 MiB.
const MaxFile = 64 << 20

// ErrCorrupt says that a cursor file is damaged or was not written by rcactl.
var ErrCorrupt = errors.New("corrupt cursor")

// ErrForeign says that a cursor file belongs to another connector instance.
var ErrForeign = errors.New("cursor of another connector")

// ErrNewer says that a newer rcactl wrote the cursor file.
var ErrNewer = errors.New("cursor of a newer rcactl")

// File is what is remembered of one connector instance. The Store fills in the
// version and checks the size; everything else is the caller's.
type File struct {
	// Connector is the instance's key in the config (postgres/orders), Type its
	// type (postgres).
	Connector string `json:"connector"`
	Type      string `json:"type"`
	// Target names what was read, as the source calls itself; empty for a
	// source that does not say. A cursor is never used against another target.
	Target string `json:"target,omitempty"`
	// Aliases are other names that the source had for it then.
	Aliases []string `json:"aliases,omitempty"`
	// ConfigDigest is the hex SHA-256 of the semantic config. Another config
	// reads other things, so it resets the cursor.
	ConfigDigest string `json:"config_digest"`
	// Streams holds for each stream the end of the last window that it answered
	// in full, in the time of our clock. The next window starts there. For a
	// stream that never did it is the start of the first window asked.
	Streams map[string]time.Time `json:"streams"`
	// Seen are the hashes of the news that the last run found.
	Seen *Seen `json:"seen,omitempty"`
	// Told remembers for longer what was told of facts that may come again in a
	// poorer form.
	Told *Told `json:"told,omitempty"`
	// Open holds for each stream from when on deployments were told of which a source
	// of history could not be asked: the next run looks at them again. It is left out
	// when there are none, so that an rcactl which does not know it reads the file.
	Open map[string]time.Time `json:"open,omitempty"`
	// State is the connector's own; nobody else reads it.
	State []byte `json:"state,omitempty"`
	// Run is the id of the run that wrote the cursor, WrittenAt when.
	Run       string    `json:"run"`
	WrittenAt time.Time `json:"written_at"`
}

// Digest is the lower-case hex SHA-256 of a cursor file's bytes, for the
// manifest. The zero Digest means that there was no file.
type Digest string

func digestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest(hex.EncodeToString(sum[:]))
}
