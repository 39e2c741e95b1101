// Package manifest says what a run collected and what it did not, links each
// run to the one before, signs that, and checks it again.
//
// A collecting run goes through [OpenLedger], [Ledger.Next], [Seal], the rename
// of the run directory into place, and [Ledger.Advance], in that order; a crash
// between any two of them is healed by the next OpenLedger. A reader calls
// [Verify], the only maker of [Verified], which is the only thing that an
// exporter takes. [Read] and [List] show without checking.
//
// The format is documented in docs/manifest.md for people who write another
// verifier. manifest.json is an in-toto Statement v1 and, byte for byte, the
// DSSE payload in manifest.sigstore.json.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/rcactl/rcactl/pkg/run"
	"github.com/rcactl/rcactl/pkg/window"
)

const (
	// StatementType is the in-toto Statement version that is written and read.
	StatementType = "https://in-toto.io/Statement/v1"
	// PredicateType names what the predicate says and its version. Within v1
	// fields are only added, and a reader ignores those that it does not know.
	PredicateType = "https://rcactl.dev/attestation/collection-run/v1"

	// MaxManifest bounds manifest.json: 16 MiB.
	MaxManifest = 16 << 20
	// MaxFiles bounds the files of a run; cosign takes no more subjects.
	MaxFiles = 1024
)

// Statement is the content of manifest.json.
type Statement struct {
	Type          string    `json:"_type"`         // always [StatementType]
	Subject       []Subject `json:"subject"`       // every file of the run but the two manifests; 1 to [MaxFiles], sorted by name
	PredicateType string    `json:"predicateType"` // always [PredicateType]
	Predicate     Predicate `json:"predicate"`
}

// Subject is one file of the run.
type Subject struct {
	Name        string      `json:"name"` // relative to the run directory, with slashes
	Digest      Digest      `json:"digest"`
	MediaType   string      `json:"mediaType,omitempty"` // application/jsonl or application/json
	Annotations Annotations `json:"annotations"`
}

// Annotations are what we say about a file beside its digest; in-toto has no
// other place for it.
type Annotations struct {
	Records Number `json:"records"` // lines
	Bytes   Number `json:"bytes"`   // size
}

// Digest is a SHA-256 in 64 lower-case hexadecimal digits. Where there was
// nothing to hash the whole digest is left out.
type Digest struct {
	SHA256 string `json:"sha256"`
}

// Number is a whole number that survives readers which keep numbers as
// float64: above 2^53 it is written as a string. Both spellings are read.
type Number int64

const exactInFloat64 = 1 << 53

// MarshalJSON writes a number, or a string where a number would be rounded.
func (n Number) MarshalJSON() ([]byte, error) {
	text := strconv.FormatInt(int64(n), 10)
	if n > exactInFloat64 || n < -exactInFloat64 {
		return []byte(`"` + text + `"`), nil
	}
	return []byte(text), nil
}

// UnmarshalJSON reads either spelling, whole numbers in decimal only.
func (n *Number) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	bare := text
	if len(text) >= 2 && text[0] == '"' {
		bare = text[1 : len(text)-1]
	}
	v, err := strconv.ParseInt(string(bare), 10, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a whole number of 64 bits", text)
	}
	*n = Number(v)
	return nil
}

// Predicate is what we state about the run.
type Predicate struct {
	Run       Run            `json:"run"`
	Outcome   Outcome        `json:"outcome"`
	Collector Collector      `json:"collector"`
	Window    *window.Window `json:"window,omitempty"` // absent when the sources had windows of their own (cursors)
	Sources   []Source       `json:"sources"`
	Redaction Redaction      `json:"redaction"`
	// Correlation is left out when there was nothing to tie.
	Correlation *Correlation `json:"correlation,omitempty"`
	Pruned      []Pruned     `json:"pruned,omitempty"` // runs whose evidence retention removed since the previous run
	Signing     *Signing     `json:"signing"`          // null in a manifest meant to stay unsigned; set by [Seal]
	Ledger      Link         `json:"ledger"`
}

// Run identifies the run.
type Run struct {
	ID         string     `json:"id"`   // unique; no meaning
	Name       string     `json:"name"` // the directory's name, see [RunName]
	StartedAt  time.Time  `json:"startedAt"`
	FinishedAt time.Time  `json:"finishedAt"`
	Invocation Invocation `json:"invocation"`
}

