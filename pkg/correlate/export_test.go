package correlate

import (
	"iter"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// Rungs gives the methods, best first, and what each begins with.
func Rungs() iter.Seq2[evidence.Method, int] {
	return func(yield func(evidence.Method, int) bool) {
		for _, r := range rungs() {
			if !yield(r.method, r.base) {
				return
			}
		}
	}
}

// Circumstances gives the codes in their order, by how much each moves a score, and
// the most that it leaves; zero where there is no bound.
func Circumstances() iter.Seq2[string, [2]int] {
	return func(yield func(string, [2]int) bool) {
		for _, c := range circumstances() {
			if !yield(c.name, [2]int{c.delta, c.cap}) {
				return
			}
		}
	}
}

// ReadRevision and ReadVersion say what a text names.
func ReadRevision(s string) string { return readRevision(s).String() }

// ReadVersion does so for versions and tags.
func ReadVersion(s string) string { return readVersion(s).String() }

func (n named) String() string {
	text := [...]string{"none", "full", "short", "name"}[n.form]
	if n.form != formNone {
		text += " " + n.value
	}
	if n.dirty {
		text += " dirty"
	}
	if n.doubtful {
		text += " doubtful"
	}
	return text
}
