package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// deliver ties what tools applied to where it came from, to what they manage, and
// to what the last look knew.
func (c *collection) deliver(j *joined, b *batch) []delivery {
	out := append(b.deliveries, c.gatherReleases(b.releases)...)
	slices.SortFunc(out, func(a, b delivery) int { return compareDeliveries(a.Delivery, b.Delivery) })
	for i := range out {
		d := &out[i]
		if d.Object.Kind == kindKustomization {
			c.present(d, b.sources[d.source])
		}
		d.locate(b.sources[d.source])
	}
	c.claim(j, b.settings, out)
	c.serve(j, out)
	return out
}

// locate adds the address of the configuration.
func (d *delivery) locate(from fluxSource) {
	if d.Tool != record.ToolFlux || from.repository == "" {
		return
	}
	for i := range d.Applied {
		for k := range d.Applied[i].Sources {
			d.Applied[i].Sources[k].Repository = from.repository
		}
	}
}

// present tells what the history of a Kustomization does not: the revision that is
// applied now, if there is no history, and an attempt that failed before there
// was a content.
//
// The time of the condition Ready is that of the last reconciliation, which comes
// every few minutes, and not that at which the revision was first applied. Flux
// applies what it fetched as soon as it has it: that time stays the same.
func (c *collection) present(d *delivery, from fluxSource) {
	now := d.current
	applied, attempted := undecorated(now.applied), undecorated(now.attempted)
	fetched := func(revision string, a *record.Applied) {
		if revision != "" && from.revision == revision && !from.fetched.IsZero() {
			a.Started, a.StartedFrom = from.fetched, record.StartedSource
		}
	}
	if now.latest.revision != "" && from.revision == now.latest.revision {
		d.fetchedBefore(from)
	}
	if f := now.failure; !f.since.IsZero() && attempted != "" && !now.latest.failed {
		one := record.Applied{
			Key: "failed revision " + attempted, Number: -1, Sources: placed(now.place, attempted), Finished: f.since,
			State: record.RolloutFailed, Reason: f.reason,
		}
		if fetched(now.attempted, &one); one.Started.After(one.Finished) {
			one.Started, one.StartedFrom = one.Finished, ""
		}
		d.Applied = append(d.Applied, one)
	}
	if now.latest.key == "" && applied != "" {
		one := record.Applied{Key: "revision " + applied, Number: -1, Sources: placed(now.place, applied), State: record.RolloutComplete}
		fetched(now.applied, &one)
		before := c.revisedSince(d, applied, &one)
		d.Applied = append(d.Applied, one)
		d.Applied = orderApplied(d.Applied)
		if before != "" {
			d.Applied = append([]record.Applied{{Key: "before", Number: -1, Sources: placed(now.place, before), State: record.RolloutComplete}}, d.Applied...)
		}
		return
	}
	d.Applied = orderApplied(d.Applied)
}

// fetchedBefore adds the revision of the newest content, when it is the one that
// Flux had already fetched when that content was first applied.
func (d *delivery) fetchedBefore(from fluxSource) {
	for i := range d.Applied {
		a := &d.Applied[i]
		if a.Key == d.current.latest.key && !from.fetched.IsZero() && !from.fetched.After(a.Finished) {
			a.Sources = placed(d.current.place, undecorated(from.revision))
		}
	}
}

// revisedSince compares with the revision that the last look saw, and gives it when
// it was another one.
func (c *collection) revisedSince(d *delivery, applied string, a *record.Applied) (before string) {
	k, known := c.prior.before(d.Object.UID)
	if !known || json.Unmarshal(k.Facts, &before) != nil || before == applied || !isRevision(before) {
		return ""
	}
	if after, until, ok := c.since(k); ok && a.Started.IsZero() {
		a.After, a.Before, a.Looks = after, until, true
	}
	return before
}

// claim says of objects that carry no mark that a tool manages them, where the tool
// lists them as its own: Argo CD may be set up to mark objects with a label that
// others use too. And it finds the namespace of an Application that is only named.
func (c *collection) claim(j *joined, settings []setting, deliveries []delivery) {
	named := map[string][]string{} // namespaces of Applications, by name
	unmarked := map[objectKey]**record.ManagedBy{}
	resources := 0
	for i := range deliveries {
		d := &deliveries[i]
		resources += len(d.resources)
		if d.Object.Kind == kindApplication {
			named[d.Object.Name] = append(named[d.Object.Name], d.Object.Namespace)
		}
	}
	mark := func(o record.Object, by **record.ManagedBy) {
		switch {
		case *by == nil:
			if resources > 0 {
				unmarked[objectKey{o.Kind, o.Namespace, o.Name}] = by
			}
		case (*by).Kind == kindApplication && (*by).Namespace == "" && len(named[(*by).Name]) == 1:
			found := **by
			found.Namespace = named[found.Name][0]
			*by = &found
		}
	}
	if len(deliveries) == 0 {
		return
	}
	for _, w := range j.workloads {
		mark(w.Object, &w.ManagedBy)
	}
	for i := range settings {
		mark(settings[i].Object, &settings[i].ManagedBy)
	}
	for i := range deliveries {
		d := &deliveries[i]
		for _, key := range d.resources {
			by := unmarked[key]
			switch {
			case by == nil:
			case *by == nil:
				*by = new(managerOf(&d.Delivery))
			case **by != managerOf(&d.Delivery):
				// Whoever may write such an object can claim what is of others. Which
				// of two is right is not known.
				*by = nil
				delete(unmarked, key)
			}
		}
		d.resources = nil
	}
}

