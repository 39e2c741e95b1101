// Package schemas holds the published JSON Schemas (draft 2020-12). They are
// the contract of the files that rcactl reads and writes.
//
// The evidence schema is more than a description. Each of its fields carries
// x-rcactl-class, and package redact compiles the classes into what it does: a
// field that the schema does not have is not written. docs/evidence.md is
// generated from it too, so that neither can drift from the other.
package schemas

import "embed"

//go:generate go run ./gen/evidencedoc ../docs/evidence.md

// FS holds the schemas under the names that end their addresses.
//
//go:embed *.json
var FS embed.FS

//go:embed evidence.v1.json
var evidence []byte

// Evidence returns the schema of a line of evidence. The bytes must not be
// changed. Beside the standard keywords it carries annotations that validators
// ignore:
//
//   - x-rcactl-class: public, identifier, personal, text or secret; what redaction
//     does to the field
//   - x-rcactl-domain: what a pseudonym stands for; pseudonyms of different
//     domains never join
func Evidence() []byte { return evidence }
