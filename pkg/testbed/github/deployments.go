package github

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Deployment is a deployment that GitHub was told of.
type Deployment struct {
	ID          int64 // 0: follows from its place in the list
	SHA, Ref    string
	Environment string
	Task        string // empty: deploy
	Production  bool
	Transient   bool
	Description string
	Creator     string // a login; empty is an account that is gone
	// Payload is text, or anything that is a JSON object; nil is an empty object.
	Payload          any
	Created, Updated time.Time
	Statuses         []Status // oldest first; served newest first
}

// Status is a status of a deployment.
type Status struct {
	State       string
	Creator     string
	Description string
	Environment string
	LogURL      string
	Created     time.Time
}

// Run is a run of a workflow.
type Run struct {
	ID, Workflow, CheckSuite int64 // 0: follows from its place in the list, or from the path
	Number, Attempt          int   // 0: 1
	// Name and Path are of the workflow; an empty path is .github/workflows/ci.yml.
	Name, Path, Title  string
	Event              string // empty: push
	Status, Conclusion string // empty: completed, null
	Branch, SHA, Actor string
	// Created stays when it is run again, Started does not. Zero Started and Updated are as Created.
	Created, Started, Updated time.Time
}

// runsMost is how many runs are given to a question with a filter.
const runsMost = 1000

func (r *repo) allDeployments() []Deployment {
	out := slices.Clone(r.Deployments)
	for i := range out {
		d := &out[i]
		d.ID = cmp.Or(d.ID, int64(1000+i))
		d.Task, d.Ref = cmp.Or(d.Task, "deploy"), cmp.Or(d.Ref, d.SHA)
		d.Updated = cmp.Or(d.Updated, d.Created)
		if n := len(d.Statuses); n > 0 && d.Statuses[n-1].Created.After(d.Updated) {
			d.Updated = d.Statuses[n-1].Created
		}
	}
	slices.SortStableFunc(out, func(a, b Deployment) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return out
}

func (c *call) listDeployments() answer {
	list := slices.DeleteFunc(slices.Clone(c.repo.deployments), func(d Deployment) bool {
		for name, have := range map[string]string{"sha": d.SHA, "ref": d.Ref, "task": d.Task, "environment": d.Environment} {
			if want := c.param(name); want != "" && want != "none" && want != have {
				return true
			}
		}
		return false
	})
	return paged(c, list, func(d Deployment) any { return c.deployment(d) })
}

func (c *call) getDeployment() answer {
	if d := c.findDeployment(); d != nil {
		return ok(c.deployment(*d))
	}
	return notFound()
}

func (c *call) findDeployment() *Deployment {
	for i, d := range c.repo.deployments {
		if strconv.FormatInt(d.ID, 10) == c.path["deployment_id"] {
			return &c.repo.deployments[i]
		}
	}
	return nil
}

func (c *call) deployment(d Deployment) obj {
	at := c.api(c.repo, "/deployments/"+strconv.FormatInt(d.ID, 10))
	payload := d.Payload
	if payload == nil {
		payload = obj{}
	}
	return obj{
		"url": at, "id": d.ID, "node_id": node("Deployment", at), "sha": d.SHA, "ref": d.Ref, "task": d.Task, "payload": payload,
		"original_environment": d.Environment, "environment": d.Environment, "description": nullable(d.Description), "creator": c.maybe(d.Creator),
		"created_at": stamp(d.Created), "updated_at": stamp(d.Updated), "statuses_url": at + "/statuses", "repository_url": c.api(c.repo, ""),
		"transient_environment": d.Transient, "production_environment": d.Production, "performed_via_github_app": nil,
	}
}

func (c *call) listStatuses() answer {
	d := c.findDeployment()
	if d == nil {
		return notFound()
	}
	newest := slices.Clone(d.Statuses)
	slices.Reverse(newest)
	at := c.api(c.repo, "/deployments/"+strconv.FormatInt(d.ID, 10))
	return paged(c, newest, func(s Status) any {
		id := number(at + s.State + stamp(s.Created))
		return obj{
			"url": at + "/statuses/" + strconv.FormatInt(id, 10), "id": id, "node_id": node("DeploymentStatus", at+s.State+stamp(s.Created)),
			"state": s.State, "creator": c.maybe(cmp.Or(s.Creator, d.Creator)), "description": s.Description,
			"environment": cmp.Or(s.Environment, d.Environment), "target_url": "", "log_url": s.LogURL, "environment_url": "",
			"created_at": stamp(s.Created), "updated_at": stamp(s.Created), "deployment_url": at, "repository_url": c.api(c.repo, ""),
			"performed_via_github_app": nil,
		}
	})
}

// maybe is an account, or null for one that is gone.
func (c *call) maybe(login string) any {
	if login == "" {
		return nil
	}
	return c.user(login, "User")
}

// nullable is null for no text.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (r *repo) allRuns() []Run {
	out := slices.Clone(r.Runs)
	for i := range out {
		v := &out[i]
		v.ID = cmp.Or(v.ID, int64(5000+i))
		v.Path = cmp.Or(v.Path, ".github/workflows/ci.yml")
		v.Workflow, v.CheckSuite = cmp.Or(v.Workflow, number(v.Path)), cmp.Or(v.CheckSuite, v.ID+1_000_000)
		v.Number, v.Attempt = cmp.Or(v.Number, 1), cmp.Or(v.Attempt, 1)
		v.Event, v.Status = cmp.Or(v.Event, "push"), cmp.Or(v.Status, "completed")
		v.Started = cmp.Or(v.Started, v.Created)
		v.Updated = cmp.Or(v.Updated, v.Started)
	}
	slices.SortStableFunc(out, func(a, b Run) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return out
}

func (c *call) listRuns() answer {
	created, err := parseSpan(c.param("created"))
	if err != nil {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	filtered := false
	for _, name := range []string{"actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"} {
		filtered = filtered || c.param(name) != ""
	}
	list := slices.DeleteFunc(slices.Clone(c.repo.runs), func(r Run) bool { return !created.has(r.Created) || !c.wants(r) })
	total := len(list)
	if filtered {
		list = list[:min(total, runsMost)]
	}
	a := paged(c, list, func(r Run) any { return c.run(r) })
	a.body = obj{"total_count": total, "workflow_runs": a.body}
	return a
}

// wants says whether a run passes the filters other than created.
func (c *call) wants(r Run) bool {
	for name, have := range map[string]string{
		"actor": r.Actor, "branch": r.Branch, "event": r.Event, "head_sha": r.SHA, "check_suite_id": strconv.FormatInt(r.CheckSuite, 10),
	} {
		if want := c.param(name); want != "" && want != have {
			return false
		}
	}
	want := c.param("status")
	return want == "" || want == r.Status || want == r.Conclusion
}

// span is the time of a search, both ends included; zero is open.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool {
	return (s.from.IsZero() || !t.Before(s.from)) && (s.to.IsZero() || !t.After(s.to))
}

// parseSpan reads GitHub's search syntax for dates: >=T, >T, <=T, <T, T..T, *..T,
// T..*, T; T is a day or a time.
func parseSpan(s string) (span, error) {
	if s == "" {
		return span{}, nil
	}
	for _, op := range []string{">=", "<=", ">", "<"} {
		rest, found := strings.CutPrefix(s, op)
		if !found {
			continue
		}
		from, to, err := parseMoment(rest)
		switch op {
		case ">=":
			return span{from: from}, err
		case ">":
			return span{from: to.Add(time.Second)}, err
		case "<=":
			return span{to: to}, err
		default:
			return span{to: from.Add(-time.Second)}, err
		}
	}
	a, b, two := strings.Cut(s, "..")
	if !two {
		b = a
	}
	var out span
	if a != "*" {
		from, _, err := parseMoment(a)
		if err != nil {
			return span{}, err
		}
		out.from = from
	}
	if b != "*" {
		_, to, err := parseMoment(b)
		if err != nil {
			return span{}, err
		}
		out.to = to
	}
	return out, nil
}

// parseMoment is the first and the last second of a day or of a time.
func parseMoment(s string) (from, to time.Time, err error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day, day.Add(24*time.Hour - time.Second), nil
	}
	from, err = time.Parse(time.RFC3339, s)
	return from, from, err
}

