package correlate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// theMeetings are cases in which several things meet.
func theMeetings() []rollout {
	noSource := func(revision string) record.ImageClaim {
		return record.ImageClaim{Place: record.PlaceLabel, Revision: revision}
	}
	pinned := event(func(e *evidence.Event) {
		e.Deployment.To.Images[0] = evidence.Image{Container: "app", Image: image + "@" + digest(2)}
	})
	twoChanged := func(change func(*evidence.Template)) evidence.Event {
		return to(func(t *evidence.Template) {
			t.Images = append([]evidence.Image{{Container: "proxy", Image: "proxy:2", Digest: digest(4)}}, t.Images...)
			change(t)
		})
	}
	kept := event(func(e *evidence.Event) { // a side car that stays, and comes first
		side := evidence.Image{Container: "a", Image: "proxy:1", Digest: digest(4)}
		e.Deployment.From.Images = append([]evidence.Image{side}, e.Deployment.From.Images...)
		e.Deployment.To.Images = append([]evidence.Image{side}, e.Deployment.To.Images...)
	})
	proxy := correlate.Image{Digest: digest(4), Metadata: &record.ImageMetadata{Claims: []record.ImageClaim{label(sha(3))}}}
	good := "high 0.90 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch"
	return []rollout{
		{"a digest in the reference", correlate.Input{Events: events(pinned), Images: images(labelled(2, label(sha(2))))}, line(1, 3), good, 2},
		{
			"a side car that did not change",
			correlate.Input{Events: events(kept), Images: images(proxy, labelled(2, label(sha(2))))},
			line(1, 3),
			"medium 0.80 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, several_images -0.10", 2,
		},
		{"a side car of another repository", correlate.Input{Events: events(kept), Images: images(labelled(2, label(sha(2))))}, line(1, 3), good, 2},
		{"the image of the service's repository", correlate.Input{Events: events(twoChanged(func(*evidence.Template) {})), Images: images(labelled(2, label(sha(2)))), Services: services()}, line(1, 3), good, 2},
		{
			"the container named like the service",
			correlate.Input{Events: events(twoChanged(func(t *evidence.Template) { t.Images[1].Container = "web" })), Images: images(labelled(2, label(sha(2))))},
			line(1, 3),
			"medium 0.80 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, several_images -0.10", 2,
		},
		{"two images of one commit", correlate.Input{
			Events: events(twoChanged(func(t *evidence.Template) { t.Images[0].Image = image + ":2" })),
			Images: images(labelled(2, label(sha(2))), correlate.Image{Digest: digest(4), Metadata: &record.ImageMetadata{Claims: []record.ImageClaim{label(sha(2))}}}),
		}, line(1, 3), good, 2},
		{
			"the workload names another repository than the image",
			correlate.Input{
				Images: images(labelled(2, record.ImageClaim{Place: record.PlaceLabel, Revision: sha(1), Source: "github.com/nodejs/docker-node"})),
				Events: events(claims(revisionClaim(sha(2)), sourceClaim(shop))),
			},
			line(1, 3),
			"medium 0.80 annotation: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"the inherited label is not found, the tag is",
			correlate.Input{Events: events(tagged(sha(2))), Images: images(labelled(2, noSource(sha(9)))), Services: services()},
			line(1, 3),
			"medium 0.75 tag_sha: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"GitHub was told of the commit, and nothing else says where it is from",
			correlate.Input{Events: events(event(nil), told(9*time.Minute, 2, nil), commit(2, nil)), Images: images(labelled(2, noSource(sha(2))))},
			nil,
			"high 0.93 image_label: full_sha, agreement +0.03, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{"a repository that is read has the commit", correlate.Input{Events: events(event(nil)), Images: images(labelled(2, noSource(sha(2)))), Repositories: []string{shop}}, line(1, 3), good, 2},
		{
			"two repositories have the commit",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, noSource(sha(2)))), Repositories: []string{shop, "github.com/fork/shop"}},
			line(1, 3),
			"low 0.45 image_label: full_sha, repository_unknown -0.45", 0,
		},
		{"a deployment that GitHub was told of does not contradict the image", correlate.Input{Events: events(event(nil), told(9*time.Minute, 3, nil)), Images: images(labelled(2, label(sha(2))))}, line(1, 3), good, 2},
		{
			"two deployments of one commit",
			correlate.Input{Events: events(event(nil), told(9*time.Minute, 2, nil), told(8*time.Minute, 2, nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"medium 0.70 github_deployment: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{"a deployment that failed, one that is too old and one that is too late", correlate.Input{Images: unlabelled(), Services: services(), Events: events(event(nil),
			told(9*time.Minute, 2, func(e *evidence.Event) {
				e.Deployment.Status, e.Deployment.Environment.State = evidence.StatusFailed, "failure"
			}),
			told(31*time.Minute, 2, nil), told(-11*time.Minute, 2, nil))}, line(1, 3), "low 0.00 none: no_claim", 0},
		{
			"what was applied names a newer commit of the same repository than the tag",
			correlate.Input{
				Images: unlabelled(), Services: services(),
				Events: events(event(func(e *evidence.Event) { managed(e); e.Deployment.To.Images[0].Image = image + ":" + sha(1) }), applied(3*time.Minute, shop, sha(2), sha(1))),
			},
			line(1, 3),
			"medium 0.75 tag_sha: full_sha, repository_confirmed, commit_exists, on_default_branch", 1,
		},
		{
			"what was applied long before",
			correlate.Input{Events: events(event(managed), applied(31*time.Minute, shop, sha(2), sha(1))), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.00 none: no_claim", 0,
		},
		{
			"a short commit that nobody verifies",
			correlate.Input{Events: events(tagged("main-" + sha(2)[:8])), Images: unlabelled(), Services: services()},
			nil,
			"low 0.45 short_sha: short_sha, repository_confirmed, not_verified -0.15", 0,
		},
		{
			"a short commit that was collected",
			correlate.Input{Events: events(tagged("main-"+sha(2)[:8]), commit(2, nil), commit(3, nil)), Images: unlabelled(), Services: services()},
			nil,
			"medium 0.50 short_sha: short_sha, repository_confirmed, on_default_branch, not_verified -0.10", 2,
		},
		{
			"a version that was released",
			correlate.Input{Images: unlabelled(), Services: services(), Events: events(tagged("1.4.0"), commit(2, nil), released(1, 2))},
			nil,
			"medium 0.50 version_tag: git_tag, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"a release whose tag was moved",
			correlate.Input{Events: events(tagged("v1.4.0"), released(1, 1), released(2, 2), commit(1, nil), commit(2, nil)), Images: unlabelled(), Services: services()},
			nil,
			"low 0.40 version_tag: git_tag, repository_confirmed, not_verified -0.10", 0,
		},
		{
			"label and provenance of an image are one voice",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)), record.ImageClaim{Place: record.PlaceProvenance, Revision: sha(2), Source: shop}))},
			line(1, 3),
			"high 0.90 provenance: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"what was applied is the configuration, of another repository",
			correlate.Input{Images: unlabelled(), Services: services(), Events: events(event(func(e *evidence.Event) {
				managed(e)
				e.Deployment.To.Images[0].Image = image + ":" + sha(2)[:9]
			}), applied(3*time.Minute, config, sha(1), sha(3)))},
			line(1, 3),
			"medium 0.60 short_sha: short_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"a digest of content as a tag",
			correlate.Input{Events: events(tagged(strings.Repeat("ab", 32))), Images: unlabelled(), Services: services()},
			nil,
			"low 0.45 tag_sha: full_sha, repository_confirmed, not_verified -0.30", 0,
		},
		{
			"a commit that is younger than the rollout",
			correlate.Input{
				Images: images(correlate.Image{Digest: digest(2), Metadata: &record.ImageMetadata{Created: time.Unix(0, 0), Claims: []record.ImageClaim{label(sha(2))}}}),
				Events: events(event(func(e *evidence.Event) {
					at := made(2).Add(-6 * time.Minute)
					e.Time, e.Deployment.Started = at, &at
				})),
			},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, implausible_time -0.60", 0,
		},
		{"an image from a build that writes no time", correlate.Input{Events: events(event(nil)), Images: images(correlate.Image{Digest: digest(2), Metadata: &record.ImageMetadata{Created: time.Unix(0, 0), Claims: []record.ImageClaim{label(sha(2))}}})}, line(1, 3), good, 2},
		{
			"a branch was rewritten without it",
			correlate.Input{
				Images: images(labelled(2, label(sha(2)))), Services: services(),
				Events: events(event(nil), commit(5, func(c *evidence.Commit) { c.Forced, c.PreviousHead = true, sha(2) })),
			},
			&history{silent: true},
			"medium 0.50 image_label: full_sha, repository_confirmed, not_verified -0.10, forced_away -0.30", 2,
		},
		{"the config of another cluster", correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)))), Services: []correlate.Service{
			{Cluster: "staging", Namespace: "shop", Name: "web", Repository: config}, {Cluster: "prod-eu1", Namespace: "shop", Name: "web", Repository: shop}, {Namespace: "shop", Name: "web", Repository: config},
		}}, line(1, 3), good, 2},
		{
			"two wrong things",
			correlate.Input{Events: events(tagged("latest")), Images: images(labelled(2, label(sha(2)+"-dirty"))), Services: services()},
			&history{first: 1, last: 3, off: map[int]bool{2: true}},
			"medium 0.55 image_label: full_sha, repository_confirmed, commit_exists, dirty -0.20, off_default_branch -0.15", 2,
		},
		{
			"the image was not read, the tag tells",
			correlate.Input{Events: events(tagged(sha(2))), Services: services()},
			line(1, 3),
			"medium 0.75 tag_sha: full_sha, repository_confirmed, commit_exists, on_default_branch, image_unread", 2,
		},
	}
}

