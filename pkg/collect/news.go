package collect

import (
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
)

// news is what counts as new about an event; see evidence.Event.News, Aspects and
// Mapped.
type news struct {
	id, key cursor.Hash
	aspects []aspect
	weak    bool
	// poorer says that the fact may come again in a weak form, and so has to be
	// remembered for longer than a run. Only rollouts do; a signal that was
	// remembered here could not come, go and come again.
	poorer bool
	// mapped is the hash of the commit that a deployment is tied to, its first byte
	// how deeply; tie is under which id that is remembered.
	mapped, tie cursor.Hash
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
		n.tie = cursor.HashOf([]byte(e.ID + "|mapped"))
		if revision, depth := e.Mapped(); depth > 0 {
			n.mapped = cursor.HashOf([]byte(revision))
			n.mapped[0] = byte(depth) //nolint:gosec // at most evidence.MostMapped
		}
	}
	return n
}

// depth is how deeply the deployment behind a remembered hash was tied; 0 is not.
func depth(mapped cursor.Hash) byte { return mapped[0] }

// isKnown reports whether it was told before, in this run or an earlier one.
func (s *sieve) isKnown(n news) bool {
	if n.weak && s.wasTold(n) {
		return true
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
	last, _ := s.last(n.tie)
	return depth(n.mapped) == 0 || depth(last) > depth(n.mapped) || last == n.mapped
}

func (s *sieve) isFound(h cursor.Hash) bool { return s.tallies.found.Has(h) || s.known.seen.Has(h) }

// last is what was told last of a fact, by this run or else by an earlier one.
func (s *sieve) last(id cursor.Hash) (cursor.Hash, bool) {
	if last, ok := s.tallies.told.Last(id); ok {
		return last, true
	}
	return s.known.told.Last(id)
}

// remember keeps what the next run must not tell again.
func (s *sieve) remember(n news) {
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
	tie := n.mapped
	if last, _ := s.last(n.tie); depth(last) > depth(tie) {
		tie = last
	}
	if depth(tie) > 0 {
		s.tallies.told.Put(n.tie, tie)
	}
}
