package collect

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxPassedOn bounds the repositories that a source is told of.
const maxPassedOn = 50

// joined is what the sources know together.
type joined struct {
	images []correlate.Image
	// waiting are the events that are written when they are correlated.
	waiting []share
	// questions counts what was asked of the history, unanswered what nobody could
	// tell.
	questions, unanswered int
	// asked says that no deployment waited without a source of history to ask; open are
	// the ids of those of which another run may be told more.
	asked bool
	open  map[string]bool
	notes []string
}

// share is what one source has of the events.
type share struct {
	source  *source
	events  []evidence.Event
	streams []string
	// emitted is how many of them its connector emitted; the others come after them.
	emitted int
}

// repositories are those that a follower is told of: named by the config, by what is
// held, by images and by workloads. What is named most comes first, and is what is
// left of too many.
func (r *session) repositories() []string {
	counts := map[string]int{}
	for _, s := range r.Services {
		counts[s.Repository] += maxNamed // a person's word comes first
	}
	for _, s := range r.sources {
		for name, n := range s.tallies.named {
			counts[name] += n
		}
		if s.through == nil {
			continue
		}
		for _, e := range s.through.held.events {
			for _, name := range namedBy(e.Deployment) {
				counts[name]++
			}
		}
	}
	for _, image := range r.joined.images {
		if image.Metadata == nil {
			continue
		}
		for _, c := range image.Metadata.Claims {
			counts[c.Source]++
		}
	}
	delete(counts, "")
	all := byCount(counts)
	if left := len(all) - maxPassedOn; left > 0 {
		all = all[:maxPassedOn]
		r.joined.notes = append(r.joined.notes, fmt.Sprintf(
			"of %d repositories that are named at most %d are passed on; write repositories: in the config", left+maxPassedOn, maxPassedOn))
	}
	return all
}

// namedBy are the repositories that a deployment names.
func namedBy(d *evidence.Deployment) (names []string) {
	if d == nil {
		return nil
	}
	for _, t := range []*evidence.Template{d.From, d.To} {
		if t == nil {
			continue
		}
		for _, c := range t.Claims {
			if c.Kind == string(record.ClaimSource) && record.RepositoryName(c.Value) == c.Value {
				names = append(names, c.Value)
			}
		}
	}
	if d.Environment != nil {
		names = append(names, d.Environment.Repository)
	}
	return names
}

// correlate ties deployments to commits. The sources of history are asked until
// nothing is open any more, or their time is over: what is open then is unanswered.
func (r *session) correlate(ctx context.Context) error {
	in := correlate.Input{Images: r.joined.images, Services: r.Services, Repositories: r.configured()}
	for _, s := range r.sources {
		if s.through == nil {
			continue
		}
		h := s.through.release()
		r.joined.waiting = append(r.joined.waiting, share{source: s, streams: h.streams, emitted: len(h.events)})
		in.Events = append(in.Events, h.events...)
	}
	if len(in.Events) == 0 {
		r.joined.asked = true
		return nil
	}
	history := r.history()
	in.Asked = len(history.sources) > 0
	out, ok := r.converse(ctx, &in, history)
	r.joined.asked, r.joined.open = in.Asked && ok, map[string]bool{}
	commits := r.normalizeCommits(out.Commits, history)
	if ok && len(commits) > 0 {
		// Once more: they then list the deployments that carried them.
		in.Events = append(in.Events, eventsOf(commits)...)
		if more, ok := r.correlateOnce(in); ok {
			out = more
		}
	}
	r.joined.notes = append(r.joined.notes, out.Notes...)
	r.joined.questions, r.joined.unanswered = len(in.Answers), unanswered(in.Answers)
	for _, id := range out.Unanswered {
		r.joined.open[id] = true
	}
	history.close(ctx)
	r.divide(out.Events, commits)
	return nil
}

// divide gives each source its events back, and the commits that lie between
// deployments to the source that told of them.
func (r *session) divide(events []evidence.Event, commits []ofSource) {
	for i := range r.joined.waiting {
		w := &r.joined.waiting[i]
		w.events, events = events[:w.emitted:w.emitted], events[w.emitted:]
	}
	for i, c := range commits[:min(len(commits), len(events))] {
		at := slices.IndexFunc(r.joined.waiting, func(w share) bool { return w.source == c.source })
		w := &r.joined.waiting[at] // each source that was asked of its history has one
		w.events, w.streams = append(w.events, events[i]), append(w.streams, record.StreamCommits)
	}
}

// configured are the repositories that the configs name.
func (r *session) configured() (all []string) {
	for _, s := range r.sources {
		if names, ok := s.Config.(connector.RepositoryNamer); ok && s.Skip == "" {
			all = append(all, names.RepositoryNames()...)
		}
	}
	return all
}