// released is a release of v1.4.0.
func released(number int64, n int) evidence.Event {
	return evidence.Event{
		Schema: evidence.Schema, ID: id("release", number), Kind: evidence.KindRelease, Time: noon(), Severity: evidence.SeverityInfo,
		Source:  evidence.Source{Connector: "github", Stream: "releases", Object: evidence.Object{Kind: "Release", Name: "v1.4.0"}},
		Release: &evidence.Release{Repository: shop, Number: number, Tag: "v1.4.0", Commit: sha(n)},
	}
}

func TestAnAnswerOfAnotherCommitIsNone(t *testing.T) {
	for _, other := range []string{sha(3), "", "9be01d2"} {
		in := correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)))), Asked: true}
		in.Answers = []record.HistoryAnswer{{
			Question: record.HistoryQuestion{Repository: shop, Revision: sha(2)}, Finding: record.Found, Commit: record.Commit{SHA: other}, ReachOf: record.ReachOn,
		}}
		out := correlate.Correlate(in)
		if got := say(out.Events[0].Deployment.Mapping); got != "low 0.30 image_label: full_sha, repository_not_confirmed -0.10, commit_not_found -0.50" {
			t.Errorf("with an answer about %q: %s", other, got)
		}
	}
}

func TestWhereSeveralThingsMeet(t *testing.T) {
	for _, c := range theMeetings() {
		t.Run(c.name, c.run)
	}
}

