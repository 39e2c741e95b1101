// Package correlate ties a deployment to the commit that it runs, with a stated
// confidence and the reasons for it, and to what lies between that commit and the
// one before. It is pure: it asks nobody. What it would have to know of the history
// it gives back as questions; asked again with the answers, it says more.
package correlate

import (
	"slices"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// Input is all that was collected.
type Input struct {
	// Events are of any kind and in any order: the result does not depend on it.
	Events []evidence.Event
	// Images are what was found out about the images of the events, in any order. An
	// image that is not among them was not read.
	Images []Image
	// Services are the repositories of services, by the config.
	Services []Service
	// Repositories are those that a source of history was configured to read, in the
	// form of record.RepositoryName. What it reads only because an image or a workload
	// names it is not one of them: it would confirm itself.
	Repositories []string
	// Asked says that there is a source of history to answer questions.
	Asked bool
	// Answers are to the questions of all earlier calls, in any order.
	Answers []record.HistoryAnswer
}

// Image is what is known of one image of a pod template.
type Image struct {
	// Reference and Digest are those of the evidence.Image: the reference as it stands
	// in the template, and the digest that ran, empty when no pod told.
	Reference, Digest string
	// Metadata is what the image says of itself; nil when it was not read. Failed says
	// that it was asked for and could not be read.
	Metadata *record.ImageMetadata
	Failed   bool
}

// Service says by the config where a service comes from.
type Service struct {
	// Cluster may be empty: any.
	Cluster, Namespace, Name string
	// Repository is in the form of record.RepositoryName, Path a folder in it.
	Repository, Path string
}

// Output is what came of it.
type Output struct {
	// Events are those of the input in their order.
	Events []evidence.Event
	// Commits are those that answers tell and of which Input.Events has no
	// CommitEvent: what lies in the change ranges, and what runs. Whoever wants them
	// written makes CommitEvents of them, adds those to Input.Events and calls again:
	// they then list the deployments that carried them, and nothing else changes.
	// By repository, then oldest first; each once.
	Commits []record.Commit
	// Questions are what more would have to be known; none when nothing would.
	// Sorted, each once, never one that was answered. At most 2,000 of them are put in
	// all calls together.
	Questions []record.HistoryQuestion
	// Unanswered are the ids of those DeploymentEvents of which less is known because a
	// question was not answered, or was one too many: another run may know. Sorted.
	Unanswered []string
	// Notes are sentences of ours about the work as a whole. Which links of single
	// deployments were impossible is for a Tally of those that are told.
	Notes []string
}

// Correlate fills in Revision, PreviousRevision, Mapping and ChangeRange of
// DeploymentEvents, and which deployments carried a commit or pull request. It
// changes no event of the input.
func Correlate(in Input) Output {
	x := newIndex(&in)
	c := &correlation{
		history: newHistory(x),
		out:     Output{Events: slices.Clone(in.Events)},
	}
	c.solver = solver{history: c.history, ladder: newLadder()}
	c.choose()
	// The newest deployments come first: theirs are the questions that there is room for.
	for i := range slices.Backward(c.deployments) {
		d := &c.deployments[i]
		c.left = false
		c.resolve(d)
		if c.left {
			c.out.Unanswered = append(c.out.Unanswered, in.Events[d.event].ID)
		}
	}
	slices.Sort(c.out.Unanswered)
	c.carry()
	c.out.Commits = c.commits()
	c.out.Questions = c.sorted()
	c.out.Notes = c.notes()
	return c.out
}

// correlation is a call of Correlate.
type correlation struct {
	*history
	solver      solver
	out         Output
	deployments []deployment // oldest first
	bodies      []bodies     // room for some that are to come
	ranges      []evidence.ChangeRange
	links       []near
	dropped     int // commits that there was no room for
}

// deployment is a DeploymentEvent on its way.
type deployment struct {
	event    int32
	time     int64 // in seconds
	service  *Service
	to, from side
	// between is what lies between its two commits; nil when they are not both known.
	between    *span
	repository string // of revision
	revision   string
}

// bodies are written into one piece of memory.
type bodies struct {
	deployment evidence.Deployment
	mapping    evidence.Mapping
}

// near is a pull request that was merged shortly before a deployment.
type near struct{ deployment, pull int32 }

// body copies the body of an event, before it is written to.
func (c *correlation) body(event int32) (*evidence.Deployment, *evidence.Mapping) {
	const piece = 64 // few enough to be let go soon after they were written out
	if len(c.bodies) == 0 {
		c.bodies = make([]bodies, min(piece, len(c.deployments)))
	}
	b := &c.bodies[0]
	c.bodies = c.bodies[1:]
	b.deployment = *c.in.Events[event].Deployment
	c.out.Events[event].Deployment = &b.deployment
	return &b.deployment, &b.mapping
}

// resolve fills in one deployment.
func (c *correlation) resolve(d *deployment) {
	e := &c.in.Events[d.event]
	body, mapping := c.body(d.event)
	switch {
	case body.Environment != nil:
		c.toldOf(d, body, mapping)
		return
	case isTool(body):
		c.applies(d, e, body, mapping)
		return
	}
	var to, from result
	to.link = -1
	hasTo, hasFrom := body.To != nil, body.From != nil
	if hasTo || !hasFrom {
		to = c.solver.solve(e, d.to, d.service)
	}
	if hasFrom {
		from = c.solver.solve(e, d.from, d.service)
		if !hasTo {
			to, to.link = from, -1
		}
	}
	if hasTo {
		body.Revision = to.sha
	} else {
		body.Revision = ""
	}
	body.PreviousRevision = from.sha
	c.write(mapping, &to)
	body.Mapping = mapping
	if to.link >= 0 {
		c.links = append(c.links, near{d.event, to.link})
	}
	if hasTo && to.sha != "" {
		d.repository, d.revision = to.origin.repository, to.sha
	}
	c.lies(d, body, to.origin.repository == from.origin.repository)
}

// lies fills in what lies between the two commits of a deployment.
func (c *correlation) lies(d *deployment, body *evidence.Deployment, alike bool) {
	body.ChangeRange = nil
	if body.Revision == "" || body.PreviousRevision == "" || !alike || d.repository == "" {
		return
	}
	d.between = c.between(d.repository, body.PreviousRevision, body.Revision)
	const piece = 64
	if len(c.ranges) == 0 {
		c.ranges = make([]evidence.ChangeRange, min(piece, len(c.deployments)))
	}
	c.ranges[0] = d.between.body
	body.ChangeRange, c.ranges = &c.ranges[0], c.ranges[1:]
	c.left = c.left || d.between.left
}

// toldOf is a deployment that GitHub was told of: its commit is known, as surely as
// its rung is, and nothing is asked of it.
func (c *correlation) toldOf(d *deployment, body *evidence.Deployment, mapping *evidence.Mapping) {
	r := result{on: onNone, origin: origin{repository: body.Environment.Repository, basis: evidence.RepositoryFromDeployment}}
	if isFull(body.Revision) {
		d.repository, d.revision = body.Environment.Repository, body.Revision
		r.on, r.named = onDeployment, true
		r.why.add(fullSHA)
	} else {
		r.why.add(noClaim)
	}
	c.write(mapping, &r)
	body.Mapping = mapping
	c.lies(d, body, isFull(body.PreviousRevision))
}

// write writes a mapping down.
func (c *correlation) write(m *evidence.Mapping, r *result) {
	*m = evidence.Mapping{
		Method: c.solver.ladder.rungs[r.on].method, Repository: r.origin.repository, RepositoryBasis: r.origin.basis, Path: r.origin.path,
		Reasons: make([]evidence.Reason, 0, r.why.size()),
	}
	var score int
	score, m.Reasons = c.solver.ladder.apply(r.on, r.why, r.named, m.Reasons)
	m.Score, m.Confidence = hundredths(score), confidence(score)
	if r.side.image != nil {
		m.Container, m.Digest = r.side.image.Container, r.side.image.Digest
	}
}

// isTool reports whether a change is of an object of a delivery tool, which runs no
// pods by itself.
func isTool(d *evidence.Deployment) bool {
	switch d.Workload {
	case evidence.WorkloadApplication, evidence.WorkloadKustomization, evidence.WorkloadHelmRelease, evidence.WorkloadRelease:
		return true
	}
	return d.Applied != nil
}

// applies maps what a delivery tool applied: a commit of the source code only where
// its repository is one that a service comes from.
func (c *correlation) applies(d *deployment, e *evidence.Event, body *evidence.Deployment, mapping *evidence.Mapping) {
	body.Revision, body.PreviousRevision, body.ChangeRange = "", "", nil
	source, o := c.sourceCode(d, e)
	r := result{on: onNone, link: -1}
	if source != nil {
		r = c.solver.mapApplied(e, source.ConfigRevision, o)
		body.Revision = r.sha
		body.PreviousRevision = c.solver.mapApplied(e, source.PreviousConfigRevision, o).sha
	}
	if r.on == onNone {
		r.why.add(configurationOnly)
	}
	c.write(mapping, &r)
	body.Mapping = mapping
	if r.sha != "" {
		d.repository, d.revision = o.repository, r.sha
	}
	c.lies(d, body, true)
}

// sourceCode finds among what was applied the source code of a service.
func (c *correlation) sourceCode(d *deployment, e *evidence.Event) (*evidence.ConfigSource, origin) {
	a := e.Deployment.Applied
	if a == nil || e.Deployment.Status == evidence.StatusFailed {
		return nil, origin{}
	}
	var origins []origin
	if d.service != nil {
		origins = append(origins, origin{repository: d.service.Repository, basis: evidence.RepositoryFromConfig, path: d.service.Path, trusted: true})
	}
	at := e.Source.Object
	origins = append(origins, c.toolOrigins[toolObject{at.Cluster, at.Kind, at.Namespace, at.Name}]...)
	for _, o := range origins {
		for i := range a.Sources {
			if s := &a.Sources[i]; s.Chart == "" && s.ConfigRepository == o.repository && o.repository != "" {
				return s, o
			}
		}
	}
	return nil, origin{}
}

// mapApplied maps a revision that a delivery tool applied of source code.
func (s *solver) mapApplied(e *evidence.Event, revision string, o origin) result {
	s.found = s.found[:0]
	if n := readRevision(revision); n.form == formFull {
		s.add(candidate{on: onTool, named: n, group: voiceTool})
	}
	s.weigh(e, side{}, &o)
	r := s.best(o)
	r.origin, r.link = o, -1
	return r
}
