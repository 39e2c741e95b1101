package manifest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// runsLock is the file in a folder of runs that whoever writes there keeps
// locked. It stays, empty, and is no part of any run.
const runsLock = ".lock"

// claim locks the folder of runs, making it if need be. The ledger's own lock
// does not do: two states may be given one folder, and the second would take the
// unfinished run of the first for abandoned.
func (l *Ledger) claim(ctx context.Context, waiting func(pid int)) (err error) {
	if err := os.MkdirAll(l.runsDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of runs: %w; make it writable, or choose another with --out", err)
	}
	l.claimed, err = acquire(ctx, filepath.Join(l.runsDir, runsLock), "--out", waiting)
	return err
}

// foreign refuses a folder that holds runs of another ledger. The newest run
// that should be ours is looked at, and every number that is there twice; runs
// after the head are for adopt.
func (l *Ledger) foreign(runs []runDir) error {
	for i, r := range runs {
		if r.sequence > l.head.Sequence {
			break
		}
		newest := i+1 == len(runs) || runs[i+1].sequence > l.head.Sequence
		twice := i > 0 && runs[i-1].sequence == r.sequence || i+1 < len(runs) && runs[i+1].sequence == r.sequence
		if !newest && !twice {
			continue
		}
		st, _, err := Read(filepath.Join(l.runsDir, r.name))
		if err != nil {
			continue // for verify to report
		}
		if id := st.Predicate.Ledger.ID; id != l.head.ID && !slices.Contains(l.head.Replaces, id) {
			return fmt.Errorf("run %s belongs to ledger %s, not to ledger %s of the state in %s: %s",
				filepath.Join(l.runsDir, r.name), id, l.head.ID, filepath.Dir(filepath.Dir(l.file)), oneState)
		}
	}
	return nil
}

// oneState is the rule that two states with one folder break.
const oneState = "one --out belongs to one state; choose another folder with --out, or the state of those runs with --state"
