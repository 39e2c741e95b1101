// Package collect is a run: it asks the sources, side by side and each for
// itself, makes their records into evidence, keeps what belongs to the window,
// ties deployments to commits, redacts, writes, signs what was and was not
// collected, and moves the cursors last of all.
//
// [Run] reads as the list of its stages. A stage that fails ends the run and
// takes away what is half-written; a source that fails ends nothing: it is
// stated in the manifest, and its evidence up to there is kept. A process
// that is killed at any point leaves the runs and cursors before it whole, and
// the next run asks for the same windows again.
package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/run"
	"github.com/rcactl/rcactl/pkg/store"
	"github.com/rcactl/rcactl/pkg/window"
)

const (
	// sideBySide bounds how many sources are asked at once.
	sideBySide = 8
	// finishTime is what a run may take, beyond its timeout if need be, to sign
	// what there is. Throwing it away would be worse than being late.
	finishTime = time.Minute
)

// Run does one run. The error is nil when the run is in place, also when it is
// partial or failed: see Outcome.Statement. Otherwise nothing is left of it,
// with two exceptions: an error that wraps a [LeakError] names the quarantined
// directory, and an error beside an Outcome whose Dir is set came after the run
// was in place, when the ledger or a cursor was moved; the next run then
// repeats this one's windows. An interrupted run gives the error of ctx.
func Run(ctx context.Context, o Options) (Outcome, error) {
	r, err := begin(o)
	if err != nil {
		return Outcome{}, err
	}
	defer r.end()
	// One deadline for waiting and asking together. What came of it is then
	// signed, in the time that was kept back and a little more if need be.
	timely, stop := context.WithTimeout(ctx, r.Timeout-reserve(r.Timeout))
	defer stop()
	// Stages before the rename can be interrupted, those after it not.
	unstoppable := context.WithoutCancel(ctx)
	for _, stage := range []struct {
		doing string
		// goOn is what must not be over for the stage to begin: what was collected is
		// written and signed when the time for asking is.
		goOn, ctx context.Context
		do        func(context.Context) error
	}{
		{"open the ledger", timely, timely, r.openLedger},
		{"read the cursors", timely, timely, r.recall},
		{"make the run directory", timely, timely, r.create},
		{"ask the sources", timely, timely, r.ask},
		{"read the images", ctx, timely, r.readImages},
		{"ask the sources that follow", ctx, timely, r.follow},
		{"correlate", ctx, timely, r.correlate},
		{"write what was correlated", ctx, ctx, r.writeHeld},
		{"keep what will not change", ctx, ctx, r.keep},
		{"finish the evidence", ctx, ctx, r.finish},
		{"prepare the cursors", ctx, ctx, r.stageCursors},
		{"sign", ctx, ctx, r.seal},
		{"put the run in place", ctx, ctx, r.commit},
		{"move the ledger's head", unstoppable, unstoppable, r.advance},
		{"move the cursors", unstoppable, unstoppable, r.moveCursors},
		{"tidy the store", unstoppable, unstoppable, r.tidy},
	} {
		began := o.Now()
		err := stage.goOn.Err()
		if err == nil {
			err = stage.do(stage.ctx)
		}
		r.log.Debug("stage", "doing", stage.doing, "took", o.Now().Sub(began), "ok", err == nil)
		if err != nil {
			return r.outcome, fmt.Errorf("%s: %w", stage.doing, err)
		}
	}
	for _, s := range r.all() {
		r.outcome.Routine = append(r.outcome.Routine, s.result.Routine...)
	}
	return r.outcome, nil
}

// session is the state of a run between its stages.
type session struct {
	Options
	log     *slog.Logger
	store   cursor.Store
	id      string
	started time.Time
	until   time.Time // frozen before the first request: the end of every window
	sources []*source
	// images stands for the registries; nil when no image was to be read.
	images  *source
	kept    *store.Store
	joined  joined
	ledger  *manifest.Ledger
	writer  *run.Writer
	files   []run.File
	actions map[string]manifest.Actions // by source
	staged  []cursor.Staged
	outcome Outcome

	// told are the ids of the deployments that were written after they were
	// correlated; one goroutine then writes.
	told map[string]bool

	// out guards the writer and both callbacks.
	out sync.Mutex
	// broken is the first error of the writer: it ends the run.
	broken error
}

