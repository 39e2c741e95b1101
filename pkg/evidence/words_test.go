package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/evidence"
)

const (
	before = "4f2a91c0d3b5e7f9a1c3e5b7d9f1a3c5e7b9d1f3"
	after  = "9be01d7c5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"
)

func deployed(change evidence.Change, m *evidence.Mapping) evidence.Event {
	return evidence.Event{
		Source:     evidence.Source{Object: evidence.Object{Kind: "Deployment", Name: "orders"}},
		Deployment: &evidence.Deployment{Change: change, Mapping: m},
	}
}

func TestSentencesOfMappings(t *testing.T) {
	high, medium := evidence.ConfidenceHigh, evidence.ConfidenceMedium
	for want, e := range map[string]evidence.Event{
		"Deployment orders was rolled out": deployed(evidence.ChangeRollout, nil),
		"Deployment orders was rolled out, at commit 9be01d7 (medium)": func() evidence.Event {
			e := deployed(evidence.ChangeRollout, &evidence.Mapping{Confidence: medium})
			e.Deployment.Revision = after
			return e
		}(),
		"Deployment orders was restarted with the same template, still at commit 9be01d7 (high)": func() evidence.Event {
			e := deployed(evidence.ChangeRestart, &evidence.Mapping{Confidence: high})
			e.Deployment.Revision, e.Deployment.PreviousRevision = after, after
			return e
		}(),
		"Deployment orders was deleted, which ran commit 4f2a91c (high)": func() evidence.Event {
			e := deployed(evidence.ChangeDelete, &evidence.Mapping{Confidence: high})
			e.Deployment.PreviousRevision = before
			return e
		}(),
		"Deployment orders was rolled out, from commit 4f2a91c to 9be01d7 (high)":                             ranged(evidence.ChangeRollout, nil),
		"Deployment orders was rolled out, from commit 4f2a91c to 9be01d7 (high, 3 commits, 2 pull requests)": ranged(evidence.ChangeRollout, &evidence.ChangeRange{Status: "ahead", Ahead: 3, PullRequests: []int64{1, 2}}),
		"Deployment orders was rolled back, from commit 4f2a91c to 9be01d7 (high, 1 commit taken back)":       ranged(evidence.ChangeRollback, &evidence.ChangeRange{Status: "behind", Behind: 1, Rollback: true}),
		"Deployment orders was rolled out, back from commit 4f2a91c to 9be01d7 (high, 2 commits taken back)":  ranged(evidence.ChangeRollout, &evidence.ChangeRange{Status: "behind", Behind: 2, Rollback: true}),
		"Deployment orders was rolled out, from commit 4f2a91c to 9be01d7 (high, 1 commit and 2 taken back)":  ranged(evidence.ChangeRollout, &evidence.ChangeRange{Status: "diverged", Ahead: 1, Behind: 2}),
		"Deployment orders was rolled out, from commit 4f2a91c to 9be01d7 (high) ":                            ranged(evidence.ChangeRollout, &evidence.ChangeRange{Status: "unknown", Reason: "unanswered"}),
		"Deployment orders was rolled out; its commit is not known: neither image nor workload names one":     deployed(evidence.ChangeRollout, low("no_claim")),
		"Deployment orders was created; its commit is not known: the image names another repository":          deployed(evidence.ChangeCreate, low("full_sha", "source_mismatch")),
		"Deployment orders was rolled out; its commit is not known":                                           deployed(evidence.ChangeRollout, low()),
		"Deployment orders was scaled": deployed(evidence.ChangeScale, low("no_template")),
		"Deployment orders was rolled out, by planted, beside Argo CD; its commit is not known: neither image nor workload names one": func() evidence.Event {
			e := deployed(evidence.ChangeRollout, low("no_claim"))
			e.Deployment.BesideManager, e.Deployment.ManagedBy = true, &evidence.ManagedBy{Tool: "argocd"}
			e.Actor = &evidence.Actor{Manager: "planted"}
			return e
		}(),
	} {
		if got := evidence.Summarize(e); got != strings.TrimSpace(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func ranged(change evidence.Change, c *evidence.ChangeRange) evidence.Event {
	e := deployed(change, &evidence.Mapping{Confidence: evidence.ConfidenceHigh})
	e.Deployment.Revision, e.Deployment.PreviousRevision, e.Deployment.ChangeRange = after, before, c
	return e
}

// low is a mapping of which each reason lowers more than the one before.
func low(codes ...string) *evidence.Mapping {
	m := &evidence.Mapping{Confidence: evidence.ConfidenceLow}
	for i, code := range codes {
		m.Reasons = append(m.Reasons, evidence.Reason{Code: code, Delta: -float64(i) / 10})
	}
	return m
}

// With confidence low nothing is attributed, whatever else stands in the event.
func TestALowMappingNamesNoCommit(t *testing.T) {
	e := ranged(evidence.ChangeRollout, nil)
	e.Deployment.Mapping = low("conflict")
	if got := evidence.Summarize(e); strings.Contains(got, before[:7]) || strings.Contains(got, after[:7]) {
		t.Error(got)
	}
}

func TestSentencesOfHistory(t *testing.T) {
	carried := []evidence.CarriedBy{{ID: "a"}, {ID: "b"}, {ID: "c", TakenBack: true}}
	const repository = "github.com/acme/shop"
	for want, e := range map[string]evidence.Event{
		"Commit 9be01d7 of github.com/acme/shop": {Commit: &evidence.Commit{Repository: repository, SHA: after}},
		"Commit 9be01d7 of github.com/acme/shop: fix(checkout), 3 files (1 migration, 2 code), breaking, reverts 4f2a91c; carried by 2 deployments, taken back by 1": {Commit: &evidence.Commit{
			Repository: repository, SHA: after, Type: "fix", Scope: "checkout", Breaking: true, Reverts: before, Deployments: carried,
			Size: &evidence.Size{Files: 3, Categories: []evidence.Category{{Category: "migration", Files: 1}, {Category: "code", Files: 2}}},
		}},
		"Commit 9be01d7 of github.com/acme/shop: feat, more than 300 files; the branch was rewritten and had commit 4f2a91c before": {Commit: &evidence.Commit{
			Repository: repository, SHA: after, Type: "feat", Size: &evidence.Size{Files: 300, Truncated: true}, Forced: true, PreviousHead: before,
		}},
		"Commit 9be01d7 of github.com/acme/shop; taken back by 1 deployment":                                            {Commit: &evidence.Commit{Repository: repository, SHA: after, Deployments: carried[2:]}},
		"Pull request #7 of github.com/acme/shop was merged":                                                            {PullRequest: &evidence.PullRequest{Repository: repository, Number: 7}},
		"Pull request #7 of github.com/acme/shop was merged as commit 9be01d7: fix, breaking; carried by 5 deployments": {PullRequest: &evidence.PullRequest{Repository: repository, Number: 7, MergeCommit: after, Type: "fix", Breaking: true, Deployments: carried[:1], DeploymentsMore: 4}},
		"Release v1 of github.com/acme/shop was published at commit 9be01d7":                                            {Release: &evidence.Release{Repository: repository, Tag: "v1", Commit: after}},
		"Pre-release of github.com/acme/shop was published":                                                             {Release: &evidence.Release{Repository: repository, Prerelease: true}},
		"Workflow deploy.yml of github.com/acme/shop failed on commit 9be01d7, attempt 2; it deploys":                   {Pipeline: &evidence.Pipeline{Repository: repository, Workflow: "deploy.yml", Status: "completed", Conclusion: "failure", Commit: after, Attempt: 2, Deployed: true}},
		"A workflow of github.com/acme/shop was running":                                                                {Pipeline: &evidence.Pipeline{Repository: repository, Status: "in_progress"}},
		"A workflow of github.com/acme/shop was queued":                                                                 {Pipeline: &evidence.Pipeline{Repository: repository, Status: "queued"}},
		"A workflow of github.com/acme/shop ended as stale":                                                             {Pipeline: &evidence.Pipeline{Repository: repository, Status: "completed", Conclusion: "stale"}},
	} {
		if got := evidence.Summarize(e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for status, want := range map[evidence.Status]string{
		evidence.StatusComplete: "was deployed to, at commit 9be01d7 (high)", evidence.StatusFailed: "could not be deployed to, at commit 9be01d7 (high)",
		evidence.StatusProgressing: "is being deployed to, at commit 9be01d7 (high)", evidence.StatusUnknown: "was asked to be deployed to, at commit 9be01d7 (high)",
	} {
		e := evidence.Event{Source: evidence.Source{Object: evidence.Object{Kind: "Environment", Name: "production"}}, Deployment: &evidence.Deployment{
			Change: evidence.ChangeApply, Status: status, Revision: after, Mapping: &evidence.Mapping{Confidence: evidence.ConfidenceHigh},
			Environment: &evidence.Environment{Repository: repository},
		}}
		if got := evidence.Summarize(e); got != "Environment production of github.com/acme/shop "+want {
			t.Errorf("%s: %s", status, got)
		}
	}
}

// No sentence says that something caused something.
func TestReasonsClaimNoCause(t *testing.T) {
	for _, word := range []string{"caus", "because", "due to"} {
		if slices.ContainsFunc([]string{"conflict", "no_claim", "temporal_only", "base_image"}, func(code string) bool {
			return strings.Contains(evidence.ReasonWords(code), word)
		}) {
			t.Errorf("a reason says %q", word)
		}
	}
	if evidence.ReasonWords("not a code") != "" {
		t.Error("there are words for what is no reason")
	}
}

func TestShortCommits(t *testing.T) {
	for in, want := range map[string]string{
		after: "9be01d7", strings.Repeat("ab", 32): "abababa", "v1.2.3": "v1.2.3", "": "", strings.ToUpper(after): strings.ToUpper(after), after[:39]: after[:39],
	} {
		if got := evidence.ShortCommit(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
