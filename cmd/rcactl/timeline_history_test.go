package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
	"github.com/rcactl/rcactl/schemas"
)

const (
	commitOne   = "4f2a91c0000000000000000000000000000000aa"
	commitTwo   = "9be01d70000000000000000000000000000000bb"
	commitThree = "c0ffee10000000000000000000000000000000cc"
)

func mapped(confidence evidence.Confidence, reasons ...string) *evidence.Mapping {
	m := &evidence.Mapping{Confidence: confidence, Method: evidence.MethodImageLabel}
	for _, code := range reasons {
		m.Reasons = append(m.Reasons, evidence.Reason{Code: code})
	}
	return m
}

func rolledOut(change evidence.Change, d evidence.Deployment) evidence.Event {
	d.Change, d.Workload, d.Status = change, "Deployment", evidence.StatusComplete
	d.From = &evidence.Template{Revision: 17, Images: []evidence.Image{{Container: "app", Image: "r/a:v1"}}}
	d.To = &evidence.Template{Revision: 18, Images: []evidence.Image{{Container: "app", Image: "r/a:v2"}}}
	return evidence.Event{ServiceKey: "c/shop/checkout", Source: object("Deployment", "checkout"), Deployment: &d}
}

func TestARowTellsTheCommitsOfADeployment(t *testing.T) {
	between := func(status string, ahead, behind int32, more func(*evidence.ChangeRange)) *evidence.ChangeRange {
		r := &evidence.ChangeRange{Status: status, Ahead: ahead, Behind: behind}
		if more != nil {
			more(r)
		}
		return r
	}
	high := mapped(evidence.ConfidenceHigh, "full_sha")
	for want, e := range map[string]evidence.Event{
		"rollout shop/checkout 17 → 18 v1 → v2 complete 4f2a91c → 9be01d7 high 3 commits, 1 migration file PR #812": rolledOut(evidence.ChangeRollout, evidence.Deployment{
			Revision: commitTwo, PreviousRevision: commitOne, Mapping: high, ChangeRange: between("ahead", 3, 0, func(r *evidence.ChangeRange) {
				r.Categories = []evidence.Category{{Category: "code", Files: 7}, {Category: "migration", Files: 1}}
				r.PullRequests = []int64{812}
			}),
		}),
		"rollback shop/checkout 17 → 18 v1 → v2 complete 9be01d7 → 4f2a91c high back 3 commits, breaking PRs #1, #2, #3 and 1 more": rolledOut(evidence.ChangeRollback, evidence.Deployment{
			Revision: commitOne, PreviousRevision: commitTwo, Mapping: high, ChangeRange: between("behind", 0, 3, func(r *evidence.ChangeRange) {
				r.Rollback, r.Risks, r.PullRequests = true, []string{"breaking"}, []int64{1, 2, 3, 4}
			}),
		}),
		"complete 4f2a91c → 9be01d7 medium 2 commits, 1 taken back": rolledOut(evidence.ChangeRollout, evidence.Deployment{
			Revision: commitTwo, PreviousRevision: commitOne, Mapping: mapped(evidence.ConfidenceMedium), ChangeRange: between("diverged", 2, 1, nil),
		}),
		"complete 4f2a91c → 9be01d7 high what lies between is not known": rolledOut(evidence.ChangeRollout, evidence.Deployment{
			Revision: commitTwo, PreviousRevision: commitOne, Mapping: high, ChangeRange: between("unknown", 0, 0, nil),
		}),
		"complete 9be01d7 high the same commit": rolledOut(evidence.ChangeRollout, evidence.Deployment{Revision: commitTwo, PreviousRevision: commitTwo, Mapping: high}),
		"complete 9be01d7 high":                 rolledOut(evidence.ChangeRollout, evidence.Deployment{Revision: commitTwo, Mapping: high}),
		"complete was 9be01d7 high":             rolledOut(evidence.ChangeDelete, evidence.Deployment{PreviousRevision: commitTwo, Mapping: high}),
	} {
		if got := shown(e); !strings.Contains(got, want+"\n") {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

// Where nothing could have tied a deployment to a commit, the rows stay as they
// are; where something could, those that are not tied say why.
func TestAnUnknownCommitIsToldWhereOneCouldBeKnown(t *testing.T) {
	low := rolledOut(evidence.ChangeRollout, evidence.Deployment{Mapping: mapped(evidence.ConfidenceLow, "no_claim")})
	if got := shown(low); strings.Contains(got, "commit unknown") || strings.Contains(got, "low") {
		t.Errorf("nobody was asked, and the row says so:\n%s", got)
	}
	high := rolledOut(evidence.ChangeRollout, evidence.Deployment{Revision: commitTwo, Mapping: mapped(evidence.ConfidenceHigh)})
	if got, want := shown(low, high), "commit unknown low "+evidence.ReasonWords("no_claim")+"\n"; !strings.Contains(got, want) {
		t.Errorf("want %q in\n%s", want, got)
	}
	guessed := rolledOut(evidence.ChangeRollout, evidence.Deployment{Revision: commitOne, Mapping: mapped(evidence.ConfidenceLow, "ambiguous")})
	if got := shown(guessed, high); strings.Contains(got, "4f2a91c") {
		t.Errorf("low, and attributed:\n%s", got)
	}
	scaled := rolledOut(evidence.ChangeScale, evidence.Deployment{Mapping: mapped(evidence.ConfidenceLow, "no_template")})
	if got := shown(scaled, high); strings.Contains(got, "commit unknown") {
		t.Errorf("a scaling changes no commit:\n%s", got)
	}
}

func TestCommitsOfABranchAreOneRow(t *testing.T) {
	const repository = "github.com/acme/shop"
	commit := func(c evidence.Commit) evidence.Event { c.Repository = repository; return evidence.Event{Commit: &c} }
	carried := []evidence.CarriedBy{{ID: "ev1:00"}}
	got := shown(
		commit(evidence.Commit{SHA: commitOne, DefaultBranch: true, Deployments: carried, Risks: []string{"large"}}),
		commit(evidence.Commit{SHA: commitTwo, DefaultBranch: true, Risks: []string{"large", "migration_with_code"}}),
		commit(evidence.Commit{SHA: commitThree}), // met between two revisions only
		commit(evidence.Commit{SHA: commitThree, Branch: "release-2"}),
		commit(evidence.Commit{SHA: commitThree, DefaultBranch: true, Forced: true, PreviousHead: commitOne}),
	)
	for _, want := range []string{
		"commits acme/shop 3 commits on the default branch 1 in deployments above 2 large, 1 migration with code\n",
		"commits acme/shop 1 commit on release-2 in no deployment above\n",
		"forced acme/shop 4f2a91c → c0ffee1 history of the default branch rewritten\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "acme/shop"); n != 3 {
		t.Errorf("%d rows, want 3:\n%s", n, got)
	}
}

// Neither is the row of a branch cut, nor what stands below a row and has no place.
func TestEightyColumnsAreEnough(t *testing.T) {
	var tl timeline
	for range 1000 {
		tl.add(evidence.Event{Commit: &evidence.Commit{Repository: "github.com/acme/shop", DefaultBranch: true}})
	}
	p, out := testPrinter(80, nil, false)
	tl.print(p, window.Window{}, true)
	if got := out.String(); !strings.Contains(got, "1000 commits  on the default branch\n") {
		t.Errorf("%s", got)
	}
	p, _ = testPrinter(40, nil, false)
	long := cell{text: strings.Repeat("a", 20) + strings.Repeat("b", 20)}
	lines := p.wrapped("    ", []cell{{text: "one"}, long, {text: "two"}})
	if len(lines) != 3 || lines[1][0].text != strings.Repeat("a", 17)+"…"+strings.Repeat("b", 18) {
		t.Errorf("%+v", lines)
	}
}

func TestChangesOfSourceCodeAreRows(t *testing.T) {
	const repository = "github.example.com/acme/shop"
	got := shown(
		evidence.Event{PullRequest: &evidence.PullRequest{Repository: repository, Number: 812, DefaultBranch: true, MergeCommit: commitTwo, Type: "fix", Breaking: true}},
		evidence.Event{PullRequest: &evidence.PullRequest{Repository: repository, Number: 813, Deployments: []evidence.CarriedBy{{ID: "ev1:00"}}}},
		evidence.Event{Release: &evidence.Release{Repository: repository, Number: 7, Tag: "v1.4.2", Commit: commitTwo, Prerelease: true}},
		evidence.Event{Pipeline: &evidence.Pipeline{Repository: repository, Number: 9, Workflow: "deploy.yml", Commit: commitTwo, Status: "completed", Conclusion: "timed_out", Deployed: true}},
		evidence.Event{Pipeline: &evidence.Pipeline{Repository: repository, Number: 10, Workflow: "test.yml", Commit: commitTwo, Status: "completed", Conclusion: "success"}},
		evidence.Event{
			Source:     evidence.Source{Object: evidence.Object{Kind: "Environment", Name: "production"}},
			Deployment: &evidence.Deployment{Change: evidence.ChangeApply, Workload: "Environment", Status: evidence.StatusComplete, Revision: commitTwo, Mapping: mapped(evidence.ConfidenceHigh), Environment: &evidence.Environment{Repository: repository}},
		},
	)
	for _, want := range []string{
		"merge github.example.com/acme/shop PR #812 into the default branch at 9be01d7 fix breaking\n",
		"release github.example.com/acme/shop v1.4.2 at 9be01d7 pre-release\n",
		"pipeline github.example.com/acme/shop deploy.yml at 9be01d7, which deploys timed out\n",
		"deploy github.example.com/acme/shop environment production complete 9be01d7 high\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"#813", "test.yml"} {
		if strings.Contains(got, not) {
			t.Errorf("%s is a row:\n%s", not, got)
		}
	}
}

func TestImagesThatWereNotReadAreNamedOnce(t *testing.T) {
	var tl timeline
	for _, ref := range []string{"ghcr.io/acme/a:v1", "acme/b", "localhost/c", "registry.example:5000/d", "busybox", "ghcr.io/acme/e"} {
		tl.add(evidence.Event{Deployment: &evidence.Deployment{
			To: &evidence.Template{Images: []evidence.Image{{Image: ref}}}, Mapping: mapped(evidence.ConfidenceLow, "no_claim", "image_unread"),
		}})
	}
	got := strings.Join(tl.registryHint(false), "\n")
	if !strings.HasSuffix(got, "--registry docker.io,ghcr.io,localhost,registry.example:5000") {
		t.Errorf("%q", got)
	}
	if got := tl.registryHint(true); got != nil {
		t.Errorf("no registry was to be asked, and %q", got)
	}
}

func TestWhatCouldNotBeTiedIsALine(t *testing.T) {
	const unread = "the images of 2 deployments were not read: what they say of their commits is not known"
	var out collect.Outcome
	p := &out.Statement.Predicate
	p.Correlation = &manifest.Correlation{Notes: []string{"one thing", unread, "another"}}
	p.Sources = []manifest.Source{{
		Name: "images", Type: typeImages, Status: manifest.StatusSkipped, Notes: []string{"2 images not read: why"},
		Streams: []manifest.Stream{{Name: "images", Status: manifest.StatusSkipped, Reason: "said elsewhere"}},
	}}
	printer, text := testPrinter(0, nil, false)
	printCoverage(printer, out, "a hint")
	for _, want := range []string{"  commits: one thing; another\n", "  2 images not read: why\n  a hint\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if strings.Contains(text.String(), "said elsewhere") {
		t.Errorf("said twice:\n%s", text)
	}
	if triedToTie(out.Statement) {
		t.Error("no image was read, and deployments without a commit are told")
	}
	p.Sources[0].Status, p.Sources[0].Streams[0].Status = manifest.StatusComplete, manifest.StatusComplete
	printer, text = testPrinter(0, nil, false)
	printCoverage(printer, out)
	if strings.Contains(text.String(), "said elsewhere") {
		t.Errorf("said twice:\n%s", text)
	}
	if !triedToTie(out.Statement) {
		t.Error("images were read, and deployments without a commit are not told")
	}
}

// That images were not read is said of the deployments where no source says it.
func TestImagesThatNobodySpeaksOfAreSpokenOf(t *testing.T) {
	for _, note := range []string{"the image of 1 deployment was not read: what it says of its commit is not known", "the images of 12 deployments were not read: what they say of their commits is not known"} {
		c := &manifest.Correlation{Notes: []string{note, "another"}}
		if told, left := untied(c, false), untied(c, true); len(told) != 2 || !slices.Equal(left, []string{"another"}) {
			t.Errorf("%q, and where it was said %q", told, left)
		}
	}
}

// What ended for one reason is a line, and a source that failed as a whole says why.
func TestWhatFailedForOneReasonIsALine(t *testing.T) {
	stream := func(name string, status manifest.Status, reason string) manifest.Stream {
		return manifest.Stream{Name: name, Status: status, Reason: reason}
	}
	const failed, partial, skipped = manifest.StatusFailed, manifest.StatusPartial, manifest.StatusSkipped
	for name, c := range map[string]struct {
		src  manifest.Source
		want string
	}{
		"as a whole": {manifest.Source{Error: "it is down", Streams: []manifest.Stream{
			stream("commits", failed, "the source failed"), stream("releases", failed, "the source failed"),
		}}, "Not known\n  github, failed: it is down\n\n"},
		"in the middle": {manifest.Source{Error: "it is down", Streams: []manifest.Stream{
			stream("commits", failed, "the source failed"), stream("deployments", manifest.StatusComplete, ""),
			stream("pulls", failed, "the source failed"), stream("releases", partial, "a bound"),
		}}, "Not known\n  github commits, pulls, failed: it is down\n  github releases, partial: a bound\n\n"},
		"nothing there": {manifest.Source{Streams: []manifest.Stream{
			stream("commits", skipped, "no repository is known"), stream("releases", skipped, "no repository is known"),
		}}, "Not known\n  github not read: no repository is known\n\n"},
		"some left out": {manifest.Source{Streams: []manifest.Stream{
			stream("commits", manifest.StatusComplete, ""), stream("releases", skipped, "by choice"),
		}}, "Not known\n  github not read: releases (by choice)\n\n"},
	} {
		var out collect.Outcome
		c.src.Name = "github"
		out.Statement.Predicate.Sources = []manifest.Source{c.src}
		printer, text := testPrinter(0, nil, false)
		if printCoverage(printer, out); text.String() != c.want {
			t.Errorf("%s: %q, want %q", name, text.String(), c.want)
		}
	}
}

// How a source ended is a line, which does not say of one that was asked that it was not.
func TestTheLineOfASource(t *testing.T) {
	for _, c := range []struct {
		progress collect.Progress
		want     string
	}{
		{collect.Progress{Source: "github", Status: connector.Complete, Requests: 3, Nothing: "nothing was read: none may be"}, "  github       ! nothing was read: none may be\n"},
		{collect.Progress{Source: "images", Status: connector.Skipped, Requests: 5, Nothing: "no image was read: why"}, "  images       ! no image was read: why\n"},
		{collect.Progress{Source: "postgres", Status: connector.Skipped, Error: "only by choice"}, "  postgres     ! not asked: only by choice\n"},
		{collect.Progress{Source: "github", Status: connector.Complete, Records: 1, Requests: 3}, "  github       ✓ 1 record · 3 requests · 0.0 s\n"},
		{collect.Progress{Source: "github"}, ""},
	} {
		printer, text := testPrinter(0, nil, false)
		if printProgress(printer, c.progress); text.String() != c.want {
			t.Errorf("%q, want %q", text.String(), c.want)
		}
	}
}

// A narrow terminal tells what was deployed, and its commits below, the commits
// first, and all of it.
func TestANarrowTerminalTellsTheCommitsBelow(t *testing.T) {
	e := rolledOut(evidence.ChangeRollout, evidence.Deployment{
		Revision: commitTwo, PreviousRevision: commitOne, Mapping: mapped(evidence.ConfidenceHigh),
		ChangeRange: &evidence.ChangeRange{Status: "ahead", Ahead: 3, PullRequests: []int64{812}},
	})
	for width, want := range map[int][]string{
		30:  {"rollout\n", "            4f2a91c → 9be01d7\n            high  3 commits\n            PR #812\n"},
		40:  {"shop/checkout\n", "            4f2a91c → 9be01d7  high\n            3 commits  PR #812\n"},
		84:  {"complete\n", "            4f2a91c → 9be01d7  high  3 commits  PR #812\n"},
		120: {"complete  4f2a91c → 9be01d7  high  3 commits  PR #812\n"},
	} {
		var tl timeline
		tl.add(e)
		p, out := testPrinter(width, nil, true)
		tl.print(p, window.Window{}, true)
		if got := plain(out.String()); !strings.Contains(got, strings.Join(want, "")) {
			t.Errorf("width %d: want %q in\n%s", width, want, got)
		}
	}
}

// plain takes colours out.
func plain(text string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(text, "")
}

// Every reason that a mapping may have is said in words.
func TestEveryReasonHasWords(t *testing.T) {
	var doc struct {
		Defs struct {
			Reason struct {
				Properties struct {
					Code struct {
						OneOf []struct {
							Const string `json:"const"`
						} `json:"oneOf"`
					} `json:"code"`
				} `json:"properties"`
			} `json:"reason"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schemas.Evidence(), &doc); err != nil {
		t.Fatal(err)
	}
	codes := doc.Defs.Reason.Properties.Code.OneOf
	if len(codes) < 20 {
		t.Fatalf("the schema has %d reasons", len(codes))
	}
	said := map[string]string{}
	for _, code := range codes {
		words := evidence.ReasonWords(code.Const)
		if words == "" || said[words] != "" {
			t.Errorf("%s: %q, as %q", code.Const, words, said[words])
		}
		said[words] = code.Const
	}
}
