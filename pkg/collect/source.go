package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/store"
	"github.com/rcactl/rcactl/pkg/window"
)

// source is one source of a run: what is known of it, what it was asked, and
// how it ended. Only the goroutine that supervises it changes it.
type source struct {
	Source
	memory   memory
	identity connector.Identity
	caps     connector.Capabilities
	plan     plan
	result   connector.Result
	tallies  tallies
	// connector may be asked more after Collect; nil when it may not. through is
	// where what it collected waits.
	connector connector.Connector
	through   *sieve
	// space is what it keeps from run to run.
	space *store.Space

	status   connector.Status
	coverage []connector.Coverage // in the time of our clock
	notes    []string
	// err is why the source as a whole did not end well. clean says that its
	// Result came with no error, so that its state may replace the one before.
	err   error
	clean bool
	// nothing is Progress.Nothing where the reasons of the streams are too long for it.
	nothing string
	// after is the cursor file to be; empty when it is not moved.
	after cursor.Digest
	took  time.Duration
}

// asking is what the supervisor of a source needs of the run.
type asking struct {
	options Options
	end     time.Time
	grace   time.Duration
	log     *slog.Logger
	room    room
	toldNow func(id string) bool
	write   func(source string, r redact.Redacted) error
}

// connected is a source that is ready to collect.
type connected struct {
	connector connector.Connector
	caps      connector.Capabilities
	identity  connector.Identity
}

// ask runs one source from its config to its coverage. It always ends: soon
// after ctx is done at the latest.
func (s *source) ask(ctx context.Context, a asking) {
	began := a.options.Now()
	defer func() { s.took = a.options.Now().Sub(began) }()
	if s.Skip != "" {
		s.status, s.notes = connector.Skipped, []string{s.Skip}
		return
	}
	s.plan = intended(a.options, a.end, s.memory)
	if s.err == nil { // the cursor could be read
		s.err = s.collect(ctx, a)
	}
	s.clean = s.err == nil
	s.settle(a.options)
}

func (s *source) collect(ctx context.Context, a asking) error {
	ready, err := isolate(ctx, a.grace, a.log, "connect", func(ctx context.Context) (connected, error) {
		return connect(ctx, s.Config, s.env(a.options))
	})
	if err != nil {
		return err
	}
	s.caps, s.identity = ready.caps, ready.identity
	if err := s.memory.checkTarget(s.identity); err != nil {
		if a.options.Window == nil {
			return err
		}
		s.memory = s.memory.forget(err)
	}
	p, err := planFor(a.options, a.end, s.caps, s.memory, s.identity)
	if err != nil {
		return err
	}
	s.plan = p
	s.logPlan(a.log)
	through := (&sieve{
		source: s.Name, reach: s.reach(), again: s.again(), redact: a.options.Redactor, limits: a.options.Limits, log: a.log, room: a.room, toldNow: a.toldNow,
		write: func(r redact.Redacted) error { return a.write(s.Name, r) },
	}).open()
	s.through = through
	if a.options.Window == nil {
		// A window that a person named is answered in full, whatever earlier
		// runs wrote.
		through.known = known{s.memory.file.Seen, s.memory.file.Told}
	}
	req := s.plan.request(a.options.Scope, s.memory.file.State)
	s.result, err = isolate(ctx, a.grace, a.log, "collect", func(ctx context.Context) (connector.Result, error) {
		return ready.connector.Collect(ctx, req, through.emit)
	})
	s.tallies = through.close()
	if usable(err) {
		s.connector = ready.connector
	}
	if s.tallies.full != "" && !errors.Is(err, errFull) {
		return errors.Join(connector.Errorf(connector.ClassInternal, err, "a bug in the connector: it did not stop when it was told to"), err)
	}
	return err
}

// logPlan says what the cursor led to, in times and counts only.
func (s *source) logPlan(log *slog.Logger) {
	log.Debug("source is asked", "source", s.Name, "window", s.plan.window.String(), "streams", len(s.plan.streams),
		"incremental", s.plan.incremental, "skew", s.plan.offset, "known", s.memory.file.Seen.Len())
}

func connect(ctx context.Context, cfg connector.Config, env connector.Env) (connected, error) {
	c, err := cfg.Connect(ctx, env)
	if err != nil {
		return connected{}, err
	}
	ready := connected{connector: c, caps: c.Capabilities()}
	if who, ok := c.(connector.Identifier); ok {
		ready.identity, err = who.Identity(ctx)
	}
	return ready, err
}

// env is what the connector of a source gets from the outside.
func (s *source) env(o Options) connector.Env {
	env := o.Env
	env.Repositories = o.Scope.Repositories
	if o.Redactor != nil {
		env.Pseudonym, env.Scrub = o.Redactor.Pseudonym, o.Redactor.Scrub
	}
	if s.space != nil { // a nil *store.Space in an interface is not nil
		env.Store = s.space
	}
	return env
}

func (s *source) reach() map[string]window.Window {
	reach := map[string]window.Window{}
	for _, stream := range s.caps.Streams {
		reach[stream.Name] = s.plan.reach(stream)
	}
	return reach
}