func begin(o Options) (*session, error) {
	if o.Since <= 0 {
		o.Since = DefaultSince
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	o.Limits = o.Limits.orDefaults()
	r := &session{Options: o, log: o.Env.Log, store: cursor.Store{Dir: filepath.Join(o.StateDir, "cursors")}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	names := map[string]bool{}
	for _, s := range o.Sources {
		if names[s.Name] {
			return nil, fmt.Errorf("the source %q is there twice", s.Name)
		}
		names[s.Name] = true
		r.sources = append(r.sources, &source{Source: s})
	}
	if names[imagesSource] {
		return nil, fmt.Errorf("no source can be named %q; that is what the manifest calls the registries", imagesSource)
	}
	r.openStore()
	if !slices.ContainsFunc(o.Sources, func(s Source) bool { return s.Skip == "" }) {
		return nil, errors.New("no source to ask; configure a connector, or choose one with --connector")
	}
	id := make([]byte, 10)
	if _, err := io.ReadFull(o.Rand, id); err != nil {
		return nil, fmt.Errorf("make a run id: %w", err)
	}
	r.id = fmt.Sprintf("%x", id)
	r.started = o.Now().UTC().Truncate(time.Microsecond)
	return r, nil
}

// end takes away what is half-written and lets the next run in.
func (r *session) end() {
	// An interrupted run, too, keeps what it fetched. Where it could not be kept was
	// said, if the run came to be.
	if err := r.kept.Flush(); err != nil {
		r.log.Warn("what will not change could not be kept for the next run", "error", err)
	}
	if r.writer != nil {
		if err := r.writer.Abort(); err != nil {
			r.log.Warn("an unfinished run directory could not be removed; the next run removes it", "error", err)
		}
	}
	if r.ledger != nil {
		if err := r.ledger.Close(); err != nil {
			r.log.Warn("the ledger's lock could not be given back", "error", err)
		}
	}
}

// reserve is what the connectors get less than the run: a tenth, within bounds
// that leave time to sign in a short run and waste none in a long one.
func reserve(timeout time.Duration) time.Duration {
	return min(max(timeout/10, min(time.Second, timeout/2)), 10*time.Second)
}

// all are the sources of the manifest.
func (r *session) all() []*source {
	if r.images == nil {
		return r.sources
	}
	return append(slices.Clone(r.sources), r.images)
}

// ask lets the sources collect side by side that need nothing of each other.
func (r *session) ask(ctx context.Context) error {
	r.until = r.Now().UTC().Truncate(time.Microsecond)
	if r.Window != nil {
		r.until = r.Window.End
	}
	return r.sideBySide(ctx, r.Options, func(s *source) bool { return !s.follows() })
}

// follow lets the sources collect that are told by the others what to read.
func (r *session) follow(ctx context.Context) error {
	o := r.Options
	o.Scope.Repositories = r.repositories()
	return r.sideBySide(ctx, o, (*source).follows)
}

// follows reports whether the source is asked after the others.
func (s *source) follows() bool {
	f, ok := s.Config.(connector.Follower)
	return ok && s.Skip == "" && f.Follows()
}

// sideBySide lets the chosen sources collect and ends when the last has ended,
// which is soon after ctx is done.
func (r *session) sideBySide(ctx context.Context, o Options, chosen func(*source) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a := asking{
		options: o, end: r.until, grace: r.grace(), log: r.log, room: roomFor(len(r.sources)),
		toldNow: func(id string) bool { return r.told[id] },
		write: func(name string, line redact.Redacted) error {
			err := r.write(name, line)
			if errors.Is(err, errBroken) {
				stop() // a full disk is everybody's
			}
			return err
		},
	}
	slots := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for _, s := range r.sources {
		if !chosen(s) {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			r.observe(Progress{Source: s.Name})
			r.log.Debug("source starts", "source", s.Name, "skipped", s.Skip != "")
			s.ask(ctx, a)
			r.ended(s)
		})
	}
	all.Wait()
	return r.broken
}

// grace is how long a connector is waited for when its time is over.
func (r *session) grace() time.Duration { return min(reserve(r.Timeout)/2, 2*time.Second) }

// ended tells that the collection of a source has ended.
func (r *session) ended(s *source) {
	p := r.progress(s)
	r.log.Info("source ended", "source", s.Name, "status", p.Status, "class", p.Class,
		"records", p.Records, "events", p.Events, "requests", p.Requests, "took", p.Took)
	r.observe(p)
}

func (r *session) observe(p Progress) {
	if r.Observe != nil {
		r.out.Lock()
		defer r.out.Unlock()
		r.Observe(p)
	}
}

func (r *session) write(name string, line redact.Redacted) error {
	r.out.Lock()
	defer r.out.Unlock()
	if r.broken != nil {
		return errBroken
	}
	err := r.writer.Append(name, line)
	if errors.Is(err, run.ErrName) {
		// Nobody else writes there, so that it is this source's trouble alone.
		return connector.Errorf(connector.ClassConfig, err, "%v", err)
	}
	if err != nil {
		r.broken = err
		return errBroken
	}
	if r.told != nil && line.Kind() == evidence.KindDeployment {
		r.told[line.ID()] = true
	}
	if r.Evidence != nil {
		r.Evidence(line.Event())
	}
	return nil
}

// errBroken is what a source gets when the run cannot be written any more. What
// is wrong with the disk is for the run to say.
var errBroken = errors.New("the run cannot be written")

// stopped is said of a source in place of an error that is not its own.
const stopped = "stopped, because the run could not be written"

// progress is how a source ended. One that was stopped because the run cannot
// be written has done nothing wrong.
func (r *session) progress(s *source) Progress {
	p := s.progress()
	r.out.Lock()
	defer r.out.Unlock()
	if r.broken != nil && (errors.Is(s.err, errBroken) || connector.ClassOf(s.err) == connector.ClassCanceled) {
		p.Class, p.Error = connector.ClassNone, stopped
	}
	return p
}

func (s *source) progress() Progress {
	p := Progress{
		Source: s.Name, Status: s.status, Class: connector.ClassOf(s.err), Error: message(s.err),
		Version: s.identity.Version, Events: s.tallies.events + s.waiting(), Took: s.took,
		Skew: noticeable(s.identity.Skew), Recorded: !s.identity.AsOf.IsZero(),
	}
	if s.Skip != "" {
		p.Error = s.Skip
	} else {
		p.Nothing = s.readNothing()
	}
	for _, n := range s.tallies.records {
		p.Records += n
	}
	for _, a := range s.result.Actions {
		p.Requests += a.Requests
	}
	return p
}

// readNothing says that all streams were left out, and why the first of them was: up
// to the semicolon, behind which stands what to do.
func (s *source) readNothing() string {
	if s.nothing != "" || s.err != nil || len(s.coverage) == 0 ||
		slices.ContainsFunc(s.coverage, func(c connector.Coverage) bool { return c.Status != connector.Skipped }) {
		return s.nothing
	}
	why, _, _ := strings.Cut(s.coverage[0].Reason, "; ")
	return "nothing was read: " + why
}

// waiting counts the events that wait to be correlated.
func (s *source) waiting() int {
	if s.through == nil {
		return 0
	}
	s.through.mu.Lock()
	defer s.through.mu.Unlock()
	return len(s.through.held.events)
}

// spans is the smallest window that covers those of all streams that gave
// something; when none did, those that the sources were asked for.
func (r *session) spans() window.Window {
	var answered, asked window.Window
	for _, s := range r.sources {
		if s.Skip == "" {
			asked = span(asked, s.plan.window)
		}
		for _, c := range s.coverage {
			if c.Status == connector.Complete || c.Status == connector.Partial {
				answered = span(answered, c.Asked)
			}
		}
	}
	if answered.IsZero() {
		return asked
	}
	return answered
}

// span is the smallest window that covers both.
func span(a, b window.Window) window.Window {
	if a.IsZero() {
		return b
	}
	if b.IsZero() {
		return a
	}
	if b.Start.Before(a.Start) {
		a.Start = b.Start
	}
	if b.End.After(a.End) {
		a.End = b.End
	}
	return a
}

// plural counts things in a sentence.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