func (c *call) run(r Run) obj {
	id := strconv.FormatInt(r.ID, 10)
	at := c.api(c.repo, "/actions/runs/"+id)
	actor := c.user(cmp.Or(r.Actor, c.repo.Owner), "User")
	repository := c.minimal(c.repo)
	out := obj{
		"id": r.ID, "name": nullable(r.Name), "node_id": node("WorkflowRun", id), "check_suite_id": r.CheckSuite, "check_suite_node_id": node("CheckSuite", id),
		"head_branch": nullable(r.Branch), "head_sha": r.SHA, "path": r.Path, "run_number": r.Number, "run_attempt": r.Attempt, "event": r.Event,
		"display_title": r.Title, "status": r.Status, "conclusion": nullable(r.Conclusion), "workflow_id": r.Workflow,
		"url": at, "html_url": c.html(c.repo.Owner + "/" + c.repo.Name + "/actions/runs/" + id), "pull_requests": []any{},
		"created_at": stamp(r.Created), "updated_at": stamp(r.Updated), "run_started_at": stamp(r.Started), "actor": actor, "triggering_actor": actor,
		"jobs_url": at + "/jobs", "logs_url": at + "/logs", "artifacts_url": at + "/artifacts", "cancel_url": at + "/cancel", "rerun_url": at + "/rerun",
		"check_suite_url":      c.api(c.repo, "/check-suites/"+strconv.FormatInt(r.CheckSuite, 10)),
		"workflow_url":         c.api(c.repo, "/actions/workflows/"+strconv.FormatInt(r.Workflow, 10)),
		"previous_attempt_url": nil, "head_commit": nil, "repository": repository, "head_repository": repository, "referenced_workflows": []any{},
	}
	if i, ok := c.repo.history.index[r.SHA]; ok {
		m := &c.repo.history.commits[i]
		out["head_commit"] = obj{
			"id": m.sha, "tree_id": m.tree, "message": m.message, "timestamp": stamp(m.committer.when),
			"author":    obj{"name": m.author.name, "email": m.author.email},
			"committer": obj{"name": m.committer.name, "email": m.committer.email},
		}
	}
	return out
}

// listWorkflows are the workflows that the runs are of.
func (c *call) listWorkflows() answer {
	names := map[string]Run{}
	for _, r := range c.repo.runs {
		names[r.Path] = r
	}
	var list []Run
	for _, r := range names {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Run) int { return cmp.Compare(a.Path, b.Path) })
	a := paged(c, list, func(r Run) any {
		id := strconv.FormatInt(r.Workflow, 10)
		html := c.html(c.repo.Owner + "/" + c.repo.Name)
		return obj{
			"id": r.Workflow, "node_id": node("Workflow", id), "name": cmp.Or(r.Name, r.Path), "path": r.Path, "state": "active",
			"created_at": stamp(c.repo.created), "updated_at": stamp(c.repo.created), "url": c.api(c.repo, "/actions/workflows/"+id),
			"html_url":  html + "/blob/" + escapePath(c.repo.DefaultBranch) + "/" + escapePath(r.Path),
			"badge_url": html + "/workflows/" + id + "/badge.svg",
		}
	})
	a.body = obj{"total_count": len(list), "workflows": a.body}
	return a
}
