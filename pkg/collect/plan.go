package collect

import (
	"fmt"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/window"
)

const (
	// skewThreshold is the smallest clock offset that moves the windows. Below
	// it the reading is not better than the clock: HTTP dates have whole seconds
	// and a request takes time.
	skewThreshold = 2 * time.Second
	// maxSkew is the largest clock offset that can be worked with. Beyond it one
	// of the clocks, or the reading, is wrong in a way that says nothing of the
	// times in the source's records: a proxy may have stamped the answer.
	maxSkew = 10 * time.Minute
	// maxCatchUp bounds how far back a stream is read that has not been answered
	// in full for long, so that a grant which nobody gives does not make each
	// run longer than the last.
	maxCatchUp = 7 * 24 * time.Hour
	// maxOpen bounds how far back deployments are looked at again of which a source of
	// history could not be asked.
	maxOpen = 24 * time.Hour
	// clockSlack is how far a cursor may be ahead of our clock (it was set back a
	// little) before that is an error.
	clockSlack = 5 * time.Minute
)

// memory is what is known of a source from earlier runs.
type memory struct {
	// file is the cursor to go on from; the zero File when there is none, or
	// when it was reset.
	file   cursor.File
	known  bool
	before cursor.Digest
	reset  string
	path   string
}

// recall reads the cursor of a source. A source that was narrowed on the command
// line reads less than its cursor stands for, so it has none.
func recall(store cursor.Store, s Source) (memory, error) {
	m := memory{path: store.Path(s.Name)}
	if s.Narrowed {
		return m, nil
	}
	file, digest, found, err := store.Load(s.Name, s.Type)
	switch {
	case err != nil:
		return m, connector.Errorf(connector.ClassConfig, err, "%v", err)
	case !found:
		return m, nil
	}
	m.before = digest
	if file.ConfigDigest != s.ConfigDigest {
		m.reset = "the config now reads something else than when the cursor was written"
		return m, nil
	}
	m.file, m.known = file, true
	return m, nil
}

// forget goes on without the cursor's content, and says why.
func (m memory) forget(why error) memory {
	return memory{path: m.path, before: m.before, reset: message(why)}
}

// checkTarget refuses a cursor that was written for another target. A source
// that now knows a better name for itself, or a poorer one, is the same.
func (m memory) checkTarget(is connector.Identity) error {
	target, was := is.Target, m.file.Target
	if !m.known || was == "" || target == "" || was == target ||
		slices.Contains(is.Aliases, was) || slices.Contains(m.file.Aliases, target) {
		return nil
	}
	return connector.Errorf(connector.ClassConfig, nil,
		"%s was written for the target %q, and this is %q; give the connector another name, use another --state, or remove the file to start anew",
		m.path, was, target)
}

// plan is what a source is asked, in the time of our clock.
type plan struct {
	window  window.Window
	streams map[string]window.Window
	// own are the windows of those streams that are asked for more than what is new,
	// without that: see reopen.
	own map[string]window.Window
	// fromCursor says that nobody named the window; incremental, beyond that,
	// that there was a cursor to go on from.
	fromCursor  bool
	incremental bool
	// offset is what the source's clock is ahead; zero when it does not matter.
	offset time.Duration
	notes  []string
}

// intended is the window that a source is asked for as far as that is known
// before it could be asked at all, so that a source that failed early still has
// one to be named.
func intended(o Options, end time.Time, m memory) plan {
	p := plan{fromCursor: o.Window == nil}
	if !p.fromCursor {
		p.window = *o.Window
		return p
	}
	var start time.Time
	for _, through := range m.file.Streams {
		if through.Before(end) && (start.IsZero() || through.Before(start)) {
			start = through
		}
	}
	if start.IsZero() {
		start = end.Add(-o.Since)
	}
	if oldest := end.Add(-maxCatchUp); start.Before(oldest) {
		start = oldest
	}
	p.window = window.Window{Start: start.UTC(), End: end}
	return p
}