// converse correlates, has the questions answered that come of it, and correlates
// again. It reports false when the events are as they were.
func (r *session) converse(ctx context.Context, in *correlate.Input, h *history) (out correlate.Output, ok bool) {
	answered := map[record.HistoryQuestion]bool{}
	for round := 0; ; round++ {
		if out, ok = r.correlateOnce(*in); !ok {
			return correlate.Output{Events: in.Events}, false
		}
		open := slices.DeleteFunc(slices.Clone(out.Questions), func(q record.HistoryQuestion) bool { return answered[q] })
		if len(open) == 0 {
			return out, true
		}
		for _, q := range open {
			answered[q] = true
		}
		if round < maxRounds {
			in.Answers = append(in.Answers, h.ask(ctx, open)...)
			continue
		}
		if round > maxRounds { // questions that only lead to others
			return out, true
		}
		in.Answers = append(in.Answers, nobody(open, fmt.Sprintf("it came up after %d rounds of questions", maxRounds), true)...)
	}
}

// correlateOnce keeps a bug from costing the run: what is held is then written as it
// is.
func (r *session) correlateOnce(in correlate.Input) (out correlate.Output, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Debug("panic in correlation", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			r.joined.notes = append(r.joined.notes, "a bug (a panic) kept deployments from being tied to commits; run with -v and report the stack")
			out, ok = correlate.Output{Events: in.Events}, false
		}
	}()
	out = correlate.Correlate(in)
	if len(out.Events) != len(in.Events) {
		r.joined.notes = append(r.joined.notes, "a bug kept deployments from being tied to commits; please report it")
		return correlate.Output{Events: in.Events}, false
	}
	return out, true
}

// ofSource is an event that a source of history told of.
type ofSource struct {
	source *source
	event  evidence.Event
}

func eventsOf(all []ofSource) []evidence.Event {
	events := make([]evidence.Event, len(all))
	for i, c := range all {
		events[i] = c.event
	}
	return events
}

// normalizeCommits makes evidence of commits that nobody emitted, where the source
// that told of them reads commits at all.
func (r *session) normalizeCommits(commits []record.Commit, h *history) (all []ofSource) {
	for _, c := range commits {
		s := h.of(c.Repository)
		if s == nil || s.through.reach[record.StreamCommits].IsZero() {
			continue
		}
		events, err := normalize.Record(s.Name, record.BranchCommit{Commit: c})
		if err != nil {
			s.through.lose(record.StreamCommits, err)
			continue
		}
		for _, e := range events {
			all = append(all, ofSource{s, e})
		}
	}
	return all
}

// writeHeld writes what was correlated, each source's events in the order in which
// it told of them, and decides anew how the sources ended. Deployments come first:
// that one carried a commit is news of the commit when it is told itself.
func (r *session) writeHeld(context.Context) error {
	r.told = map[string]bool{}
	for _, deployments := range []bool{true, false} {
		for _, w := range r.joined.waiting {
			if err := r.writeShare(w, deployments); err != nil {
				return err
			}
		}
	}
	for _, s := range r.sources {
		if s.Skip == "" {
			s.settle(r.Options)
		}
	}
	return nil
}

func (r *session) writeShare(w share, deployments bool) error {
	s := w.source
	if s.tallies.full != "" {
		return nil
	}
	err := s.through.let(w, r.joined.open, func(i int, e evidence.Event) bool {
		return e.ID != "" && (e.Deployment != nil) == deployments && (i < w.emitted || r.carriedNow(e))
	})
	s.tallies = s.through.close()
	if err != nil && s.err == nil {
		s.err, s.clean = err, false
	}
	return r.broken
}

// carriedNow reports whether a commit that nobody emitted is to be written: with a
// deployment that carried it, and not for one that was told before.
func (r *session) carriedNow(e evidence.Event) bool {
	return e.Commit != nil && (len(e.Commit.Deployments) == 0 || slices.ContainsFunc(e.Commit.Deployments, func(by evidence.CarriedBy) bool {
		return r.told[r.Redactor.EventID(by.ID)]
	}))
}

// correlation is what the manifest says of it; nil when there was nothing to tie.
func (r *session) correlation() *manifest.Correlation {
	c := manifest.Correlation{Questions: manifest.Number(r.joined.questions), Unanswered: manifest.Number(r.joined.unanswered)}
	var ties correlate.Tally
	for _, s := range r.sources {
		c.Deployments += manifest.Number(s.tallies.kinds[evidence.KindDeployment])
		c.High += manifest.Number(s.tallies.mapped[evidence.ConfidenceHigh])
		c.Medium += manifest.Number(s.tallies.mapped[evidence.ConfidenceMedium])
		c.Low += manifest.Number(s.tallies.mapped[evidence.ConfidenceLow])
		ties.AddAll(s.tallies.ties)
	}
	c.Notes = slices.Concat(ties.Notes(r.joined.asked), r.joined.notes)
	if c.Deployments == 0 && c.Questions == 0 && len(c.Notes) == 0 {
		return nil
	}
	return &c
}
