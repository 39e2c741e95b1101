package normalize

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// historic is the envelope of what GitHub tells of. The object stands in its
// repository as others do in a namespace. Its id depends on the repository and the
// key; ok is false when no time is known, and no event can be made.
func historic(connectorName string, kind evidence.Kind, r record.Record, repository string, o evidence.Object, at time.Time, key ...string) (e evidence.Event, ok bool) {
	when := timePtr(at)
	if when == nil {
		return evidence.Event{}, false
	}
	o.Namespace = repository
	return evidence.Event{
		Schema: evidence.Schema, Kind: kind, Severity: evidence.SeverityInfo, Time: *when,
		ID:     evidence.ID(kind, append([]string{"github", repository}, key...)...),
		Source: evidence.Source{Connector: connectorName, Stream: r.Stream(), Object: o},
	}, true
}

// commit tells of a commit once, on whatever branch it was met.
func commit(connectorName string, c record.BranchCommit) []evidence.Event {
	o := evidence.Object{Kind: "Commit", Name: evidence.ShortCommit(c.SHA)}
	e, ok := historic(connectorName, evidence.KindCommit, c, c.Repository, o, c.Committed, c.SHA)
	if !ok {
		return nil
	}
	e.Commit = &evidence.Commit{
		Repository: c.Repository, SHA: c.SHA, Parents: slices.Clone(c.Parents),
		Branch: c.Branch, DefaultBranch: c.DefaultBranch, Forced: c.Forced, PreviousHead: c.Before,
		NotBefore: timePtr(c.NotBefore), NotAfter: timePtr(c.NotAfter),
		Authored: timePtr(c.Authored), Author: person(c.Author), Committer: person(c.Committer),
		Verification: string(c.Verification),
		Type:         c.Conventional.Type, Scope: c.Conventional.Scope, Breaking: c.Conventional.Breaking,
		Size: size(c.Commit), Risks: texts(c.Risks),
		PullRequests: slices.Clone(c.PullRequests), Issues: slices.Clone(c.Issues), Reverts: c.Reverts, Subject: c.Subject,
	}
	return []evidence.Event{e}
}

// size is nil where the details of a commit were not read.
func size(c record.Commit) *evidence.Size {
	if !c.Detailed {
		return nil
	}
	return &evidence.Size{
		Additions: c.Additions, Deletions: c.Deletions, Files: c.Files,
		Truncated: c.FilesTruncated, Categories: categories(c.Categories),
	}
}

func categories(list []record.CategoryCount) (out []evidence.Category) {
	for _, c := range list {
		out = append(out, evidence.Category{Category: string(c.Category), Files: c.Files})
	}
	return out
}

func person(p record.Person) *evidence.Person {
	if p == (record.Person{}) {
		return nil
	}
	return &evidence.Person{Pseudonym: p.Pseudonym, Bot: p.Bot}
}

