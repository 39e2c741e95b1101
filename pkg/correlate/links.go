package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxCommits bounds the commits that events are to be made of.
const maxCommits = 10_000

// carried says which deployments brought a commit or pull request: the first ones,
// and how many more.
type carried struct {
	by   []evidence.CarriedBy
	more int32
}

// add keeps a deployment. Deployments come oldest first, so that the same event told
// twice comes twice in a row.
func (c *carried) add(e *evidence.Event, back bool) {
	if n := len(c.by); n > 0 && c.by[n-1].ID == e.ID {
		return
	}
	if len(c.by) == maxListed {
		c.more++
		return
	}
	c.by = append(c.by, evidence.CarriedBy{ID: e.ID, Time: e.Time, ServiceKey: e.ServiceKey, TakenBack: back})
}

// carry writes down for each commit and pull request which deployments carried it,
// and ties deployments to what is only near in time.
func (c *correlation) carry() {
	commits := map[*repository][]carried{}
	pulls := map[int32]*carried{}
	for i := range c.deployments {
		d := &c.deployments[i]
		if d.revision != "" {
			c.carriedBy(d, commits, pulls)
		}
	}
	for r, list := range commits {
		c.writeCommits(r, list)
	}
	for i := range c.in.Events {
		if p := c.in.Events[i].PullRequest; p != nil {
			c.writePull(int32(i), p, pulls[int32(i)])
		}
	}
	c.writeLinks()
}

// carriedBy adds a deployment to what it carried: what lies between its commits, or,
// where that is not known, the commit that it brought.
func (c *correlation) carriedBy(d *deployment, commits map[*repository][]carried, pulls map[int32]*carried) {
	e, r := &c.in.Events[d.event], c.repo(d.repository)
	if commits[r] == nil {
		commits[r] = make([]carried, len(r.nodes))
	}
	shas, numbers, back := []string{d.revision}, []int64(nil), false
	if d.between != nil && d.between.known {
		shas, numbers, back = d.between.commits, d.between.body.PullRequests, d.between.backOut
	} else if !rolledOut(e.Deployment) && e.Deployment.Change != evidence.ChangeApply {
		return
	}
	for _, sha := range shas {
		if at, ok := r.commits[sha]; ok {
			commits[r][at].add(e, back)
		}
	}
	if numbers == nil {
		for _, sha := range shas {
			for _, at := range r.pulls[sha] {
				pullOf(pulls, at).add(e, back)
			}
		}
		return
	}
	for _, n := range numbers {
		for _, at := range r.pullNumbers[n] {
			pullOf(pulls, at).add(e, back)
		}
	}
}

func pullOf(pulls map[int32]*carried, at int32) *carried {
	p := pulls[at]
	if p == nil {
		p = &carried{}
		pulls[at] = p
	}
	return p
}

func (c *correlation) writeCommits(r *repository, list []carried) {
	for at := range list {
		if len(list[at].by) == 0 {
			continue
		}
		for i := int32(at); i >= 0; i = r.nodes[i].next {
			event := r.nodes[i].event
			if event < 0 {
				break
			}
			body := *c.in.Events[event].Commit
			body.Deployments, body.DeploymentsMore = list[at].by, list[at].more
			c.out.Events[event].Commit = &body
		}
	}
}

func (c *correlation) writePull(at int32, p *evidence.PullRequest, by *carried) {
	if by == nil {
		return
	}
	body := *p
	body.Deployments, body.DeploymentsMore = by.by, by.more
	c.out.Events[at].PullRequest = &body
}

// writeLinks ties deployments and pull requests that nothing but time ties.
func (c *correlation) writeLinks() {
	slices.SortFunc(c.links, func(a, b near) int {
		return cmp.Or(compareEvents(&c.in.Events[a.deployment], &c.in.Events[b.deployment]), cmp.Compare(a.deployment, b.deployment))
	})
	count := map[int32]int{}
	for _, l := range c.links {
		d, p := &c.out.Events[l.deployment], &c.out.Events[l.pull]
		seconds := int64(d.Time.Sub(p.Time).Seconds())
		d.Links = linked(d.Links, evidence.Link{Relation: "followed", To: p.ID, OrderSeconds: seconds, Basis: "time"})
		if count[l.pull]++; count[l.pull] <= maxListed {
			p.Links = linked(p.Links, evidence.Link{Relation: "preceded", To: d.ID, OrderSeconds: -seconds, Basis: "time"})
		}
	}
}

// linked adds a link to a copy, once.
func linked(links []evidence.Link, l evidence.Link) []evidence.Link {
	if slices.Contains(links, l) {
		return links
	}
	return append(slices.Clip(links), l)
}

// commits gives what is to be made events of: the commits of ranges and those that
// run, as far as answers tell of them and no event does.
func (c *correlation) commits() []record.Commit {
	var found []record.Commit
	taken := map[*record.Commit]bool{}
	add := func(r *repository, sha string) {
		n := r.find(sha)
		if n == nil || n.event >= 0 || n.answer == nil || taken[n.answer] {
			return
		}
		taken[n.answer] = true
		found = append(found, *n.answer)
		found[len(found)-1].Repository = r.name
	}
	for i := range c.deployments {
		d := &c.deployments[i]
		if d.revision == "" {
			continue
		}
		r := c.repo(d.repository)
		add(r, d.revision)
		if d.between != nil {
			for _, sha := range d.between.body.Commits {
				add(r, sha)
			}
		}
	}
	if more := len(found) - maxCommits; more > 0 {
		slices.SortFunc(found, func(a, b record.Commit) int { return -compareCommits(&a, &b) })
		found, c.dropped = found[:maxCommits], more
	}
	slices.SortFunc(found, func(a, b record.Commit) int {
		return cmp.Or(strings.Compare(a.Repository, b.Repository), compareCommits(&a, &b))
	})
	return found
}

func compareCommits(a, b *record.Commit) int {
	return cmp.Or(a.Committed.Compare(b.Committed), strings.Compare(a.SHA, b.SHA), strings.Compare(a.Repository, b.Repository))
}
