package manifest

import (
	"errors"
	"fmt"
)

// ErrNotVerified says that [Verify] found at least one problem; the Report has them all.
var ErrNotVerified = errors.New("not verified")

// Code names a kind of problem, for programs.
type Code string

// All kinds of problems that [Verify] reports.
const (
	CodeInterrupted      Code = "interrupted"       // an unfinished run: no manifest, or still in its temporary directory
	CodeManifest         Code = "manifest_invalid"  // manifest.json is not readable or not of this form
	CodeSignatureMissing Code = "signature_missing" // no manifest.sigstore.json
	CodeSignature        Code = "signature_invalid" // the bundle is malformed or not by a given key
	CodePayload          Code = "payload_differs"   // what was signed is not manifest.json
	CodeNoKey            Code = "no_key"            // signed, but no public key was given
	CodeFileMissing      Code = "file_missing"
	CodeFileUnexpected   Code = "file_unexpected" // not in the manifest
	CodeFileChanged      Code = "file_changed"    // other digest or size
	CodeFileType         Code = "file_type"       // a link, pipe or device
	CodeFileUnreadable   Code = "file_unreadable"
	CodeRunName          Code = "run_name"        // the directory has another name than the manifest says
	CodeRunMissing       Code = "run_missing"     // a gap in the ledger
	CodeLedgerPrevious   Code = "ledger_previous" // a run does not continue the one before
	CodeLedgerFork       Code = "ledger_fork"     // two runs with one sequence number
	CodeLedgerOther      Code = "ledger_other"    // a run of another ledger
	CodeHead             Code = "head_unexpected" // the expected head is not here
)

// ErrUsage says that [Verify] was asked in a way that it cannot follow: nothing
// was looked at.
var ErrUsage = errors.New("wrong usage")

// usageError is an ErrUsage that says what is wrong in its own words.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{ErrUsage, e.error} }

// Finding is one problem. Message says what is wrong with the file, if there is
// one, and does not repeat its name.
type Finding struct {
	Code    Code   `json:"code"`
	File    string `json:"file,omitempty"` // in the run directory; "../<run>/..." for another run
	Message string `json:"message"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.File == "" {
		return f.Message
	}
	return f.File + ": " + f.Message
}

// plural counts things in a sentence.
func plural[N int | int64 | Number](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Check is the result of one group of checks.
type Check struct {
	Name   string `json:"name"`   // signature, files, ledger
	Status string `json:"status"` // ok, failed, unsigned, skipped
	Detail string `json:"detail"`
}

// The statuses of a [Check].
const (
	CheckOK       = "ok"
	CheckFailed   = "failed"
	CheckUnsigned = "unsigned"
	CheckSkipped  = "skipped"
)

// KeyRange says which key signed which part of the ledger.
type KeyRange struct {
	Fingerprint string `json:"fingerprint"` // as dsse.Fingerprint; empty for unsigned runs and for those by no given key
	First       Number `json:"first"`       // sequence numbers, both included
	Last        Number `json:"last"`
	// Announced: the run before this range named this key as the next one. Not
	// set for the first range, which nothing can announce.
	Announced bool `json:"announced"`
}

// Report says what was looked at, what was found wrong and what stays open.
type Report struct {
	Dir         string     `json:"dir"`
	Run         string     `json:"run"`         // the directory's name
	Checks      []Check    `json:"checks"`      // in the order signature, files, ledger
	Findings    []Finding  `json:"findings"`    // empty when verified
	NotProven   []string   `json:"notProven"`   // what nobody should conclude from this
	Keys        []KeyRange `json:"keys"`        // by sequence
	Head        *Head      `json:"head"`        // of the newest run here; null when the ledger was not read
	Files       int        `json:"files"`       // that were found as stated, in this run
	Events      Number     `json:"events"`      // stated evidence records of this run
	Runs        int        `json:"runs"`        // of this ledger that are here
	Interrupted []string   `json:"interrupted"` // unfinished run directories beside it: killed, or being written now
	Notes       []string   `json:"notes"`
}
