package run

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/rcactl/rcactl/pkg/redact"
)

// Leak is a line of a run that looks as if it held a credential.
type Leak struct {
	// File is relative to the run directory.
	File string
	redact.Finding
}

// Scan runs the leak check over everything in the directory, including files
// that others put there. Call it after Finish; a leak means Quarantine.
func (w *Writer) Scan() ([]Leak, error) {
	var leaks []Leak
	err := filepath.WalkDir(w.Dir(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.Dir(), path)
		if err != nil {
			return err
		}
		found, err := scanFile(path)
		for _, f := range found {
			if len(leaks) < redact.MaxFindings {
				leaks = append(leaks, Leak{filepath.ToSlash(name), f})
			}
		}
		return err
	})
	if err != nil {
		return leaks, fmt.Errorf("leak check: %w", err)
	}
	return leaks, nil
}

func scanFile(path string) ([]redact.Finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return redact.Scan(f)
}
