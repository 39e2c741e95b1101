package github

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// runsBack is how long before the window a run may have been made that ended in
	// it; openRunsBack the same where the last look saw one that had not ended.
	runsBack     = 6 * time.Hour
	openRunsBack = 24 * time.Hour
	// maxFound is how many runs GitHub gives for one filter.
	maxFound = 1000
	// shortest is the shortest range of time that is asked for.
	shortest = time.Minute
)

// runFileForm is a file of a workflow.
var runFileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.ya?ml$`)

// runJSON is what is decoded of a run: never its title, its branch or its commit's
// message.
type runJSON struct {
	ID         int64     `json:"id"`
	Attempt    int32     `json:"run_attempt"`
	Path       string    `json:"path"`
	Event      string    `json:"event"`
	SHA        string    `json:"head_sha"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Created    stamp     `json:"created_at"`
	Started    stamp     `json:"run_started_at"`
	Updated    stamp     `json:"updated_at"`
	Actor      *userJSON `json:"actor"`
	Triggering *userJSON `json:"triggering_actor"`
}

type runsJSON struct {
	Total int       `json:"total_count"`
	Runs  []runJSON `json:"workflow_runs"`
}

// listRuns reads the runs that failed in the window, and those that deployed.
func (s *source) listRuns(ctx context.Context, l *look, r *repository) {
	p, reach := r.part(record.StreamWorkflowRuns), l.reach(record.StreamWorkflowRuns)
	from := reach.Start
	switch {
	case !l.req.Incremental || r.before == nil:
		from = from.Add(-runsBack)
	case !r.before.OpenRuns.IsZero() && r.before.OpenRuns.Before(from):
		from = r.before.OpenRuns
	}
	if far := reach.Start.Add(-openRunsBack); from.Before(far) {
		from = far
	}
	runs := map[int64]runJSON{}
	err := s.listRunsBetween(ctx, r, p, from.Truncate(time.Second), reach.End.Truncate(time.Second), runs)
	if isGone(err) {
		err = nil // Actions are switched off
	}
	p.fail(err)
	open := time.Time{}
	for _, run := range runs {
		if run.Status != "completed" && (open.IsZero() || run.Created.Before(open)) {
			open = run.Created.Time
		}
		if out, ok := s.run(l, r, run); ok {
			p.add(out.Started, fmt.Sprintf("%020d", out.ID), out)
		}
	}
	if p.whole() {
		r.next.OpenRuns = open
		l.listed(r, record.StreamWorkflowRuns)
	}
}

// listRunsBetween reads the runs that were made between two times, both included. Of
// more than GitHub gives it asks for the halves.
func (s *source) listRunsBetween(ctx context.Context, r *repository, p *part, from, to time.Time, into map[int64]runJSON) error {
	query := url.Values{"created": {from.Format(time.RFC3339) + ".." + to.Format(time.RFC3339)}, "exclude_pull_requests": {"true"}}
	split := false
	err := pages(ctx, s.asking(r, record.StreamWorkflowRuns, "runs of workflows"), "actions/runs", query, func(page *runsJSON) (bool, error) {
		if page.Total > maxFound {
			if to.Sub(from) > shortest {
				split = true
				return false, nil
			}
			p.cut("more than %d runs were made within a minute", maxFound)
		}
		for _, run := range page.Runs {
			if known, ok := into[run.ID]; run.ID > 0 && (!ok || known.Attempt < run.Attempt) {
				into[run.ID] = run
			}
		}
		return true, nil
	})
	if err != nil || !split {
		return err
	}
	middle := from.Add(to.Sub(from) / 2).Truncate(time.Second)
	if err := s.listRunsBetween(ctx, r, p, from, middle, into); err != nil {
		return err
	}
	return s.listRunsBetween(ctx, r, p, middle.Add(time.Second), to, into)
}

// run gives the record of a run that belongs to the window and is worth one.
func (s *source) run(l *look, r *repository, run runJSON) (record.WorkflowRun, bool) {
	reach := l.reach(record.StreamWorkflowRuns)
	started := run.Started.Time
	if started.IsZero() {
		started = run.Created.Time
	}
	ended := run.Status == "completed"
	file, _, _ := strings.Cut(run.Path, "@")
	file = path.Base(file)
	deployed := slices.Contains(s.cfg.DeployWorkflows, file) || r.deployedBy(run, started)
	switch {
	case !deployed && !record.RunFailed(run.Conclusion):
		return record.WorkflowRun{}, false
	case !started.Before(reach.End):
		return record.WorkflowRun{}, false
	case !reach.Contains(started) && ended && !reach.Contains(run.Updated.Time):
		return record.WorkflowRun{}, false
	}
	who := run.Triggering
	if who == nil || who.Login == "" {
		who = run.Actor
	}
	return record.WorkflowRun{
		Repository: r.name, ID: run.ID, Attempt: max(run.Attempt, 1), Workflow: ifFits(runFileForm, file),
		Event: ifFits(wordForm, run.Event), Commit: ifFits(shaForm, run.SHA),
		Status: ifFits(wordForm, run.Status), Conclusion: ifFits(wordForm, run.Conclusion),
		Started: started, Updated: run.Updated.Time, Actor: s.summaries.people.person(who, ""), Deployed: deployed,
	}, true
}

// deployedBy reports whether a deployment was made of the run's commit while it ran.
func (r *repository) deployedBy(run runJSON, started time.Time) bool {
	return slices.ContainsFunc(r.deployments, func(d deploymentJSON) bool {
		return d.SHA == run.SHA && !d.Created.Before(started) && (run.Status != "completed" || !d.Created.After(run.Updated.Time))
	})
}