func texts[S ~string](list []S) (out []string) {
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

func pullRequest(connectorName string, p record.PullRequest) []evidence.Event {
	number := strconv.FormatInt(p.Number, 10)
	o := evidence.Object{Kind: "PullRequest", Name: "#" + number}
	e, ok := historic(connectorName, evidence.KindPullRequest, p, p.Repository, o, p.Merged, number)
	if !ok {
		return nil
	}
	e.PullRequest = &evidence.PullRequest{
		Repository: p.Repository, Number: p.Number, Created: timePtr(p.Created), MergeCommit: p.MergeCommit, Head: p.Head,
		Branch: p.Branch, DefaultBranch: p.DefaultBranch, Author: person(p.Author),
		Type: p.Conventional.Type, Scope: p.Conventional.Scope, Breaking: p.Conventional.Breaking, Title: p.Title,
	}
	return []evidence.Event{e}
}

func release(connectorName string, r record.Release) []evidence.Event {
	number := strconv.FormatInt(r.ID, 10)
	o := evidence.Object{Kind: "Release", Name: r.Tag, UID: number}
	if o.Name == "" {
		o.Name = "release-" + number
	}
	e, ok := historic(connectorName, evidence.KindRelease, r, r.Repository, o, r.Published, number)
	if !ok {
		return nil
	}
	e.Release = &evidence.Release{
		Repository: r.Repository, Number: r.ID, Tag: r.Tag, Commit: r.Commit, Prerelease: r.Prerelease, Author: person(r.Author),
	}
	return []evidence.Event{e}
}

// workflowRun tells of one attempt of a run. That one failed is a warning: nothing
// that runs is hurt by it.
func workflowRun(connectorName string, w record.WorkflowRun) []evidence.Event {
	number := strconv.FormatInt(w.ID, 10)
	o := evidence.Object{Kind: "WorkflowRun", Name: number}
	e, ok := historic(connectorName, evidence.KindPipeline, w, w.Repository, o, w.Started, number, strconv.Itoa(int(w.Attempt)))
	if !ok {
		return nil
	}
	e.Pipeline = &evidence.Pipeline{
		Repository: w.Repository, Number: w.ID, Attempt: w.Attempt, Workflow: w.Workflow, Trigger: w.Event, Commit: w.Commit,
		Status: w.Status, Conclusion: w.Conclusion, Deployed: w.Deployed, Author: person(w.Actor),
	}
	if w.Status == "completed" {
		e.Pipeline.Finished = timePtr(w.Updated)
	}
	if record.RunFailed(w.Conclusion) {
		e.Severity = evidence.SeverityWarning
	}
	return []evidence.Event{e}
}

// codeDeployment tells of a deployment that GitHub was told of. Which workload it
// changed, if any, and how sure its commit is, is not known here.
func codeDeployment(connectorName string, d record.CodeDeployment) []evidence.Event {
	number := strconv.FormatInt(d.ID, 10)
	o := evidence.Object{Kind: "Environment", Name: d.Environment, UID: number}
	if o.Name == "" {
		o.Name = "deployment-" + number
	}
	e, ok := historic(connectorName, evidence.KindDeployment, d, d.Repository, o, d.Created, number)
	if !ok {
		return nil
	}
	body := &evidence.Deployment{
		Change: evidence.ChangeApply, Workload: o.Kind,
		Started: timePtr(d.Created), StartedBasis: evidence.BasisDeployment,
		Environment: &evidence.Environment{Repository: d.Repository, Number: d.ID, Production: d.Production, Creator: person(d.Creator)},
	}
	body.Status, body.Finished = outcome(d.Statuses)
	if body.Finished != nil {
		body.FinishedBasis = evidence.BasisDeployment
	}
	if n := len(d.Statuses); n > 0 {
		body.Environment.State = string(d.Statuses[n-1].State)
	}
	if body.Status == evidence.StatusFailed {
		e.Severity = evidence.SeverityError
	}
	if fullCommit(d.Commit) {
		body.Revision = d.Commit
		if fullCommit(d.Previous) {
			body.PreviousRevision = d.Previous
		}
	}
	e.Deployment = body
	return []evidence.Event{e}
}

// outcome says how a deployment ended, and when, by all its statuses: a success is
// called inactive when the next one follows, and a failure can be tried again.
func outcome(list []record.DeploymentStatus) (evidence.Status, *time.Time) {
	status := evidence.StatusUnknown
	var finished *time.Time
	for _, s := range list {
		next := status
		switch s.State {
		case "success":
			next = evidence.StatusComplete
		case "failure", "error":
			next = evidence.StatusFailed
		case "in_progress", "queued", "pending":
			next = evidence.StatusProgressing
		}
		switch {
		case next == status, status == evidence.StatusComplete && next == evidence.StatusProgressing:
			continue
		case next == evidence.StatusProgressing:
			finished = nil
		default:
			finished = timePtr(s.Time)
		}
		status = next
	}
	return status, finished
}

// fullCommit reports whether s is a whole SHA-1 or SHA-256.
func fullCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
