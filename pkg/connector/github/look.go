package github

import (
	"fmt"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

const (
	// overlap is how far back an incremental run looks for what came late. It is
	// longer than relook, so that what nothing announced is found in time.
	overlap = 2 * time.Hour
	// relook is for how long at most a stream is not asked for since nothing was
	// pushed; settled is how long ago a push must be for that.
	relook  = time.Hour
	settled = 10 * time.Minute
	// ahead is how much later than the window something may be that the next run will
	// see; what is later than that has a wrong date.
	ahead = time.Hour
)

// stream says how a stream continues.
func streamKind(name string) connector.Stream {
	return connector.Stream{Name: name, Incremental: true, Overlap: overlap}
}

// look is what one run asks for.
type look struct {
	req connector.Request
	// prior is what earlier runs left.
	prior state
}

// asked is the window of a stream, reach the one with the overlap.
func (l *look) asked(stream string) window.Window { return l.req.WindowOf(stream) }

func (l *look) reach(stream string) window.Window {
	w := l.asked(stream)
	if l.req.Incremental {
		w = w.Back(overlap)
	}
	return w
}

// quiet reports whether a stream need not be asked for, since nothing was pushed to
// the repository after it was last read in full. A merge is a push, and so is a tag.
// Three things keep that from hiding anything: a push is left to settle, since GitHub
// closes pull requests a little later; a release may be published without a push, so
// that the stream is read again every hour; and the overlap is longer than that hour.
func (l *look) quiet(r *repository, stream string) bool {
	if !l.req.Incremental || r.before == nil {
		return false
	}
	listed, ok := r.before.Listed[stream]
	return ok && !r.pushed.IsZero() && listed.Sub(r.pushed) >= settled &&
		l.asked(stream).End.Sub(listed) < relook && !l.asked(stream).End.Before(listed)
}

// listed notes that a stream was read in full.
func (l *look) listed(r *repository, stream string) {
	if end := l.asked(stream).End; end.After(r.next.Listed[stream]) {
		r.next.Listed[stream] = end
	}
}

// routine are notes that hold of every run with these streams.
func routineNotes(streams []string) (notes []string) {
	has := func(stream string) bool { return slices.Contains(streams, stream) }
	if has(record.StreamCommits) {
		notes = append(notes, "GitHub finds commits by the date of the committer: of a branch that was merged late, a first run and a named window see the merge alone.")
	}
	if has(record.StreamReleases) {
		notes = append(notes, fmt.Sprintf("While nothing is pushed, commits, pull requests and releases are asked for every %v: a release of an old tag may be told that much later.", relook))
	}
	if has(record.StreamReleases) {
		notes = append(notes, fmt.Sprintf("GitHub lists releases by the date of their commit: one of an old commit, behind %d others of before the window, is missed.", perPage))
	}
	if has(record.StreamDeployments) {
		notes = append(notes, fmt.Sprintf("A deployment that was made more than %.0f hours before the window may be missed when its status changes in it.", deploymentsBack.Hours()))
	}
	if has(record.StreamWorkflowRuns) {
		notes = append(notes, fmt.Sprintf("GitHub finds runs by when they were made: one that was made more than %v before the window, or run again after that, is not seen.", runsBack))
	}
	return notes
}