// Invocation says what chose the window.
type Invocation string

// The two ways to choose a window.
const (
	InvocationWindow Invocation = "window" // the caller named it; cursors were not moved
	InvocationCursor Invocation = "cursor" // from where each source's last run ended
)

// Outcome is the sum of the sources' statuses.
type Outcome string

// All outcomes of a run.
const (
	OutcomeComplete Outcome = "complete"
	OutcomePartial  Outcome = "partial"
	OutcomeFailed   Outcome = "failed"
)

// Status is how one source or stream ended.
type Status string

// All statuses of a source or stream.
const (
	StatusComplete Status = "complete"
	StatusPartial  Status = "partial"
	StatusFailed   Status = "failed"
	StatusSkipped  Status = "skipped"
)

// Collector is the program that collected.
type Collector struct {
	Name         string `json:"name"` // rcactl
	Version      string `json:"version"`
	Commit       string `json:"commit,omitempty"`
	GoVersion    string `json:"goVersion,omitempty"`
	ConfigDigest Digest `json:"configDigest"` // of the effective configuration, without secrets
}

// Source is one connector of the run, also when it gave nothing.
type Source struct {
	Name       string            `json:"name"` // type or type/name, as configured
	Type       string            `json:"type"`
	Status     Status            `json:"status"`
	ErrorClass string            `json:"errorClass,omitempty"` // short stable word
	Error      string            `json:"error,omitempty"`      // our own words, never the source's
	Window     *window.Window    `json:"window,omitempty"`     // when the run has none for all
	Streams    []Stream          `json:"streams,omitempty"`
	Actions    Actions           `json:"actions"`
	Counts     map[string]Number `json:"counts,omitempty"` // events written, by kind
	Cursor     *Cursor           `json:"cursor,omitempty"`
	Skew       *Skew             `json:"skew,omitempty"`
	Scope      string            `json:"scope,omitempty"` // what was read, in words: namespaces, repositories
	Notes      []string          `json:"notes,omitempty"` // our own words
}

// Stream is the coverage of one stream of a source.
type Stream struct {
	Name       string         `json:"name"`
	Status     Status         `json:"status"`
	Asked      *window.Window `json:"asked,omitempty"`
	Answered   *window.Window `json:"answered,omitempty"`   // what the source could really answer for
	ErrorClass string         `json:"errorClass,omitempty"` // short stable word, when an error ended it
	Reason     string         `json:"reason,omitempty"`     // why the two differ, or why it is not complete
	Missing    []Missing      `json:"missing,omitempty"`    // grants that were refused
	Records    Number         `json:"records"`              // read from the source
	Truncated  bool           `json:"truncated"`            // a limit cut it short
}