func (h *history) knows(shas ...string) string {
	var out []string
	for _, q := range h.asked {
		out = append(out, q.Repository+" "+q.Revision+q.Base+".."+q.Head)
	}
	return strings.Join(append(out, shas...), "\n")
}

func TestOnlyWhatMattersIsAsked(t *testing.T) {
	for _, c := range []struct {
		name string
		in   correlate.Input
		want []string
	}{
		{
			"a label, a tag and an annotation that agree are one question",
			correlate.Input{Events: events(to(func(t *evidence.Template) {
				t.Images[0].Image, t.Claims = image+":"+sha(2)[:9], []evidence.Claim{revisionClaim(sha(2)), versionClaim("v1.4.0")}
			})), Images: images(labelled(2, label(sha(2))))},
			[]string{shop + " " + sha(2) + ".."},
		},
		{
			"who contradicts is asked too",
			correlate.Input{Events: events(tagged(sha(1))), Images: images(labelled(2, label(sha(2))))},
			[]string{shop + " " + sha(1) + "..", shop + " " + sha(2) + ".."},
		},
		{
			"what was collected is not asked, but for the files of a range",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil), commit(3, nil)), Images: both(1, 3)},
			[]string{shop + " " + sha(1) + ".." + sha(3)},
		},
		{"a range of one commit that was collected", correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil)), Images: both(1, 2)}, nil},
		{"no repository, no question", correlate.Input{Events: events(tagged(sha(2))), Images: unlabelled()}, nil},
		{"a side car that did not change, a service that was not touched", correlate.Input{Events: events(commit(1, nil))}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := line(1, 5)
			settle(t, c.in, h)
			if got, want := h.knows(), strings.Join(c.want, "\n"); got != want {
				t.Errorf("asked is\n%s\nand not\n%s", got, want)
			}
		})
	}
}

