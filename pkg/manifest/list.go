package manifest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/run"
	"github.com/rcactl/rcactl/pkg/window"
)

// Row is one run as [List] shows it. Nothing in it was verified.
type Row struct {
	Name       string         `json:"name"`
	LedgerID   string         `json:"ledgerId,omitempty"`
	Sequence   Number         `json:"sequence"`
	StartedAt  time.Time      `json:"startedAt,omitzero"`
	FinishedAt time.Time      `json:"finishedAt,omitzero"`
	Window     *window.Window `json:"window,omitempty"`
	Outcome    Outcome        `json:"outcome,omitempty"`
	Events     Number         `json:"events"` // evidence records
	Files      int            `json:"files"`
	Bytes      Number         `json:"bytes"`
	Digest     string         `json:"digest,omitempty"` // hex, of manifest.json
	Bundle     bool           `json:"bundle"`           // there is a signature file
	Problem    string         `json:"problem,omitempty"`
}

// List reads the runs in runsDir, oldest first, unfinished ones last. A run
// whose manifest cannot be read has a Problem. A missing runsDir has no runs.
func List(ctx context.Context, runsDir string) ([]Row, error) {
	entries, err := readDir(runsDir)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var rows []Row
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		seq, named := sequenceOf(e.Name())
		partial := strings.HasPrefix(e.Name(), run.PartialPrefix)
		switch {
		case partial:
			rows = append(rows, Row{Name: e.Name(), Problem: "interrupted, or being written now"})
		case named:
			row := rowOf(filepath.Join(runsDir, e.Name()))
			row.Name = e.Name()
			if row.Problem != "" {
				row.Sequence = seq
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		// Unfinished runs have no number and come last.
		return cmp.Or(cmp.Compare(min(1, b.Sequence), min(1, a.Sequence)), cmp.Compare(a.Sequence, b.Sequence))
	})
	return rows, nil
}

func rowOf(dir string) Row {
	st, payload, err := Read(dir)
	if err != nil {
		return Row{Problem: err.Error()}
	}
	p := st.Predicate
	row := Row{
		LedgerID: p.Ledger.ID, Sequence: p.Ledger.Sequence, StartedAt: p.Run.StartedAt, FinishedAt: p.Run.FinishedAt,
		Window: p.Window, Outcome: p.Outcome, Files: len(st.Subject), Digest: sha256Hex(payload),
	}
	for _, s := range st.Subject {
		row.Bytes += s.Annotations.Bytes
		if strings.HasPrefix(s.Name, run.EvidenceDir+"/") {
			row.Events += s.Annotations.Records
		}
	}
	info, err := os.Lstat(filepath.Join(dir, run.BundleFile))
	row.Bundle = err == nil && info.Mode()&fs.ModeType == 0
	return row
}
