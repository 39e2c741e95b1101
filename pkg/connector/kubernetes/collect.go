package kubernetes

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// parallel is how many lists run side by side.
const parallel = 4

// source is one configured cluster.
type source struct {
	config     Config
	api        *client
	namespaces []string // sorted; "*" alone for all, team-* for some
	where      string   // namespaces in words
	chooses    selector // nil for none
	env        connector.Env

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

// job is a list and what it gave.
type job struct {
	listing
	batch
	kind kind
	// began and ended are our clock before the first page and after the last.
	began, ended time.Time
	// locks counts ConfigMaps that were left out because they are locks.
	locks int
	// broken counts custom resources that could not be read.
	broken int
	// standing counts objects that every namespace has, copies Secrets of which an
	// annotation holds a copy.
	standing, copies int
	// others are the uids of objects that were left out though they are there.
	others []string
	// aside are the uids of ReplicaSets of which nothing is kept.
	aside []types.UID
	// templates reads the pod templates of this list.
	templates *templateReader
	// admitted counts objects of namespaces that are read; chosen are those that a
	// label selector takes.
	admitted int
	chosen   []types.UID
}

// collection is one Collect.
type collection struct {
	*source
	layoutOnce sync.Once
	layout     *layout
	req        connector.Request
	scope      scope
	emit       func(record.Record) error
	prior      state
	jobs       []*job
	// oldest is the oldest event of all lists.
	oldest time.Time
	// allowed are the labels and annotations of settings that are compared; tagCheck
	// tells whether tags are of the same key and choice.
	allowed  allowlist
	tagCheck string
	// digest makes tags; nil for a plain one.
	digest func(parts ...[]byte) [sha256.Size]byte
	// choice is what a label selector leaves; nil is everything.
	choice *choice
	// fold gathers the Events of troubles that pods have.
	fold *folding
	// done says which streams gave all their records away.
	done  map[string]bool
	notes []string
	// keeps are what the next look is to know, forgotten what it has no room for.
	keeps     []keepsake
	forgotten forgotten
	state     []byte
}

// Collect implements connector.Connector. It lists workloads, ConfigMaps and
// pods side by side, ties them together and emits them in a fixed order; then
// it passes the Events on page by page.
func (s *source) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	c := &collection{source: s, req: req, scope: newScope(req.Scope, s.namespaces, s.config.ExcludeNamespaces, s.chooses), done: map[string]bool{}}
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
	return connector.Result{State: c.state, Coverage: coverage, Actions: s.api.requests.take(), Scope: c.where, Notes: c.notes}, err
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
	defer c.writeNotes(j)
	if err = c.emitOthers(ctx, j, all.settings); err == nil {
		err = c.emitNodes(ctx, j, all.nodes)
	}
	if err == nil {
		err = c.emitDeliveries(ctx, deliveries)
	}
	if err := c.writeState(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return c.streamEvents(ctx, j)
}

// plan makes one job for each list: of each kind in each namespace, or in the
// whole cluster.
func (c *collection) plan() {
	streams := c.config.streams()
	for _, k := range c.config.kinds() {
		if !slices.Contains(streams, k.stream) {
			continue
		}
		namespaces := c.scope.namespaces
		if k.cluster && len(namespaces) > 0 {
			namespaces = []string{""}
		}
		for _, ns := range namespaces {
			c.jobs = append(c.jobs, &job{kind: k, listing: listing{
				resource: k.resource, stream: k.stream, namespace: ns, selector: k.selector, labels: k.labels, accept: k.accept,
				optional: c.config.optional(k.stream), foreign: k.foreign,
			}})
		}
	}
}

// runJobs runs the lists, some side by side. Its error is one that ends the
// whole source.
func (c *collection) runJobs(ctx context.Context) error {
	if c.api.recording != nil {
		return c.replayJobs(ctx)
	}
	c.findForeign(ctx)
	c.review(ctx)
	slots := make(chan struct{}, parallel)
	panics := make(chan any, len(c.jobs))
	var wg sync.WaitGroup
	for _, j := range c.jobs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
				<-slots
			}()
			j.began = c.now()
			if err := j.kind.read(ctx, c, j); err != nil {
				j.err = classify(ctx, err, j.what())
			}
			j.ended = c.now()
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p) // in the caller's goroutine, where it can be contained
	default:
	}
	return c.fatal(ctx)
}

// fatal finds what makes asking on useless: a credential that no list took, or
// a context that is done. One that ran out on the way leaves what was read.
func (c *collection) fatal(ctx context.Context) error {
	var refused *connector.Error
	for _, j := range c.jobs {
		if j.err != nil && j.err.Class == connector.ClassAuth {
			refused = j.err
		}
	}
	if refused != nil && !slices.ContainsFunc(c.jobs, func(j *job) bool { return j.listing.whole() }) {
		return refused
	}
	if ctx.Err() != nil {
		return classify(ctx, ctx.Err(), "objects of the cluster")
	}
	return nil
}