// Missing is a permission that the source refused.
type Missing struct {
	Verb      string `json:"verb,omitempty"`
	Group     string `json:"group,omitempty"`
	Resource  string `json:"resource,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Grant     string `json:"grant,omitempty"` // where it has another shape: a role, a scope
}

// Actions sums up what was asked of a source; the list is in actions.jsonl.
type Actions struct {
	Count  Number `json:"count"`
	Digest Digest `json:"digest,omitzero"` // of this source's lines in actions.jsonl, in order; left out when there are none
}

// Cursor pins the cursor file before and after the run, without its content.
type Cursor struct {
	Before Digest `json:"before,omitzero"` // left out when there was none
	After  Digest `json:"after,omitzero"`  // left out when it was not moved
	Reset  string `json:"reset,omitempty"` // why an existing cursor was not used
}

// Skew is the source's clock against ours.
type Skew struct {
	OffsetMilliseconds Number `json:"offsetMilliseconds"` // positive: the source is ahead
	Measured           bool   `json:"measured"`           // false: the source shows no clock, the offset is 0
}

// Redaction says by which policy values were kept, hashed and dropped.
type Redaction struct {
	PolicyDigest Digest      `json:"policyDigest"`
	KeyID        string      `json:"keyId,omitempty"` // names the pseudonym key, tells nothing about it
	Rules        []RuleCount `json:"rules,omitempty"`
	Dropped      Number      `json:"dropped"` // records dropped because redacting them failed
	LeakCheck    LeakCheck   `json:"leakCheck"`
}

// Correlation says how far deployments were tied to commits.
type Correlation struct {
	Deployments Number   `json:"deployments"` // DeploymentEvents that were written; those that run no image have no confidence
	High        Number   `json:"high"`        // of them, by confidence
	Medium      Number   `json:"medium"`
	Low         Number   `json:"low"`
	Questions   Number   `json:"questions"`       // put to the sources of history
	Unanswered  Number   `json:"unanswered"`      // of them: a limit, a failure, or nobody to ask
	Notes       []string `json:"notes,omitempty"` // our own words: which ties were impossible, and why
}

// RuleCount is how often one redaction rule acted.
type RuleCount struct {
	ID    string `json:"id"`
	Count Number `json:"count"`
}

// LeakCheck is the second look at what was written.
type LeakCheck struct {
	DetectorVersion string `json:"detectorVersion,omitempty"` // empty: it did not run
	Findings        Number `json:"findings"`
}

// Pruned names an earlier run whose evidence was removed on purpose; its
// manifests stay.
type Pruned struct {
	Name   string   `json:"name"`            // the run
	Digest Digest   `json:"digest"`          // of its manifest.json
	Files  []string `json:"files,omitempty"` // names as in its subjects; empty means all
}

// Signing binds the manifest to its key, and announces the next one.
type Signing struct {
	PublicKeySHA256     string `json:"publicKeySha256"`               // hex SHA-256 of the SPKI DER
	NextPublicKeySHA256 string `json:"nextPublicKeySha256,omitempty"` // the key that signs from some later run on
}

// Link is the run's place in its ledger.
type Link struct {
	ID       string    `json:"id"`                 // fixed at genesis
	Sequence Number    `json:"sequence"`           // 1, 2, 3 ...; a restarted ledger counts on
	Previous *Previous `json:"previous"`           // null for the first run only
	Replaces []string  `json:"replaces,omitempty"` // first run only: ids of ledgers found in the same place when this one was started by hand
}

// Previous is the run before.
type Previous struct {
	Name   string `json:"name"`   // its directory's name
	Digest Digest `json:"digest"` // of its manifest.json, not of the bundle: signatures are not reproducible
}

// RunName is the directory name of a run: six or more digits, a dash and the
// run id, so that names sort by sequence up to a million runs.
func RunName(sequence Number, runID string) string {
	return fmt.Sprintf("%06d-%s", int64(sequence), runID)
}

// Subjects turns finished files into subjects, in the order given.
func Subjects(files []run.File) []Subject {
	subjects := make([]Subject, 0, len(files))
	for _, f := range files {
		media := ""
		switch path.Ext(f.Name) {
		case ".jsonl":
			media = "application/jsonl"
		case ".json":
			media = "application/json"
		}
		subjects = append(subjects, Subject{
			Name:        f.Name,
			Digest:      Digest{SHA256: f.SHA256},
			MediaType:   media,
			Annotations: Annotations{Records: Number(f.Records), Bytes: Number(f.Bytes)},
		})
	}
	return subjects
}

// Encode writes the statement as manifest.json holds it: indented, with a
// newline at the end. Times are in UTC.
func Encode(st Statement) ([]byte, error) {
	st.Predicate.Run.StartedAt = st.Predicate.Run.StartedAt.UTC()
	st.Predicate.Run.FinishedAt = st.Predicate.Run.FinishedAt.UTC()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(st); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if buf.Len() > MaxManifest {
		return nil, fmt.Errorf("encode manifest: %d bytes, the limit is %d", buf.Len(), MaxManifest)
	}
	return buf.Bytes(), nil
}

// ErrMalformed says that the bytes are not a manifest that this version can read.
var ErrMalformed = errors.New("malformed manifest")

// Decode reads manifest.json and checks its form, not its truth: names in
// their exact spelling and none twice, nothing unknown outside the predicate,
// types and ranges. Errors wrap [ErrMalformed].
func Decode(data []byte) (Statement, error) {
	var st Statement
	if len(data) > MaxManifest {
		return st, fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(data), MaxManifest)
	}
	if err := decodeExact(data, &st, "predicate"); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := st.check(); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return st, nil
}
