package evidence_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

func TestNewsOfWhatGitHubTells(t *testing.T) {
	run := func(change func(*evidence.Pipeline)) string {
		p := &evidence.Pipeline{Attempt: 1, Status: "in_progress"}
		change(p)
		key, _ := evidence.Event{ID: "ev1:a", Kind: evidence.KindPipeline, Pipeline: p}.News()
		return key
	}
	for name, tt := range map[string]struct {
		change func(*evidence.Pipeline)
		news   bool
	}{
		"nothing":        {func(*evidence.Pipeline) {}, false},
		"attempt":        {func(p *evidence.Pipeline) { p.Attempt = 2 }, true},
		"status":         {func(p *evidence.Pipeline) { p.Status = "completed" }, true},
		"conclusion":     {func(p *evidence.Pipeline) { p.Conclusion = "failure" }, true},
		"that it deploy": {func(p *evidence.Pipeline) { p.Deployed = true }, false},
	} {
		if got := run(tt.change) != run(func(*evidence.Pipeline) {}); got != tt.news {
			t.Errorf("%s: news %v", name, got)
		}
	}
	state := func(s string) string {
		key, _ := evidence.Event{ID: "ev1:a", Deployment: &evidence.Deployment{
			Status: evidence.StatusComplete, Environment: &evidence.Environment{State: s},
		}}.News()
		return key
	}
	if state("success") == state("inactive") {
		t.Error("another state of an environment is no news")
	}
}

func TestAspects(t *testing.T) {
	by := func(ids ...string) (all []evidence.CarriedBy) {
		for _, id := range ids {
			all = append(all, evidence.CarriedBy{ID: id})
		}
		return all
	}
	commit := func(c evidence.Commit) []evidence.Aspect { return evidence.Event{ID: "ev1:c", Commit: &c}.Aspects() }
	pull := func(p evidence.PullRequest) []evidence.Aspect {
		return evidence.Event{ID: "ev1:c", PullRequest: &p}.Aspects()
	}
	one, two := commit(evidence.Commit{Deployments: by("a")}), commit(evidence.Commit{Deployments: by("a", "b")})
	if len(one) != 1 || len(two) != 2 || !slices.Contains(two, one[0]) || two[1].Of != "b" {
		t.Errorf("%v, %v", one, two)
	}
	back := commit(evidence.Commit{Deployments: []evidence.CarriedBy{{ID: "a", TakenBack: true}}})
	if slices.Contains(back, one[0]) {
		t.Error("that it was taken back is no aspect of its own")
	}
	forced := commit(evidence.Commit{Forced: true, PreviousHead: "x"})
	if len(forced) != 1 || forced[0].Of != "" || forced[0] == commit(evidence.Commit{Forced: true, PreviousHead: "y"})[0] {
		t.Errorf("%v", forced)
	}
	if got := pull(evidence.PullRequest{Deployments: by("a")}); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := commit(evidence.Commit{}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTie(t *testing.T) {
	deployment := func(c evidence.Confidence, status string, reasons ...string) evidence.Event {
		d := &evidence.Deployment{PreviousRevision: "before", Mapping: &evidence.Mapping{Confidence: c}}
		if status != "" {
			d.Revision, d.ChangeRange = "now", &evidence.ChangeRange{Status: status}
		}
		for _, code := range reasons {
			d.Mapping.Reasons = append(d.Mapping.Reasons, evidence.Reason{Code: code})
		}
		return evidence.Event{Deployment: d}
	}
	for i, tt := range []struct {
		event evidence.Event
		want  evidence.Tie
	}{
		{evidence.Event{Deployment: &evidence.Deployment{Revision: "now"}}, evidence.Tie{}},
		{evidence.Event{Commit: &evidence.Commit{}}, evidence.Tie{}},
		{deployment(evidence.ConfidenceLow, "ahead"), evidence.Tie{}},
		{deployment(evidence.ConfidenceMedium, "", "not_verified"), evidence.Tie{To: "before", Depth: 2}},
		{deployment(evidence.ConfidenceMedium, "ahead", "repository_unreadable"), evidence.Tie{To: "now", Depth: 3}},
		{deployment(evidence.ConfidenceHigh, evidence.RangeUnknown, "full_sha", "commit_exists"), evidence.Tie{To: "now", Depth: 4, Answered: true}},
		{deployment(evidence.ConfidenceHigh, "identical", "commit_exists"), evidence.Tie{To: "now", Depth: evidence.DeepestTie, Answered: true}},
		{deployment(evidence.ConfidenceLow, "", "full_sha", "commit_not_found"), evidence.Tie{To: "commit_not_found", Answered: true}},
		{deployment(evidence.ConfidenceLow, "", "ambiguous"), evidence.Tie{To: "ambiguous", Answered: true}},
		{deployment(evidence.ConfidenceLow, "", "commit_exists", "source_mismatch"), evidence.Tie{To: "commit_exists", Answered: true}},
	} {
		if got := tt.event.Tie(); got != tt.want {
			t.Errorf("%d: %+v, want %+v", i, got, tt.want)
		}
	}
}

func TestTheSpanOfACommit(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	from, to := at(10), at(20)
	s := evidence.Event{Time: at(1), Commit: &evidence.Commit{
		NotBefore: &from, NotAfter: &to, Deployments: []evidence.CarriedBy{{Time: at(30)}},
	}}.Span()
	if !s.Since.Equal(from) || !s.Until.Equal(to) || s.Ongoing || !slices.Equal(s.Instants, []time.Time{at(1), at(30)}) {
		t.Errorf("%+v", s)
	}
	open := evidence.Event{Time: at(1), Commit: &evidence.Commit{NotBefore: &from}}.Span()
	if !open.Ongoing || !slices.Equal(open.Instants, []time.Time{at(1), from}) {
		t.Errorf("%+v", open)
	}
	end := at(5)
	if s := (evidence.Event{Time: at(1), Pipeline: &evidence.Pipeline{Finished: &end}}).Span(); !slices.Equal(s.Instants, []time.Time{at(1), end}) {
		t.Errorf("%+v", s)
	}
}
