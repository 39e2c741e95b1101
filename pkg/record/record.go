// Package record holds what connectors emit: small plain structs, one file a
// source, already cut down at the source to what root-cause analysis needs.
//
// A record has no type of a client library, no free text from the source (event
// messages, commit subjects, query texts) and no value that may be a secret.
package record

// Record is one thing that a connector read. The normaliser knows the concrete
// types.
type Record interface {
	// Stream names the stream of the connector that read it.
	Stream() string
}
