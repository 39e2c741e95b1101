// Package redact decides what of an event may be written, and makes the only
// thing that the writer takes.
//
// The default is to write nothing. The evidence schema gives each field a
// class, and the class decides:
//
//	public      kept
//	identifier  kept, or hashed when the policy says so
//	personal    replaced by a keyed pseudonym, or omitted
//	text        omitted, or scrubbed when the policy says so
//	secret      omitted; there is no switch
//	(none)      dropped
//
// [Compile] turns schema, policy and key into a plan over the Go types once;
// [Redactor.Redact] follows the plan. It works on a copy, writes down in the
// event's marks what it did, makes the summary from what is left, and gives a
// [Redacted]: a passport that nobody else can issue. When anything is not as
// the schema says it gives an error and no Redacted. Errors and marks name
// fields and rules, never values.
//
// What must not be kept in memory, or on a disk between two runs, is replaced where
// it is read: [Redactor.Pseudonym] and [Redactor.Scrub] do it as Redact would. Fields
// that hold such pseudonyms say so in the schema (x-rcactl-pseudonym): what has the
// form of one is kept, anything else is dropped.
//
// [Scan] is independent of all this: it looks through finished files for what
// looks like a credential, whatever class its field had.
package redact