// usable is the error of a source of which every list failed.
func (c *collection) usable() error {
	var first *connector.Error
	for _, j := range c.jobs {
		if j.whole() || j.objects > 0 {
			return nil
		}
		if first == nil && j.err != nil {
			first = j.err
		}
	}
	switch {
	case len(c.jobs) == 0:
		return nil
	case first != nil:
		return first
	case c.api.recording != nil:
		return c.emptyRecording()
	case !slices.ContainsFunc(c.jobs, func(j *job) bool { return j.refused }):
		return nil // the cluster has none of these kinds
	}
	return connector.Errorf(connector.ClassForbidden, nil,
		"the credential may list nothing of %s (403): give it %s", sayNamespaces(c.scope.namespaces), c.roles())
}

// roles says what to give to a credential that may list nothing.
func (c *collection) roles() string {
	kinds := map[string]bool{}
	for _, j := range c.jobs {
		if !j.optional {
			kinds[j.resource.plural] = true
		}
	}
	list := "with the verb list on " + strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
	if slices.Contains(c.scope.namespaces, "") {
		return "a ClusterRole " + list + ", by a ClusterRoleBinding; or name in namespaces those that it may read"
	}
	return "a Role " + list + ", in each namespace that is to be read"
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
	c.keeps = append(c.keeps, keepWorkloads(j.workloads)...)
	c.done[record.StreamWorkloads] = true
	return nil
}

func (c *collection) emitOthers(ctx context.Context, j *joined, settings []setting) error {
	if err := c.emitSettings(ctx, j, settings); err != nil {
		return err
	}
	return c.emitPods(ctx, j, false)
}

// streamEvents lists the other Events and emits them as they come, but for those
// that tell of the same as the status of a pod: see fold.go.
func (c *collection) streamEvents(ctx context.Context, j *joined) error {
	c.fold = newFolding(j.ordered)
	err := c.readEvents(ctx, j)
	if c.fold.refused {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		ctx = context.WithoutCancel(ctx) // what was read is there to be given
	}
	if failed := c.emitFolded(ctx, j); err == nil {
		err = failed
	}
	return err
}

func (c *collection) readEvents(ctx context.Context, j *joined) error {
	if !slices.Contains(c.config.streams(), record.StreamEvents) {
		return nil
	}
	for _, first := range slices.Clone(c.jobs) {
		if first.stream != record.StreamEvents {
			continue
		}
		l := &job{kind: first.kind, listing: listing{
			resource: events(), stream: record.StreamEvents, namespace: first.namespace, selector: selectOthers, reviewed: true,
		}}
		c.jobs = append(c.jobs, l)
		if first.refused || first.err != nil {
			l.refused, l.err = first.refused, first.err
			continue
		}
		err := list(ctx, c.api, &l.listing, func() *corev1.EventList { return &corev1.EventList{} }, func(p *corev1.EventList) []corev1.Event { return p.Items }, func(e *corev1.Event) error { return c.takeEvent(j, e) })
		if err != nil {
			return err
		}
		if err := c.fatal(ctx); err != nil {
			return err
		}
	}
	c.done[record.StreamEvents] = true
	return nil
}

// glance says when the list of a kind in a namespace was read, in the server's
// clock, and whether it was complete. Its times are widened to whole seconds,
// since that clock is not known better. With a window that a person named the
// time of the look is left out: the same window is to give the same bytes.
func (c *collection) glance(kind, namespace string) (glance, bool) {
	g := glance{end: c.end()}
	var found *job
	for _, j := range c.jobs {
		if j.resource.kind != kind || j.namespace != namespace && j.namespace != "" {
			continue
		}
		g.asked, g.stream, g.end = true, j.stream, c.req.WindowOf(j.stream).End
		if j.listing.whole() {
			found = j
			break
		}
	}
	if found == nil {
		return g, false
	}
	if c.env.Now == nil {
		g.began, g.ended = g.end, g.end
		return g, true
	}
	offset := c.api.requests.clock().Offset
	g.began = found.began.Add(offset).UTC().Truncate(time.Second)
	if c.req.Incremental {
		g.ended = found.ended.Add(offset).UTC().Truncate(time.Second).Add(time.Second)
	}
	return g, true
}

// since is that of the glances of this run.
func (c *collection) since(k known) (after, before time.Time, ok bool) {
	return glances(c.glance).since(k)
}

// end is the end of the window of workloads.
func (c *collection) end() time.Time { return c.req.WindowOf(record.StreamWorkloads).End }

func (c *collection) now() time.Time {
	if c.env.Now == nil {
		return time.Time{}
	}
	return c.env.Now()
}

// writeState makes the state for the next run. Of a stream that was not told in
// full the older look is kept, since what differs from it is still to be told.
func (c *collection) writeState() error {
	told := func(kind, namespace string) (glance, bool) {
		g, whole := c.glance(kind, namespace)
		return g, whole && c.done[g.stream]
	}
	next := c.prior
	next.Cluster, next.Chosen = c.clusterID, c.choice.remembered(c.config.MaxObjects)
	raw, lost, err := next.remember(c.keeps, told, c.config.MaxObjects)
	if err != nil || len(raw) > connector.MaxState {
		return connector.Errorf(connector.ClassInternal, err, "the state for the next run cannot be encoded")
	}
	c.state, c.forgotten, c.keeps = raw, lost, nil
	return nil
}