func compareDeliveries(a, b record.Delivery) int {
	return cmp.Or(strings.Compare(a.From, b.From), compareObjects(a.Object, b.Object))
}

// managerOf is how what a tool manages names the tool's object.
func managerOf(d *record.Delivery) record.ManagedBy {
	return record.ManagedBy{Tool: d.Tool, Kind: d.Object.Kind, Namespace: d.Object.Namespace, Name: d.Object.Name}
}

// serve finds the services of the workloads that each tool's object manages.
func (c *collection) serve(j *joined, deliveries []delivery) {
	index := map[record.ManagedBy]*delivery{}
	for i := range deliveries {
		index[managerOf(&deliveries[i].Delivery)] = &deliveries[i]
	}
	for _, w := range j.workloads {
		if w.ManagedBy == nil {
			continue
		}
		d := index[*w.ManagedBy]
		pair := [2]string{w.Object.Namespace, w.Service.Name}
		if d != nil && !slices.Contains(d.services, pair) && len(d.services) < maxResources {
			d.services = append(d.services, pair)
		}
	}
	for i := range deliveries {
		d := &deliveries[i]
		switch {
		case len(d.services) == 1:
			d.ServiceNamespace, d.Service = d.services[0][0], record.Service{Name: d.services[0][1], Basis: "managed workloads"}
		case len(d.services) > 1 || d.OtherCluster:
			d.Service = record.Service{}
		case d.Target != "":
			d.ServiceNamespace = d.Target
		}
	}
}

// asked reports whether one of the services of a delivery was asked for. Where no
// services were, its object was, wherever it deploys to.
func (c *collection) asked(d *delivery) bool {
	found := c.scope.services == nil
	for _, s := range append(d.services, [2]string{d.ServiceNamespace, d.Service.Name}) {
		found = c.scope.has(s[0], s[1]) || found // each, since those that were met are noted
	}
	return found
}

func (c *collection) emitDeliveries(ctx context.Context, deliveries []delivery) error {
	c.noteDeliveries(deliveries)
	all := c.vanishedDeliveries(deliveries)
	for i := range deliveries {
		d := &deliveries[i]
		if c.choice.takes(d.Delivery, d.Object, d.Service) && c.asked(d) {
			all = append(all, d.Delivery)
		}
		if d.Object.UID != "" {
			c.snapshot = append(c.snapshot, d.keep())
		}
	}
	slices.SortStableFunc(all, compareDeliveries)
	for _, d := range all {
		if err := ctx.Err(); err != nil {
			return classify(ctx, err, "the "+d.From)
		}
		if err := c.emit(d); err != nil {
			return err
		}
	}
	c.done[record.StreamGitOps], c.done[record.StreamHelm] = true, true
	return nil
}

// keep is what the next look is to know: the revision, where no history tells it.
func (d *delivery) keep() snapshotObject {
	k := snapshotObject{object: d.Object, service: d.Service.Name, created: d.Created}
	if revision := undecorated(d.current.applied); revision != "" && d.current.latest.key == "" {
		k.facts = revision
	}
	return k
}

// vanishedDeliveries makes the records of the objects that are gone. With the
// object of a tool goes what it managed, unless it was told to leave it.
func (c *collection) vanishedDeliveries(deliveries []delivery) []record.Delivery {
	there := map[string]bool{}
	for i := range deliveries {
		there[deliveries[i].Object.UID] = true
	}
	var out []record.Delivery
	tools := map[string]record.Tool{kindApplication: record.ToolArgoCD, kindKustomization: record.ToolFlux, kindHelmRelease: record.ToolFlux}
	for _, g := range c.prior.vanished(func(uid string) bool { return there[uid] }, c.glance, kindApplication, kindKustomization, kindHelmRelease) {
		d := record.Delivery{
			From: record.StreamGitOps, Tool: tools[g.Kind], Object: g.object(c.clusterID), Vanished: &g.between, ServiceNamespace: g.Namespace,
		}
		if c.choice.takes(d, d.Object, d.Service) && c.scope.has(g.Namespace, g.Service) {
			out = append(out, d)
		}
	}
	return out
}

// noteDeliveries says what the objects of delivery tools do not tell.
func (c *collection) noteDeliveries(deliveries []delivery) {
	untimed, helm, broken := 0, false, 0
	for i := range deliveries {
		if d := &deliveries[i]; d.Object.Kind == kindKustomization && len(d.Applied) == 0 && d.current.applied != "" {
			untimed++
		}
	}
	for _, j := range c.jobs {
		helm = helm || j.stream == record.StreamHelm && !j.refused && !j.absent
		broken += j.broken
	}
	if untimed > 0 {
		c.note("Of Kustomizations without a history, whose source does not hold the applied revision any more, it is not known when it was applied: %d. "+
			"The next run compares the revisions.", untimed)
	}
	if broken > 0 {
		c.note("Custom resources that are not as their definition says were left out: %d.", broken)
	}
	if helm {
		c.note("%s", helmNote)
	}
}
