package collect

import (
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
)

// news is what counts as new about an event; see evidence.Event.News, Aspects and
// Tie.
type news struct {
	id, key cursor.Hash
	aspects []aspect
	weak    bool
	// poorer says that the fact may come again in a weak form, and so has to be
	// remembered for longer than a run. Only rollouts do; a signal that was
	// remembered here could not come, go and come again.
	poorer bool
	// tie says to what a deployment is tied (see tied), tieID under which id that is
	// remembered.
	tie, tieID cursor.Hash
}

// aspect is an evidence.Aspect.
type aspect struct {
	key cursor.Hash
	of  string
}

func newsOf(e evidence.Event) news {
	key, weak := e.News()
	n := news{
		id: cursor.HashOf([]byte(e.ID)), key: cursor.HashOf([]byte(key)),
		weak: weak, poorer: e.Kind == evidence.KindDeployment,
	}
	for _, a := range e.Aspects() {
		n.aspects = append(n.aspects, aspect{cursor.HashOf([]byte(a.Key)), a.Of})
	}
	if n.poorer {
		n.tieID, n.tie = cursor.HashOf([]byte(e.ID+"|mapped")), tied(e.Tie())
	}
	return n
}

// answered is set in the first byte of a tie that a source of history told of.
const answered = 0x10

// tied makes a hash of a tie, its first byte how deep it is and whether it was
// answered; zero when there is none.
func tied(t evidence.Tie) (h cursor.Hash) {
	if t == (evidence.Tie{}) {
		return h
	}
	h = cursor.HashOf([]byte(t.To))
	h[0] = byte(t.Depth) //nolint:gosec // at most evidence.DeepestTie
	if t.Answered {
		h[0] |= answered
	}
	return h
}

// depthOf and isAnswered read the first byte of a tie.
func depthOf(tie cursor.Hash) byte    { return tie[0] &^ answered }
func isAnswered(tie cursor.Hash) bool { return tie[0]&answered != 0 }

// tells reports whether a tie is news where another one was told.
func tells(now, told cursor.Hash) bool {
	same := [15]byte(now[1:]) == [15]byte(told[1:])
	switch {
	case now == cursor.Hash{}:
		return false
	case isAnswered(now) != isAnswered(told):
		return isAnswered(now)
	case same || !isAnswered(now) && depthOf(now) < depthOf(told):
		return depthOf(now) > depthOf(told)
	}
	return true
}

// isKnown reports whether it was told before, in this run or an earlier one.
func (s *sieve) isKnown(n news) bool {
	if n.weak && s.wasTold(n) {
		return s.tieKnown(n)
	}
	return s.factKnown(n) && s.aspectsKnown(n) && s.tieKnown(n)
}

// wasTold reports whether the fact was told in a better form.
func (s *sieve) wasTold(n news) bool {
	last, ok := s.last(n.id)
	return ok && last != cursor.Hash{}
}

func (s *sieve) factKnown(n news) bool {
	if s.isFound(n.key) {
		return true
	}
	for _, told := range []*cursor.Told{s.tallies.told, s.known.told} {
		if last, ok := told.Last(n.id); ok && (n.weak || last == n.key) {
			return true
		}
	}
	return false
}

// aspectsKnown reports whether no aspect is news. That a deployment carried a commit
// was told with the deployment; a run that merely finds it again has nothing to tell.
func (s *sieve) aspectsKnown(n news) bool {
	for _, a := range n.aspects {
		if !s.isFound(a.key) && (a.of == "" || s.toldNow(a.of)) {
			return false
		}
	}
	return true
}

// tieKnown reports whether a deployment was told with as good a tie to a commit.
func (s *sieve) tieKnown(n news) bool {
	last, _ := s.last(n.tieID)
	return !tells(n.tie, last)
}

func (s *sieve) isFound(h cursor.Hash) bool { return s.tallies.found.Has(h) || s.known.seen.Has(h) }

// last is what was told last of a fact, by this run or else by an earlier one.
func (s *sieve) last(id cursor.Hash) (cursor.Hash, bool) {
	if last, ok := s.tallies.told.Last(id); ok {
		return last, true
	}
	return s.known.told.Last(id)
}

// remember keeps what the next run must not tell again. Of a deployment it keeps the
// tie that was written last: one that is told with a poorer tie, since its status is
// news, is then told once more with a better one.
func (s *sieve) remember(n news, written bool) {
	s.tallies.found.Add(n.key)
	for _, a := range n.aspects {
		s.tallies.found.Add(a.key)
	}
	if !n.poorer {
		return
	}
	key := n.key
	if n.weak {
		// It does not replace what was told in a better form: a rollout whose
		// state could not be read for a while is still the complete one.
		key, _ = s.last(n.id)
	}
	s.tallies.told.Put(n.id, key)
	last, ok := s.last(n.tieID)
	tie := last
	if written {
		tie = n.tie
	}
	if ok || tie != last {
		s.tallies.told.Put(n.tieID, tie)
	}
}