func TestQuestionsAreBoundedAndForTheNewest(t *testing.T) {
	in := correlate.Input{Asked: true, Services: services()}
	for i := range 2_100 {
		in.Events = append(in.Events, event(func(e *evidence.Event) {
			e.ID, e.Time, e.Deployment.Started = id("rollout", i), noon().Add(time.Duration(i)*time.Second), nil
			e.Deployment.From = nil
			e.Deployment.To.Images[0] = evidence.Image{Container: "app", Image: image + ":" + sha(i)}
		}))
	}
	out := correlate.Correlate(in)
	if len(out.Questions) != 2_000 || out.Questions[0].Revision != sha(100) {
		t.Fatalf("%d questions, of which the first is %v", len(out.Questions), out.Questions[0])
	}
	if note := "100 questions about history were left out: at most 2000 are put in a run"; !slices.Contains(out.Notes, note) {
		t.Errorf("the notes are %q", out.Notes)
	}
	for _, q := range out.Questions {
		in.Answers = append(in.Answers, record.HistoryAnswer{Question: q, Finding: record.Unanswered})
	}
	again := correlate.Correlate(in)
	if len(again.Questions) > 0 {
		t.Errorf("%d more are put", len(again.Questions))
	}
	if len(again.Unanswered) != 2_100 {
		t.Errorf("of %d deployments another run may know more", len(again.Unanswered))
	}
	for i := range in.Answers {
		in.Answers[i].Finding = record.NotFound
	}
	// Those that there was no room for.
	if again := correlate.Correlate(in); len(again.Unanswered) != 100 || !slices.Contains(again.Unanswered, id("rollout", 99)) {
		t.Errorf("of %d deployments another run may know more", len(again.Unanswered))
	}
}