// noticeable is the offset of a source's clock when it is large enough to move
// windows, else zero.
func noticeable(s connector.Skew) time.Duration {
	if !s.Measured || s.Offset.Abs() < skewThreshold {
		return 0
	}
	return s.Offset
}

// asked is the window that a stream was, or would have been, asked for.
func (p plan) asked(stream string) window.Window {
	if w, ok := p.streams[stream]; ok {
		return w
	}
	return p.window
}

// present is the end of the windows of a source, and the window that a person
// named for it. A recording has a present of its own, which the windows that
// reach back from now end at; times that were named stay.
func present(o Options, end time.Time, asOf time.Time) (Options, time.Time) {
	if asOf.IsZero() || o.Window != nil && !o.Relative {
		return o, end
	}
	asOf = asOf.UTC()
	if o.Window != nil {
		o.Window = &window.Window{Start: asOf.Add(o.Window.Start.Sub(o.Window.End)), End: asOf}
	}
	return o, asOf
}

// planFor decides the window of each stream. With an explicit window that is
// it; else each stream goes on from where it was last answered in full.
func planFor(o Options, end time.Time, caps connector.Capabilities, m memory, is connector.Identity) (plan, error) {
	o, end = present(o, end, is.AsOf)
	p := plan{streams: map[string]window.Window{}, own: map[string]window.Window{}}
	p.offset = noticeable(is.Skew)
	if o.Window != nil {
		p.window = *o.Window
		for _, s := range caps.Streams {
			p.streams[s.Name] = p.window
		}
		return p, nil
	}
	p.fromCursor, p.incremental = true, m.known
	p.window = window.Window{Start: end.Add(-o.Since), End: end}
	for _, s := range caps.Streams {
		w, note, err := fromCursor(s, end, p.window.Start, m, !is.AsOf.IsZero())
		if err != nil {
			return plan{}, err
		}
		if note != "" {
			p.notes = append(p.notes, note)
		}
		w = p.reopen(s, w, m)
		p.streams[s.Name] = w
		if w.Start.Before(p.window.Start) {
			p.window.Start = w.Start
		}
	}
	return p, nil
}

func fromCursor(s connector.Stream, end, first time.Time, m memory, recorded bool) (w window.Window, note string, err error) {
	through, ok := m.file.Streams[s.Name]
	switch {
	case !ok:
		return window.Window{Start: first, End: end}, "", nil
	case through.After(end.Add(clockSlack)) && recorded:
		return w, "", connector.Errorf(connector.ClassConfig, nil,
			"the recording was made before %s, up to which %s says that %s was read; use another --state for it, or name a later recording",
			through.UTC().Format(time.RFC3339), m.path, s.Name)
	case through.After(end.Add(clockSlack)):
		return w, "", connector.Errorf(connector.ClassConfig, nil,
			"%s says that %s was read up to %s, which is in the future; set the clock right, or remove the file to start anew",
			m.path, s.Name, through.UTC().Format(time.RFC3339))
	case !through.Before(end):
		through = end.Add(-time.Second) // our clock was set back a little
	}
	w = window.Window{Start: through.UTC(), End: end}
	if s.Overlap < skewThreshold {
		// An offset that jitters around the threshold must not tear a gap
		// between two windows.
		w = w.Back(skewThreshold - s.Overlap)
	}
	if oldest := end.Add(-maxCatchUp); w.Start.Before(oldest) {
		note = fmt.Sprintf("%s was last answered in full up to %s; only the last %d days of that gap were asked for",
			s.Name, through.UTC().Format(time.RFC3339), int(maxCatchUp.Hours()/24))
		w.Start = oldest
	}
	return w, note, nil
}

