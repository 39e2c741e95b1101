package github

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// deploymentsBack is how long before the window a deployment may have been made
	// of which a status in the window is looked for.
	deploymentsBack = 24 * time.Hour
	// maxDeploymentPages bounds how many pages of deployments are read.
	maxDeploymentPages = 20
	// maxEarlier is how many earlier deployments of an environment are asked whether
	// they succeeded.
	maxEarlier = 3
	// maxStatusPages bounds the statuses of one deployment.
	maxStatusPages = 5
)

// deploymentJSON is what is decoded of a deployment: never its payload, its
// description or the branch.
type deploymentJSON struct {
	ID          int64     `json:"id"`
	SHA         string    `json:"sha"`
	Environment string    `json:"environment"`
	Production  bool      `json:"production_environment"`
	Created     stamp     `json:"created_at"`
	Updated     stamp     `json:"updated_at"`
	Creator     *userJSON `json:"creator"`
}

// statusJSON is what is decoded of a status: never its description or addresses.
type statusJSON struct {
	ID      int64  `json:"id"`
	State   string `json:"state"`
	Created stamp  `json:"created_at"`
}

// listDeployments reads the deployments that were made in the window, or had a status
// in it. The list is newest first and has no filter of time.
func (s *source) listDeployments(ctx context.Context, l *look, r *repository) {
	p, reach := r.part(record.StreamDeployments), l.reach(record.StreamDeployments)
	far := reach.Start.Add(-deploymentsBack)
	seen := map[int64]bool{}
	read := 0
	err := pages(ctx, s.asking(r, record.StreamDeployments, "deployments"), "deployments", nil, func(page *[]deploymentJSON) (bool, error) {
		old := false
		for _, d := range *page {
			old = old || d.Created.Before(far)
			if d.ID > 0 && fullSHA(d.SHA) && !seen[d.ID] {
				seen[d.ID] = true
				r.deployments = append(r.deployments, d)
			}
		}
		if old {
			return false, nil
		}
		if read++; read >= maxDeploymentPages {
			p.cut("more than %d deployments were made since the window began", maxDeploymentPages*perPage)
			return false, nil
		}
		return true, nil
	})
	p.fail(err)
	slices.SortFunc(r.deployments, func(a, b deploymentJSON) int {
		return cmp.Or(a.Created.Compare(b.Created.Time), cmp.Compare(a.ID, b.ID))
	})
	d := &deploying{source: s, look: l, repo: r, part: p, open: map[int64]bool{}, statuses: map[int64][]record.DeploymentStatus{}}
	if r.before != nil {
		for _, id := range r.before.OpenDeployments {
			d.open[id] = true
		}
	}
	r.next.OpenDeployments, r.next.Settled = nil, map[int64]time.Time{}
	for i := range r.deployments {
		if err := d.tell(ctx, i); err != nil {
			p.fail(err)
			break
		}
	}
	if !p.whole() && r.before != nil {
		r.next.OpenDeployments = append(r.next.OpenDeployments, r.before.OpenDeployments...)
		r.next.Settled = r.before.clone().Settled
	}
	if p.whole() {
		l.listed(r, record.StreamDeployments)
	}
}

// deploying is the telling of the deployments of a repository.
type deploying struct {
	source *source
	look   *look
	repo   *repository
	part   *part
	// open are those that had no outcome at the last look.
	open     map[int64]bool
	statuses map[int64][]record.DeploymentStatus
}

