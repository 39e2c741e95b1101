package kubernetes

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// source is one configured cluster.
type source struct {
	config     Config
	api        *client
	namespaces []string // sorted; "*" alone for all, team-* for some
	where      string   // namespaces in words
	chooses    selector // nil for none
	env        connector.Env
	claims     *claimReader

	// pulls are the image pull Secrets that the workloads of the last Collect name.
	pulls []pullSecret
	// target is what the cluster is; clusterID is the label of service keys.
	target    string
	clusterID string
}

// batch is what lists gave, cut down.
type batch struct {
	workloads []workload
	revisions []revision
	pods      []pod
	settings  []setting
	// autoscalers are those that say what they scale.
	autoscalers []autoscaler
	nodes       []node
	// deliveries are what tools applied, sources what they fetch it from, releases
	// the versions that Helm keeps.
	deliveries []delivery
	sources    map[objectKey]fluxSource
	releases   []release
	scalings   map[string][]record.Scaling // by uid of the Deployment
	// oldest is the oldest last time of an event: younger ones are all there.
	oldest time.Time
}

// collection is one Collect.
type collection struct {
	*source
	layout *layout
	req    connector.Request
	scope  scope
	emit   func(record.Record) error
	prior  state
	jobs   []*job
	// oldest is the oldest event of all lists.
	oldest time.Time
	// allowed are the labels and annotations of settings that are compared; tagCheck
	// tells whether tags are of the same key and choice.
	allowed  allowlist
	tagCheck string
	// nameSeed goes into the short names of keys.
	nameSeed string
	// digest makes tags; nil for a plain one.
	digest func(parts ...[]byte) [sha256.Size]byte
	// choice is what a label selector leaves; nil is everything.
	choice *choice
	// fold gathers the Events of troubles that pods have.
	fold *folding
	// done says which streams gave all their records away.
	done map[string]bool
	// notes is what this look could not know, routineNotes what none like it can.
	notes, routineNotes []string
	// snapshot is what the next look is to know, forgotten what it has no room for.
	snapshot  []snapshotObject
	forgotten forgotten
	state     []byte
}

// Collect implements connector.Connector. It lists workloads, ConfigMaps and
// pods side by side, ties them together and emits them in a fixed order; then
// it passes the Events on page by page.
func (s *source) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	c := &collection{
		source: s, req: req, scope: newScope(req.Scope, s.namespaces, s.config.ExcludeNamespaces, s.chooses),
		layout: newLayout(), done: map[string]bool{},
	}
	s.pulls = nil
	refused := false
	c.emit = func(r record.Record) error {
		err := emit(r)
		refused = refused || err != nil
		return err
	}
	err := c.collect(ctx)
	coverage := c.coverage(err)
	if c.state != nil && !refused && !errors.Is(ctx.Err(), context.Canceled) {
		// Workloads were told in full: that a later stream failed is coverage. As
		// an error it would undo the state, and deletions would be told again.
		err = nil
	}
	return connector.Result{State: c.state, Coverage: coverage, Actions: s.api.requests.Take(allStreams()), Scope: c.where, Notes: c.notes, Routine: c.routineNotes}, err
}

func (c *collection) collect(ctx context.Context) error {
	if err := c.identify(ctx); err != nil {
		return err
	}
	var err error
	if c.prior, err = readState(c.req.State); err != nil {
		return err
	}
	if err := c.prepareTags(); err != nil {
		return err
	}
	c.plan()
	if err := c.runJobs(ctx); err != nil {
		return err
	}
	all := c.merge()
	j := join(&all)
	deliveries := c.deliver(j, &all)
	j.before = c.prior.services()
	c.choose(j)
	c.prior.recall(j.workloads, c.glance)
	if err := c.usable(); err != nil {
		return err
	}
	if err := c.emitWorkloads(ctx, j); err != nil {
		return err
	}
	c.pulls = c.findPulls(j)
	defer c.writeNotes(j)
	for _, family := range []func() error{
		func() error { return c.emitSettings(ctx, j, all.settings) },
		func() error { return c.emitPods(ctx, j, false) },
		func() error { return c.emitNodes(ctx, j, all.nodes) },
		func() error { return c.emitDeliveries(ctx, deliveries) },
	} {
		if err = family(); err != nil {
			break
		}
	}
	// What was told is remembered, whatever came after.
	if err := c.writeState(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return c.streamEvents(ctx, j)
}

func (c *collection) merge() batch {
	all := batch{scalings: map[string][]record.Scaling{}, sources: map[objectKey]fluxSource{}}
	for _, j := range c.jobs {
		all.workloads = append(all.workloads, j.workloads...)
		all.revisions = append(all.revisions, j.revisions...)
		all.pods = append(all.pods, j.pods...)
		all.settings = append(all.settings, j.settings...)
		all.autoscalers = append(all.autoscalers, j.autoscalers...)
		all.deliveries = append(all.deliveries, j.deliveries...)
		all.releases = append(all.releases, j.releases...)
		maps.Copy(all.sources, j.sources)
		all.nodes = append(all.nodes, j.nodes...)
		for owner, list := range j.scalings {
			all.scalings[owner] = append(all.scalings[owner], list...)
		}
		c.see(j.oldest)
		j.batch = batch{}
	}
	return all
}

// see notes the time of an event for coverage.
func (c *collection) see(t time.Time) {
	if !t.IsZero() && (c.oldest.IsZero() || t.Before(c.oldest)) {
		c.oldest = t
	}
}

// wants reports whether a record was asked for: its namespace, its service and
// its labels.
func (c *collection) wants(r record.Record, o record.Object, service record.Service) bool {
	return c.choice.takes(r, o, service) && c.scope.has(o.Namespace, service.Name)
}

// give emits a record that was asked for.
func (c *collection) give(ctx context.Context, r record.Record, o record.Object, service record.Service) error {
	if err := ctx.Err(); err != nil {
		return classify(ctx, err, "the "+r.Stream())
	}
	if !c.wants(r, o, service) {
		return nil
	}
	return c.emit(r)
}

func (c *collection) emitWorkloads(ctx context.Context, j *joined) error {
	workloads := append(c.vanishedWorkloads(j), make([]record.Workload, 0, len(j.workloads))...)
	for _, w := range j.workloads {
		if !w.routine {
			workloads = append(workloads, w.Workload)
		}
	}
	slices.SortStableFunc(workloads, func(a, b record.Workload) int { return compareObjects(a.Object, b.Object) })
	for _, w := range workloads {
		if err := c.give(ctx, w, w.Object, w.Service); err != nil {
			return err
		}
	}
	c.snapshot = append(c.snapshot, keepWorkloads(j.workloads)...)
	c.done[record.StreamWorkloads] = true
	return nil
}
