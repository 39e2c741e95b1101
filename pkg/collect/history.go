package collect

import (
	"context"
	"log/slog"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxRounds bounds how often answers lead to further questions.
const maxRounds = 6

// history is the sources that know the history of source code.
type history struct {
	sources []*historian // in the order of the config
	// by is who answered for a repository.
	by    map[string]*historian
	grace time.Duration
	log   *slog.Logger
}

// historian is one of them. Once it is over it is asked no more.
type historian struct {
	source   *source
	resolver connector.RangeResolver
	over     string // why
	absent   bool   // it was over before it could be asked
}

// history finds the sources that can be asked, and those that failed and could
// otherwise.
func (r *session) history() *history {
	h := &history{by: map[string]*historian{}, grace: r.grace(), log: r.log}
	for _, s := range r.sources {
		if resolver, ok := s.connector.(connector.RangeResolver); ok {
			h.sources = append(h.sources, &historian{source: s, resolver: resolver})
		} else if s.err != nil && s.connector == nil && readsHistory(s.Config) {
			h.sources = append(h.sources, &historian{source: s, over: message(s.err), absent: true})
		}
	}
	return h
}

// readsHistory reports whether a config is that of a source of history, also when
// there is no connector.
func readsHistory(c connector.Config) bool {
	_, follows := c.(connector.Follower)
	_, names := c.(connector.RepositoryNamer)
	return follows || names
}

// of is the source that told of a repository, or nil.
func (h *history) of(repository string) *source {
	if who := h.by[repository]; who != nil {
		return who.source
	}
	return nil
}

// ask gives one answer a question. A source that cannot read a repository, or could
// not be asked, leaves the question to the next one.
func (h *history) ask(ctx context.Context, questions []record.HistoryQuestion) []record.HistoryAnswer {
	answers := nobody(questions, "there is no source of history to ask", true)
	for _, who := range h.sources {
		var open []record.HistoryQuestion
		var at []int
		for i, q := range questions {
			if by := h.by[q.Repository]; !isAnswer(answers[i]) && (by == nil || by == who || by.over != "") {
				open, at = append(open, q), append(at, i)
			}
		}
		if len(open) == 0 {
			continue
		}
		for i, a := range who.ask(ctx, h, open) {
			answers[at[i]] = better(answers[at[i]], a)
			if isAnswer(a) && h.by[a.Question.Repository] == nil {
				h.by[a.Question.Repository] = who
			}
		}
	}
	return answers
}

// isAnswer reports whether nobody else has to be asked.
func isAnswer(a record.HistoryAnswer) bool {
	return a.Finding != record.Unanswered && a.Finding != record.Unreadable
}

// better is what a further source adds to what is known. That one of them might know
// it counts for more than that another may not read it, and either for more than that
// a source is not there for the repository.
func better(was, now record.HistoryAnswer) record.HistoryAnswer {
	rank := func(a record.HistoryAnswer) int {
		switch {
		case isAnswer(a):
			return 3
		case a.Finding == record.Unanswered && !a.Final:
			return 2
		case a.Finding == record.Unreadable:
			return 1
		}
		return 0
	}
	if rank(now) < rank(was) {
		return was
	}
	return now
}

// nobody answers questions that nobody was asked; final says that it will be so in
// another run.
func nobody(questions []record.HistoryQuestion, reason string, final bool) []record.HistoryAnswer {
	answers := make([]record.HistoryAnswer, len(questions))
	for i, q := range questions {
		answers[i] = record.HistoryAnswer{Question: q, Finding: record.Unanswered, Reason: reason, Final: final}
	}
	return answers
}

// ask gives one answer a question, whatever the source does.
func (w *historian) ask(ctx context.Context, h *history, questions []record.HistoryQuestion) []record.HistoryAnswer {
	if w.over != "" {
		return nobody(questions, w.over, false)
	}
	resolver := w.resolver // one that is left behind may still read it
	got, err := isolate(ctx, h.grace, h.log, "resolve", func(ctx context.Context) ([]record.HistoryAnswer, error) {
		return resolver.Resolve(ctx, questions)
	})
	switch {
	case err != nil:
		w.over = message(err)
		if !usable(err) {
			w.source.connector, w.resolver = nil, nil
		}
	case len(got) != len(questions):
		w.over = "a bug in the connector: it left out answers"
	}
	answers := nobody(questions, w.over, false)
	for i, a := range got[:min(len(got), len(questions))] {
		if a.Question == questions[i] && a.Finding != "" {
			answers[i] = a
		} else {
			answers[i].Reason = "a bug in the connector: its answer is to another question"
		}
	}
	return answers
}

// close takes over what the sources say of having been asked.
func (h *history) close(ctx context.Context) {
	type told struct {
		actions []connector.Action
		notes   []string
	}
	// Their time may be over; they are only to say what they did.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), h.grace)
	defer stop()
	for _, w := range h.sources {
		s, resolver := w.source, w.resolver
		if w.absent {
			continue
		}
		if resolver == nil {
			s.result.Notes = append(s.result.Notes, unlisted)
			continue
		}
		got, err := isolate(ctx, h.grace, h.log, "list what it was asked", func(context.Context) (got told, _ error) {
			got.actions, got.notes = resolver.Resolved()
			return got, nil
		})
		if err != nil {
			s.connector, got.notes = nil, []string{unlisted}
		}
		s.result.Actions = append(s.result.Actions, got.actions...)
		s.result.Notes = append(s.result.Notes, got.notes...)
	}
}

const unlisted = "what it was asked of the history is not among the actions, since it did not end"

func unanswered(answers []record.HistoryAnswer) (n int) {
	for _, a := range answers {
		if a.Finding == record.Unanswered {
			n++
		}
	}
	return n
}