func TestOfWhatAnotherRunMayKnowMore(t *testing.T) {
	short := func(e *evidence.Event) { e.Deployment.To.Images[0].Image = image + ":" + sha(2)[:8] }
	for name, c := range map[string]struct {
		in    correlate.Input
		which func(q record.HistoryQuestion) bool // what is not answered
		may   bool
	}{
		"all is answered":             {correlate.Input{Events: events(event(nil)), Images: both(1, 4)}, func(record.HistoryQuestion) bool { return false }, false},
		"a commit that the range has": {correlate.Input{Events: events(event(nil)), Images: both(1, 4)}, func(q record.HistoryQuestion) bool { return q.Revision == sha(4) }, false},
		"everything":                  {correlate.Input{Events: events(event(nil)), Images: both(1, 4)}, func(record.HistoryQuestion) bool { return true }, true},
		"the one before":              {correlate.Input{Events: events(event(nil)), Images: both(1, 4)}, func(q record.HistoryQuestion) bool { return q.Revision == sha(1) }, true},
		"the range":                   {correlate.Input{Events: events(event(nil)), Images: both(1, 4)}, func(q record.HistoryQuestion) bool { return q.Base != "" }, true},
		"the beginning":               {correlate.Input{Events: events(event(short)), Images: unlabelled(), Services: services()}, func(record.HistoryQuestion) bool { return true }, true},
		"a range at hand":             {correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil), commit(3, nil)), Images: both(1, 3)}, func(q record.HistoryQuestion) bool { return q.Base != "" }, false},
		"nothing is named":            {correlate.Input{Events: events(event(nil)), Images: unlabelled(), Services: services()}, func(record.HistoryQuestion) bool { return true }, false},
	} {
		for _, final := range []bool{false, true} {
			h, in := line(1, 5), c.in
			in.Asked = true
			var out correlate.Output
			for out = correlate.Correlate(in); len(out.Questions) > 0; out = correlate.Correlate(in) {
				for _, q := range out.Questions {
					a := h.answer(q)
					if c.which(q) {
						a = record.HistoryAnswer{Question: q, Finding: record.Unanswered, Final: final}
					}
					in.Answers = append(in.Answers, a)
				}
			}
			if r := out.Events[0].Deployment.ChangeRange; r != nil && r.Status == evidence.RangeUnknown && (r.Reason == evidence.RangeNotAsked) != final {
				t.Errorf("%s, for good %v: %s", name, final, r.Reason)
			}
			if got := len(out.Unanswered) > 0; got != (c.may && !final) {
				t.Errorf("%s, for good %v: %q", name, final, out.Unanswered)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	unread := event(func(e *evidence.Event) { e.ID = id("unread"); e.Deployment.To.Images[0].Digest = digest(3) })
	for _, c := range []struct {
		name string
		in   correlate.Input
		ask  *history
		want []string
	}{
		{
			"kubernetes alone",
			correlate.Input{Events: events(event(nil), unread)},
			nil,
			[]string{"the images of 2 deployments were not read: what they say of their commits is not known"},
		},
		{"kubernetes and images", correlate.Input{Events: events(event(nil), unread), Images: both(1, 2)}, nil, []string{
			"the image of 1 deployment was not read: what it says of its commit is not known",
			"no source of history answered: the commit of 1 deployment was not verified, and what lies between the two commits of 1 deployment is not known",
		}},
		{
			"github alone",
			correlate.Input{Events: events(commit(1, nil), pull(1, nil))},
			line(1, 2),
			[]string{"no deployment is told of in this run: commits and pull requests are not tied to any"},
		},
		{"github was down", correlate.Input{Events: events(event(nil)), Images: both(1, 2)}, &history{silent: true}, []string{
			"not all questions about history were answered: the commit of 1 deployment was not verified, and what lies between the two commits of 1 deployment is not known",
		}},
		{"all is known", correlate.Input{Events: events(event(nil)), Images: both(1, 2)}, line(1, 3), nil},
		{"nothing", correlate.Input{}, nil, nil},
	} {
		out := settle(t, c.in, c.ask)
		var one, all correlate.Tally
		for _, e := range out.Events {
			if e.Deployment != nil {
				one.Add(e.Deployment)
			}
		}
		all.AddAll(one)
		if notes := append(all.Notes(c.ask != nil), out.Notes...); !slices.Equal(notes, c.want) {
			t.Errorf("%s: the notes are\n%s", c.name, strings.Join(notes, "\n"))
		}
	}
}

func TestWhatRunsNoMore(t *testing.T) {
	gone := event(func(e *evidence.Event) { e.Deployment.Change, e.Deployment.To = evidence.ChangeDelete, nil })
	d := settle(t, correlate.Input{Events: events(gone), Images: both(2, 3)}, line(1, 3)).Events[0].Deployment
	if d.Revision != "" || d.PreviousRevision != sha(2) || d.ChangeRange != nil || d.Mapping.Confidence != evidence.ConfidenceHigh {
		t.Errorf("of what was deleted is said: %s", text(t, d))
	}
}

func TestWhatADeliveryToolApplied(t *testing.T) {
	source, conf := applied(3*time.Minute, shop, sha(3), sha(2)), applied(4*time.Minute, config, sha(3), sha(2))
	failed := applied(5*time.Minute, shop, "main@sha1:"+sha(3), sha(2))
	failed.Deployment.Status = evidence.StatusFailed
	out := settle(t, correlate.Input{Events: events(source, conf, failed), Services: services()}, line(1, 3))
	d := out.Events[0].Deployment
	if got := say(d.Mapping); got != "medium 0.80 delivery_tool: full_sha, repository_confirmed, commit_exists, on_default_branch" ||
		d.Revision != sha(3) || d.PreviousRevision != sha(2) || sayRange(d.ChangeRange) != "ahead +1 -0 commits 1 more 0 pulls [103] authors 1 files 5 in [{migration 1} {code 4}]" {
		t.Errorf("of source code is said: %s %s", got, text(t, d))
	}
	for _, e := range out.Events[1:] {
		if got := say(e.Deployment.Mapping); got != "low 0.00 none: configuration_only" || e.Deployment.Revision != "" {
			t.Errorf("of a configuration or a failure is said: %s", got)
		}
	}
	// A service that the tool manages may come from there as well.
	known := event(func(e *evidence.Event) { managed(e); e.Deployment.To.Images[0].Image = "web:1" })
	out = settle(t, correlate.Input{Events: events(source, known), Images: images(labelled(2, label(sha(2))))}, line(1, 3))
	if got := say(out.Events[0].Deployment.Mapping); got != "medium 0.70 delivery_tool: full_sha, commit_exists, on_default_branch, repository_not_confirmed -0.10" {
		t.Errorf("of what a service comes from is said: %s", got)
	}
}

func TestWhatGitHubWasToldIsKept(t *testing.T) {
	e := told(time.Minute, 3, func(e *evidence.Event) { e.Deployment.PreviousRevision = sha(1) })
	d := settle(t, correlate.Input{Events: events(e)}, line(1, 3)).Events[0].Deployment
	if got := say(d.Mapping); got != "medium 0.70 github_deployment: full_sha" || d.Mapping.RepositoryBasis != evidence.RepositoryFromDeployment {
		t.Errorf("of the commit is said: %s", got)
	}
	if d.Revision != sha(3) || sayRange(d.ChangeRange) != "ahead +2 -0 commits 2 more 0 pulls [102 103] authors 2 files 5 in [{migration 1} {code 4}]" {
		t.Errorf("it says: %s", text(t, d))
	}
	e = told(time.Minute, 3, func(e *evidence.Event) { e.Deployment.Revision = "" })
	if d = settle(t, correlate.Input{Events: events(e)}, nil).Events[0].Deployment; say(d.Mapping) != "low 0.00 none: no_claim" || d.Mapping.Repository != shop {
		t.Errorf("of no commit is said: %s", text(t, d))
	}
}
