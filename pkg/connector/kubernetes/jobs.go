package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
)

// parallel is how many lists run side by side.
const parallel = 4

// job is a list and what it gave.
type job struct {
	listing
	batch
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
	// pulls are the image pull Secrets that pods name.
	pulls map[pulled]bool
	// aside are the uids of ReplicaSets of which nothing is kept.
	aside []types.UID
	// templates reads the pod templates of this list.
	templates *templateReader
	// admitted counts objects of namespaces that are read; chosen are those that a
	// label selector takes.
	admitted int
	chosen   []types.UID
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
			c.jobs = append(c.jobs, &job{listing: listing{kind: k, namespace: ns, optional: c.config.optional(k.stream)}})
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
	sideBySide(parallel, c.jobs, func(j *job) bool {
		j.began = c.now()
		if err := j.read(ctx, c, j); err != nil {
			j.err = classify(ctx, err, j.what())
		}
		j.ended = c.now()
		return true
	})
	return c.fatal(ctx)
}

// sideBySide does all of a list, at most n at once; when one says false, no other
// is begun. A panic comes out in the caller's goroutine, where it can be contained.
func sideBySide[T any](n int, all []T, do func(T) bool) {
	slots := make(chan struct{}, n)
	panics := make(chan any, len(all))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, one := range all {
		slots <- struct{}{}
		if stop.Load() {
			break
		}
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
				<-slots
			}()
			if !do(one) {
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
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