// again are the windows of streams whose deployments are looked at again.
func (s *source) again() map[string]window.Window {
	again := map[string]window.Window{}
	for _, stream := range s.caps.Streams {
		if _, ok := s.plan.own[stream.Name]; ok {
			again[stream.Name] = s.plan.again(stream)
		}
	}
	return again
}

// settle decides how the source ended, from what it said and from what was
// seen of it. It is called when the collection has ended, and again when all of it
// is written.
func (s *source) settle(o Options) {
	s.notes = append(slices.Clone(s.result.Notes), s.plan.notes...)
	if s.memory.reset != "" {
		s.notes = append(s.notes, "the cursor was not used: "+s.memory.reset)
	}
	switch {
	case o.Window != nil:
	case s.Narrowed:
		s.notes = append(s.notes, "the command line narrowed what is read, so the cursor was neither used nor moved")
	case len(o.Scope.Services) > 0:
		s.notes = append(s.notes, "the run was narrowed to some services, so the cursor was not moved")
	}
	if n := s.tallies.early; n > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%s too many to be held; they were written without looking for their commits", plural(n, "event")))
	}
	s.notes = append(s.notes, s.result.Routine...)
	s.coverage = nil
	for _, stream := range s.caps.Streams {
		c := s.cover(stream.Name)
		if stream.Incremental {
			c = s.doubt(c)
		}
		s.coverage = append(s.coverage, c)
	}
	s.status = s.sum()
}

// doubt takes completeness away from an answer for a window of time when the two
// clocks are too far apart to tell which window it was. The cursor stays.
func (s *source) doubt(c connector.Coverage) connector.Coverage {
	offset := noticeable(s.identity.Skew)
	if offset.Abs() <= maxSkew || c.Status != connector.Complete && c.Status != connector.Partial {
		return c
	}
	direction := "ahead of"
	if offset < 0 {
		direction = "behind"
	}
	return worse(c, connector.ClassProtocol, fmt.Sprintf(
		"the source's clock is %s %s ours, so that it may have been asked for the wrong window; set the clocks right, the next run asks again",
		offset.Abs().Round(time.Second), direction))
}

// cover is what is stated of one stream.
func (s *source) cover(stream string) connector.Coverage {
	c := s.said(stream)
	if n := s.tallies.dropped[stream]; n > 0 {
		c = worse(c, connector.ClassInternal, fmt.Sprintf("%s could not be normalised or redacted, and dropped", plural(n, "record")))
	}
	if s.tallies.full == stream {
		c = worse(c, connector.ClassBound, "the limit of the source was reached here")
		c.Status, c.Truncated = connector.Partial, true
	}
	return c
}

// SourceFailed is the reason of a stream that ended with its source. Why the
// source did is said once, at the source.
const SourceFailed = "the source failed"

// said is the connector's own word on a stream, in the time of our clock.
func (s *source) said(stream string) connector.Coverage {
	i := slices.IndexFunc(s.result.Coverage, func(c connector.Coverage) bool { return c.Stream == stream })
	if i < 0 {
		c := connector.Coverage{Stream: stream, Status: connector.Failed, Asked: s.plan.asked(stream)}
		c.Class, c.Reason = connector.ClassInternal, "the connector said nothing about this stream"
		if s.err != nil {
			c.Class, c.Reason = connector.ClassOf(s.err), SourceFailed
		}
		return c
	}
	c := s.result.Coverage[i]
	c.Asked = s.plan.asked(stream)
	if s.err != nil && strings.Contains(c.Reason, message(s.err)) {
		c.Reason = SourceFailed
	}
	if !c.Answered.IsZero() {
		c.Answered = c.Answered.In(-s.plan.offset)
	}
	return c
}

// worse takes away a stream's completeness and adds a reason.
func worse(c connector.Coverage, class connector.Class, reason string) connector.Coverage {
	if c.Status == connector.Complete {
		c.Status = connector.Partial
	}
	if c.Class == connector.ClassNone {
		c.Class = class
	}
	if c.Reason != "" && c.Reason != reason {
		reason = c.Reason + "; " + reason
	}
	c.Reason = reason
	return c
}

// sum is the status of the source.
func (s *source) sum() connector.Status {
	asked, good, some := 0, 0, 0
	for _, c := range s.coverage {
		switch c.Status {
		case connector.Complete:
			asked, good, some = asked+1, good+1, some+1
		case connector.Partial:
			asked, some = asked+1, some+1
		case connector.Failed:
			asked++
		case connector.Skipped:
		}
	}
	switch {
	case some == 0 && (asked > 0 || s.err != nil):
		return connector.Failed
	case s.err != nil || good < asked:
		return connector.Partial
	}
	return connector.Complete
}

// message is what may be said of an error in the manifest: only an error that
// was made to be shown speaks for itself.
func message(err error) string {
	var shown *connector.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errBroken):
		return stopped
	case errors.As(err, &shown):
		return shown.Message
	case errors.Is(err, context.DeadlineExceeded):
		return "its time was over before it had finished"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	root := err
	for next := err; next != nil; next = errors.Unwrap(next) {
		root = next
	}
	return fmt.Sprintf("an error whose text may not be shown (%T)", root)
}
