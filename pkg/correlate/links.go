package correlate

import (
	"cmp"
	"math"
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
	by   []carrier
	more int32
}

// carrier is a deployment, twice its place, and one more where it went back.
type carrier int32

// add keeps a deployment. They come oldest first.
func (to *carried) add(at int, back bool) {
	if len(to.by) == maxListed {
		to.more++
		return
	}
	by := carrier(2 * at) //nolint:gosec // deployments are bounded far below
	if back {
		by++
	}
	if to.by == nil {
		to.by = make([]carrier, 0, 4)
	}
	to.by = append(to.by, by)
}

func (c *correlation) event(by carrier) *evidence.Event {
	return &c.in.Events[c.deployments[by/2].event]
}

// list writes out which deployments they were.
func (c *correlation) list(by []carrier) []evidence.CarriedBy {
	out := make([]evidence.CarriedBy, len(by))
	for i, b := range by {
		e := c.event(b)
		out[i] = evidence.CarriedBy{ID: e.ID, Time: e.Time, ServiceKey: e.ServiceKey, TakenBack: b%2 == 1}
	}
	return out
}

// carry writes down for each commit and pull request which deployments carried it,
// and ties deployments to what is only near in time.
func (c *correlation) carry() {
	commits := map[*repository][]carried{}
	pulls := map[int32]*carried{}
	for i := range c.deployments {
		// The same event told twice comes twice in a row.
		if again := i > 0 && c.in.Events[c.deployments[i-1].event].ID == c.in.Events[c.deployments[i].event].ID; !again && c.deployments[i].revision != "" {
			c.carriedBy(i, commits, pulls)
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
func (c *correlation) carriedBy(i int, commits map[*repository][]carried, pulls map[int32]*carried) {
	d := &c.deployments[i]
	r := c.repo(d.repository)
	var nodes []int32
	var numbers []int64
	back := false
	if d.between != nil && d.between.known {
		nodes, numbers, back = d.between.nodes, d.between.pulls, d.between.backOut
	} else if change := c.in.Events[d.event].Deployment; !rolledOut(change) && change.Change != evidence.ChangeApply {
		return
	} else if at, ok := r.commits[d.revision]; ok {
		nodes, numbers = []int32{at}, distinct(r.pullsOf(&r.nodes[at], nil), math.MinInt64)
	}
	if len(nodes) > 0 && commits[r] == nil {
		commits[r] = make([]carried, len(r.nodes))
	}
	for _, at := range nodes {
		commits[r][at].add(i, back)
	}
	for _, n := range numbers {
		for _, at := range r.pullNumbers[n] {
			pullOf(pulls, at).add(i, back)
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
	// Commits that lie side by side were mostly carried by the same deployments.
	var last []carrier
	var written []evidence.CarriedBy
	for at := range list {
		if len(list[at].by) == 0 || r.nodes[at].event < 0 {
			continue
		}
		if written == nil || !slices.Equal(list[at].by, last) {
			last, written = list[at].by, c.list(list[at].by)
		}
		for i := int32(at); i >= 0; i = r.nodes[i].next {
			event := r.nodes[i].event
			body := *c.in.Events[event].Commit
			body.Deployments, body.DeploymentsMore = written, list[at].more
			c.out.Events[event].Commit = &body
		}
	}
}

func (c *correlation) writePull(at int32, p *evidence.PullRequest, by *carried) {
	if by == nil {
		return
	}
	body := *p
	body.Deployments, body.DeploymentsMore = c.list(by.by), by.more
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
	if len(c.answers) == 0 {
		return nil
	}
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
