package collect

import (
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/window"
)

// statement says what the run was. Seal adds the key.
func (r *session) statement() manifest.Statement {
	p := manifest.Predicate{
		Run: manifest.Run{
			ID: r.id, Name: r.writer.Name(), StartedAt: r.started, FinishedAt: r.Now().UTC(), Invocation: manifest.InvocationCursor,
		},
		Outcome:     r.sum(),
		Collector:   r.Collector,
		Window:      r.named(),
		Redaction:   r.redaction(),
		Correlation: r.correlation(),
		Ledger:      r.ledger.Next(),
	}
	if r.Window != nil {
		p.Run.Invocation = manifest.InvocationWindow
	}
	for _, s := range r.all() {
		p.Sources = append(p.Sources, s.statement(r.actions[s.Name], p.Window))
		r.outcome.Events += s.tallies.events
		r.outcome.Repeated += s.tallies.repeated
	}
	r.outcome.Window, r.outcome.Genesis = r.spans(), r.ledger.Genesis()
	return manifest.Statement{
		Type: manifest.StatementType, PredicateType: manifest.PredicateType,
		Subject: manifest.Subjects(r.files), Predicate: p,
	}
}

// named is the window that a person named, as all sources were asked for it: that
// of recordings alone ends when they were made.
func (r *session) named() *window.Window {
	if r.Window == nil || !r.Relative {
		return r.Window
	}
	var all *window.Window
	for _, s := range r.sources {
		switch {
		case s.Skip != "" || s.plan.window.IsZero():
		case all == nil:
			all = &s.plan.window
		case *all != s.plan.window:
			return r.Window
		}
	}
	if all == nil {
		return r.Window
	}
	return all
}

// sum is failed when no source gave anything, and complete when each that was
// asked gave everything.
func (r *session) sum() manifest.Outcome {
	outcome := manifest.OutcomeComplete
	some := false
	for _, s := range r.sources {
		switch s.status {
		case connector.Complete:
			some = true
		case connector.Partial:
			some, outcome = true, manifest.OutcomePartial
		case connector.Failed:
			outcome = manifest.OutcomePartial
		case connector.Skipped:
		}
	}
	if !some {
		return manifest.OutcomeFailed
	}
	return outcome
}

func (r *session) redaction() manifest.Redaction {
	red := manifest.Redaction{
		PolicyDigest: manifest.Digest{SHA256: r.Redactor.PolicyDigest()},
		KeyID:        r.Redactor.KeyID(),
		LeakCheck:    manifest.LeakCheck{DetectorVersion: redact.DetectorVersion},
	}
	for _, c := range r.Redactor.Counts() {
		red.Rules = append(red.Rules, manifest.RuleCount{ID: c.Rule, Count: manifest.Number(c.Count)})
	}
	for _, s := range r.sources {
		for _, n := range s.tallies.dropped {
			red.Dropped += manifest.Number(n)
		}
	}
	return red
}

func (s *source) statement(actions manifest.Actions, named *window.Window) manifest.Source {
	out := manifest.Source{
		Name: s.Name, Type: s.Type, Status: manifest.Status(s.status),
		ErrorClass: string(connector.ClassOf(s.err)), Error: message(s.err),
		Actions: actions, Scope: s.result.Scope, Notes: s.notes, Cursor: s.cursor(),
	}
	if !s.plan.window.IsZero() && (s.plan.fromCursor || named == nil || s.plan.window != *named) {
		out.Window = &s.plan.window
	}
	if m := s.identity.Skew; m.Measured {
		out.Skew = &manifest.Skew{OffsetMilliseconds: manifest.Number(m.Offset.Milliseconds()), Measured: true}
	}
	for kind, n := range s.tallies.kinds {
		if out.Counts == nil {
			out.Counts = map[string]manifest.Number{}
		}
		out.Counts[string(kind)] = manifest.Number(n)
	}
	for _, c := range s.coverage {
		out.Streams = append(out.Streams, s.stream(c))
	}
	return out
}

func (s *source) stream(c connector.Coverage) manifest.Stream {
	out := manifest.Stream{
		Name: c.Stream, Status: manifest.Status(c.Status), Asked: orNil(c.Asked), Answered: orNil(c.Answered),
		ErrorClass: string(c.Class), Reason: c.Reason, Records: manifest.Number(s.tallies.records[c.Stream]), Truncated: c.Truncated,
	}
	for _, g := range c.Missing {
		out.Missing = append(out.Missing, manifest.Missing{
			Verb: g.Verb, Group: g.Group, Resource: g.Resource, Namespace: g.Namespace, Grant: g.Rule,
		})
	}
	return out
}

// cursor pins the cursor file before and after, if there is or was one.
func (s *source) cursor() *manifest.Cursor {
	if s.memory.before == "" && s.after == "" {
		return nil
	}
	return &manifest.Cursor{
		Before: manifest.Digest{SHA256: string(s.memory.before)},
		After:  manifest.Digest{SHA256: string(s.after)},
		Reset:  s.memory.reset,
	}
}

func orNil(w window.Window) *window.Window {
	if w.IsZero() {
		return nil
	}
	return &w
}
