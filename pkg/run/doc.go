// Package run is the directory of a run: evidence and actions out as JSONL with
// digests taken while writing, and in again.
//
// A run is written below a name that starts with a dot and renamed when it is
// whole, so that a directory with a plain name is always a finished run:
//
//	w, err := run.Create(runsDir, name)  // runsDir/.partial-<name>
//	defer w.Abort()                      // nothing, once committed
//	w.Append("kubernetes", redacted)     // only what package redact let through
//	w.Actions("kubernetes", actions)
//	files, err := w.Finish()             // on disk, with digests
//	leaks, err := w.Scan()               // independent leak check
//	...                                  // manifest.json and its signature in w.Dir()
//	dir, err := w.Commit()               // runsDir/<name>
//
// Each connector instance has a file of its own for each kind of event. The order
// of lines is that in which the connector told of them, whatever other
// connectors did meanwhile, and so equal runs give equal bytes.
package run