// reopen widens the window of a stream to the deployments that an earlier run told
// while a source of history could not be asked.
func (p *plan) reopen(s connector.Stream, w window.Window, m memory) window.Window {
	open := m.file.Open[s.Name]
	if open.IsZero() {
		return w
	}
	if oldest := w.End.Add(-maxOpen); open.Before(oldest) {
		p.notes = append(p.notes, fmt.Sprintf("no source of history answered for %d hours: the deployments of %s from before %s stay as they were told",
			int(maxOpen.Hours()), s.Name, oldest.Format(time.RFC3339)))
		open = oldest
	}
	if !open.Before(w.Start) {
		return w
	}
	p.notes = append(p.notes, fmt.Sprintf("%s goes back to %s: what no source of history could tell an earlier run of deployments is asked for again",
		s.Name, open.Format(time.RFC3339)))
	p.own[s.Name] = w
	return window.Window{Start: open.UTC(), End: w.End}
}

// request says it to the connector, in the time of the source's clock.
func (p plan) request(scope connector.Scope, state []byte) connector.Request {
	req := connector.Request{Window: p.window.In(p.offset), Incremental: p.incremental, Scope: scope, State: state}
	for name, w := range p.streams {
		if w != p.window {
			if req.Streams == nil {
				req.Streams = map[string]window.Window{}
			}
			req.Streams[name] = w.In(p.offset)
		}
	}
	return req
}

// reach is the window, in the source's time, to which a fact of a stream must
// belong. An incremental run looks back for late data.
func (p plan) reach(s connector.Stream) window.Window {
	w, ok := p.own[s.Name]
	if !ok {
		w = p.streams[s.Name]
	}
	w = w.In(p.offset)
	if p.incremental {
		w = w.Back(s.Overlap)
	}
	return w
}

// again is the window, likewise, to which a deployment must belong that is looked at
// again.
func (p plan) again(s connector.Stream) window.Window {
	return p.streams[s.Name].In(p.offset).Back(max(s.Overlap, skewThreshold))
}

// next says where each stream's next window starts; whole is false when a
// stream left something behind.
func (m memory) next(p plan, coverage []connector.Coverage) (streams map[string]time.Time, whole bool) {
	streams, whole = map[string]time.Time{}, true
	for _, c := range coverage {
		through, known := m.file.Streams[c.Stream]
		switch {
		case leavesNothing(c):
			streams[c.Stream] = p.streams[c.Stream].End
			if through.After(streams[c.Stream]) {
				streams[c.Stream] = through
			}
		case known:
			streams[c.Stream], whole = through, false
		default:
			// Never answered in full: what came before this first window was
			// nobody's business, everything since is.
			streams[c.Stream], whole = p.streams[c.Stream].Start, false
		}
	}
	return streams, whole
}

// open says from when on deployments of a stream are to be looked at again: those of
// which this run could not ask, and, where it did not see all of them or nobody was
// there to ask, those from before.
func (m memory) open(p plan, coverage []connector.Coverage, found map[string]time.Time, asked bool) map[string]time.Time {
	var open map[string]time.Time
	for _, c := range coverage {
		at := found[c.Stream].Add(-p.offset)
		if found[c.Stream].IsZero() {
			at = time.Time{}
		}
		before := m.file.Open[c.Stream]
		kept := (!asked || !leavesNothing(c)) && before.After(p.streams[c.Stream].End.Add(-maxOpen))
		if kept && (at.IsZero() || before.Before(at)) {
			at = before
		}
		if at.IsZero() {
			continue
		}
		if open == nil {
			open = map[string]time.Time{}
		}
		open[c.Stream] = at.UTC()
	}
	return open
}

// leavesNothing reports whether asking again for the same window would give
// nothing more. That is so for a complete stream, and for one whose source has
// forgotten the beginning of the window and answered up to its end.
func leavesNothing(c connector.Coverage) bool {
	switch c.Status {
	case connector.Complete, connector.Skipped:
		return true
	case connector.Partial:
		return c.Class == connector.ClassNone && !c.Truncated && len(c.Missing) == 0 &&
			!c.Answered.IsZero() && !c.Answered.End.Before(c.Asked.End)
	case connector.Failed:
	}
	return false
}
