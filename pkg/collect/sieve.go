package collect

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/window"
)

// errLate is what a connector gets that emits after it was given up.
var errLate = errors.New("the collection is over; this record is refused")

// errFull stops a connector that floods.
var errFull = errors.New("the limit of this source is reached")

// sieve takes the records of one source and lets through what is to be
// written: normalised, in the window, redacted, and not known yet. It may be
// called by a connector that was left behind; once closed it lets nothing
// through, and what it counted stays as it is.
type sieve struct {
	source string
	reach  map[string]window.Window
	// again are the wider windows to which a deployment that was told may belong.
	again   map[string]window.Window
	redact  *redact.Redactor
	known   known
	limits  Limits
	log     *slog.Logger
	write   func(redact.Redacted) error
	mu      sync.Mutex
	closed  bool
	tallies tallies
	// held are the events that wait to be correlated, as emitted; room is how much
	// more may be.
	held held
	room room
	// toldNow reports whether this run wrote an event with an id.
	toldNow func(id string) bool
}

// known is what earlier runs told.
type known struct {
	seen *cursor.Seen
	told *cursor.Told
}

// tallies is what a sieve counted.
type tallies struct {
	found    *cursor.Seen // hashes of all news in the window, known ones too
	told     *cursor.Told // of facts that may come again in a poorer form
	records  map[string]int
	dropped  map[string]int // by stream: could not be normalised or redacted
	kinds    map[evidence.Kind]int
	events   int
	repeated int
	bytes    int64
	full     string // the stream at which the limit was reached
	early    int    // written before they could be correlated, for want of room
	mapped   map[evidence.Confidence]int
	ties     correlate.Tally // of what was written
	// open is for each stream the time of the earliest deployment of which another run
	// may be told more, in the time of the source.
	open map[string]time.Time
	// named counts how often the records of workloads name a repository.
	named map[string]int
}

// open readies the sieve and returns it.
func (s *sieve) open() *sieve {
	s.tallies = tallies{
		found: &cursor.Seen{}, told: &cursor.Told{}, records: map[string]int{}, dropped: map[string]int{}, kinds: map[evidence.Kind]int{},
		mapped: map[evidence.Confidence]int{}, named: map[string]int{}, open: map[string]time.Time{},
	}
	s.held.met = map[cursor.Hash]bool{}
	return s
}

// close gives the tallies and lets nothing more through. It waits for a record
// that is on its way.
func (s *sieve) close() tallies {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.tallies
}

// emit is what the connector calls. An error ends its collection.
func (s *sieve) emit(r record.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errLate
	}
	stream := r.Stream()
	reach, ok := s.reach[stream]
	if !ok {
		return connector.Errorf(connector.ClassInternal, nil, "a bug in the connector: it emitted a record of the stream %q, which it does not name", stream)
	}
	s.tallies.records[stream]++
	s.noteRepositories(r)
	events, err := normalize.Record(s.source, r)
	if err != nil {
		s.drop(stream, "normalise", err)
		return nil
	}
	for _, e := range events {
		if !belongs(e.Span(), reach) && !s.isReopened(stream, e) {
			continue
		}
		if err := s.take(stream, e); err != nil {
			return err
		}
	}
	return nil
}

// through redacts an event and lets it pass.
func (s *sieve) through(stream string, e evidence.Event) error {
	redacted, err := s.redact.Redact(e)
	if err != nil {
		s.drop(stream, "redact", err)
		return nil
	}
	return s.pass(stream, redacted)
}

// lose counts what could not be made evidence of.
func (s *sieve) lose(stream string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(stream, "normalise", err)
}

// drop fails closed: what cannot be redacted is not written, and said.
func (s *sieve) drop(stream, doing string, err error) {
	s.tallies.dropped[stream]++
	s.log.Debug("record dropped", "source", s.source, "stream", stream, "doing", doing, "class", connector.ClassOf(err), "type", fmt.Sprintf("%T", err))
}

func (s *sieve) pass(stream string, r redact.Redacted) error {
	n := newsOf(r.Event())
	if s.isKnown(n) {
		s.remember(n, false)
		s.tallies.repeated++
		return nil
	}
	size := int64(len(r.Line())) + 1
	if s.tallies.events >= s.limits.Events || s.tallies.bytes+size > s.limits.Bytes {
		s.tallies.full = stream
		return connector.Errorf(connector.ClassBound, errFull,
			"the source gave more than %d events or %d MiB; narrow what it reads, or the window", s.limits.Events, s.limits.Bytes>>20)
	}
	if err := s.write(r); err != nil {
		return err
	}
	s.remember(n, true) // not before it is written: what is known is not written again
	s.tallies.events++
	s.tallies.bytes += size
	s.tallies.kinds[r.Kind()]++
	if d := r.Event().Deployment; d != nil && d.Mapping != nil {
		s.tallies.mapped[d.Mapping.Confidence]++
		s.tallies.ties.Add(d)
	}
	return nil
}

// belongs reports whether a fact touches the window: something about it
// happened there, or may have, or it still stood when it was read and had begun
// before the window's end.
func belongs(s evidence.Span, w window.Window) bool {
	for _, t := range s.Instants {
		if w.Contains(t) || s.Ongoing && !t.IsZero() && t.Before(w.End) {
			return true
		}
	}
	return !s.Until.IsZero() && s.Since.Before(w.End) && !s.Until.Before(w.Start)
}