// tell tells of a deployment that belongs to the window. GitHub changes updated_at
// with a status; that is not relied upon for one that had no outcome yet.
func (d *deploying) tell(ctx context.Context, i int) error {
	one := &d.repo.deployments[i]
	reach := d.look.reach(record.StreamDeployments)
	if !one.Created.Before(reach.End) {
		return nil
	}
	made := reach.Contains(one.Created.Time)
	if !made && one.Updated.Before(reach.Start) && !d.open[one.ID] {
		return nil
	}
	if d.look.req.Incremental && d.repo.before != nil && !d.open[one.ID] {
		if at, ok := d.repo.before.Settled[one.ID]; ok && at.Equal(one.Updated.Time) {
			d.repo.next.Settled[one.ID] = at
			return nil // it was told, and nothing came since
		}
	}
	statuses, err := d.of(ctx, one.ID)
	if err != nil {
		return err
	}
	// That a later one made it inactive is told by the later one.
	within := made || slices.ContainsFunc(statuses, func(s record.DeploymentStatus) bool {
		return s.State != "inactive" && reach.Contains(s.Time)
	})
	switch {
	case outcome(statuses) != "":
		d.repo.next.Settled[one.ID] = one.Updated.Time
	case !one.Created.Before(reach.Start.Add(-deploymentsBack)):
		d.repo.next.OpenDeployments = append(d.repo.next.OpenDeployments, one.ID)
	}
	if !within {
		return nil
	}
	previous, err := d.previous(ctx, i)
	if err != nil {
		return err
	}
	d.succeeded(one, statuses)
	d.part.add(one.Created.Time, fmt.Sprintf("%020d", one.ID), record.CodeDeployment{
		Repository: d.repo.name, ID: one.ID, Commit: one.SHA, Previous: previous,
		Environment: ifFits(environmentForm, one.Environment), Production: one.Production,
		Created: one.Created.Time, Creator: d.source.summaries.people.person(one.Creator, ""), Statuses: statuses,
	})
	return nil
}

// succeeded remembers the last success of an environment.
func (d *deploying) succeeded(one *deploymentJSON, statuses []record.DeploymentStatus) {
	key := digestName("environment", one.Environment)
	if outcome(statuses) != "success" || d.repo.next.Deployed[key].ID > one.ID {
		return
	}
	d.repo.next.Deployed[key] = deployed{ID: one.ID, Commit: one.SHA}
}

// previous gives the commit of the last successful deployment of the same environment
// before one: of those that were listed, else of an earlier run.
func (d *deploying) previous(ctx context.Context, i int) (string, error) {
	one := &d.repo.deployments[i]
	asked := 0
	for j := i - 1; j >= 0 && asked < maxEarlier; j-- {
		before := &d.repo.deployments[j]
		if before.Environment != one.Environment {
			continue
		}
		asked++
		if known := d.remembered(one); known.ID == before.ID {
			return known.Commit, nil
		}
		statuses, err := d.of(ctx, before.ID)
		if err != nil {
			return "", err
		}
		if outcome(statuses) == "success" {
			return before.SHA, nil
		}
	}
	return d.remembered(one).Commit, nil
}

// remembered is the last success of the same environment that an earlier run saw, if
// it was before.
func (d *deploying) remembered(one *deploymentJSON) deployed {
	if d.repo.before == nil {
		return deployed{}
	}
	if known := d.repo.before.Deployed[digestName("environment", one.Environment)]; known.ID < one.ID {
		return known
	}
	return deployed{}
}

// of gives the statuses of a deployment, oldest first.
func (d *deploying) of(ctx context.Context, id int64) ([]record.DeploymentStatus, error) {
	if known, ok := d.statuses[id]; ok {
		return known, nil
	}
	var out []record.DeploymentStatus
	read := 0
	a := d.source.asking(d.repo, record.StreamDeployments, "statuses of a deployment")
	err := pages(ctx, a, fmt.Sprintf("deployments/%d/statuses", id), nil, func(page *[]statusJSON) (bool, error) {
		for _, one := range *page {
			if isDeploymentState(one.State) && !one.Created.IsZero() {
				out = append(out, record.DeploymentStatus{State: record.DeploymentState(one.State), Time: one.Created.Time})
			}
		}
		read++
		return read < maxStatusPages, nil
	})
	if err != nil && !isNotFound(err) { // deleted meanwhile
		return nil, err
	}
	slices.Reverse(out) // newest first, in pages
	slices.SortStableFunc(out, func(a, b record.DeploymentStatus) int { return a.Time.Compare(b.Time) })
	d.statuses[id] = out
	return out, nil
}

func isDeploymentState(s string) bool {
	switch s {
	case "error", "failure", "inactive", "in_progress", "queued", "pending", "success":
		return true
	}
	return false
}

// outcome tells how a deployment ended: with success if it ever succeeded, since a
// later one makes it inactive; empty when it has not ended. One that is inactive
// without an outcome before was replaced.
func outcome(statuses []record.DeploymentStatus) string {
	last := ""
	for _, s := range statuses {
		switch s.State {
		case "success":
			return "success"
		case "error", "failure", "inactive":
			last = string(s.State)
		}
	}
	return last
}
