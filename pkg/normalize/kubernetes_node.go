package normalize

import (
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// node tells what happened to a node, and what it suffers.
func node(connectorName string, n record.Node) []evidence.Event {
	b := nodeBuilder{connectorName, n}
	if n.Vanished != nil {
		e := b.between(evidence.NodeRemoved, n.Vanished.After, n.Vanished.Before)
		e.ID = b.id(evidence.NodeRemoved) // once, whenever it is found
		return []evidence.Event{e}
	}
	var events []evidence.Event
	if !n.Created.IsZero() {
		events = append(events, b.at(evidence.NodeAdded, n.Created, evidence.BasisCreation))
	}
	if !n.Deleted.IsZero() {
		e := b.at(evidence.NodeRemoved, n.Deleted, evidence.BasisDeletion)
		e.ID = b.id(evidence.NodeRemoved)
		events = append(events, e)
	}
	events = append(events, b.cordon()...)
	if n.Before != nil {
		events = append(events, b.compare(*n.Before)...)
	}
	for _, c := range n.Conditions {
		if e, ok := b.signal(c); ok {
			events = append(events, e)
		}
	}
	return events
}

type nodeBuilder struct {
	connectorName string
	n             record.Node
}

func (b nodeBuilder) id(change evidence.NodeChange, more ...string) string {
	return evidence.ID(evidence.KindNode, slices.Concat(identity(b.n.Object), []string{string(change)}, more)...)
}

func (b nodeBuilder) event(change evidence.NodeChange) evidence.Event {
	e := envelope(b.connectorName, evidence.KindNode, b.n, b.n.Object, record.Service{})
	f := b.n.Facts
	e.Node = &evidence.Node{Change: change, Pool: kept(f.Pool), Zone: kept(f.Zone), InstanceType: kept(f.InstanceType)}
	v := evidence.NodeVersions{Kubelet: kept(f.Kubelet), ContainerRuntime: kept(f.Runtime), Kernel: kept(f.Kernel), OSImage: kept(f.OSImage)}
	if v != (evidence.NodeVersions{}) {
		e.Node.Versions = &v
	}
	return e
}

// kept leaves out what is not known any more.
func kept(s string) string {
	if s == record.FactForgotten {
		return ""
	}
	return s
}

// at is an event with a time that the cluster tells.
func (b nodeBuilder) at(change evidence.NodeChange, t time.Time, basis evidence.TimeBasis) evidence.Event {
	e := b.event(change)
	e.ID, e.Time, e.Node.TimeBasis = b.id(change, seconds(t)), t.UTC(), basis
	return e
}

// between is an event that two looks tell. Its key is that of the earlier look:
// later ones find the same.
func (b nodeBuilder) between(change evidence.NodeChange, after, before time.Time) evidence.Event {
	e := b.event(change)
	e.ID, e.Node.TimeBasis = b.id(change, seconds(after)), evidence.BasisSnapshot
	e.Time = moment(after, before)
	e.Node.NotBefore, e.Node.NotAfter = timePtr(after), timePtr(before)
	return e
}

// cordon tells of a cordon by the time of its taint, else by two looks.
func (b nodeBuilder) cordon() []evidence.Event {
	n := b.n
	was := n.Before != nil && n.Before.Unschedulable
	switch {
	case !n.Cordoned.IsZero():
		return []evidence.Event{b.at(evidence.NodeCordoned, n.Cordoned, evidence.BasisTaint)}
	case n.Facts.Unschedulable && n.Before != nil && !was:
		return []evidence.Event{b.between(evidence.NodeCordoned, n.After, n.Until)}
	case !n.Facts.Unschedulable && was:
		return []evidence.Event{b.between(evidence.NodeUncordoned, n.After, n.Until)}
	}
	return nil
}

// jitter is what the allocatable memory of a node may differ by between two
// boots, in percent.
const jitter = 1

func (b nodeBuilder) compare(was record.NodeFacts) []evidence.Event {
	var events []evidence.Event
	is := b.n.Facts
	found := func(change evidence.NodeChange) *evidence.Node {
		e := b.between(change, b.n.After, b.n.Until)
		events = append(events, e)
		return e.Node
	}
	if was.BootID != "" && is.BootID != "" && was.BootID != is.BootID {
		found(evidence.NodeRebooted)
		// Each boot has an id of its own.
		events[len(events)-1].ID = b.id(evidence.NodeRebooted, is.BootID)
	}
	var versions []evidence.VersionChange
	for _, v := range []evidence.VersionChange{
		{Component: "kubelet", From: was.Kubelet, To: is.Kubelet},
		{Component: "container_runtime", From: was.Runtime, To: is.Runtime},
		{Component: "kernel", From: was.Kernel, To: is.Kernel},
		{Component: "os_image", From: was.OSImage, To: is.OSImage},
	} {
		if v.From != v.To && v.From != "" && v.To != "" {
			v.From = kept(v.From)
			versions = append(versions, v)
		}
	}
	if versions != nil {
		found(evidence.NodeUpgraded).Upgraded = versions
	}
	if !slices.Equal(was.Taints, is.Taints) {
		n := found(evidence.NodeTaintsChanged)
		if !slices.Contains(was.Taints, record.FactForgotten) {
			n.TaintsAdded, n.TaintsRemoved = without(is.Taints, was.Taints), without(was.Taints, is.Taints)
		}
	}
	var labels []evidence.LabelChange
	for _, l := range []evidence.LabelChange{
		{Label: "pool", From: was.Pool, To: is.Pool},
		{Label: "zone", From: was.Zone, To: is.Zone},
		{Label: "instance_type", From: was.InstanceType, To: is.InstanceType},
	} {
		if l.From != l.To {
			l.From = kept(l.From)
			labels = append(labels, l)
		}
	}
	if labels != nil {
		found(evidence.NodeLabelChanged).Labels = labels
	}
	var quantities []evidence.QuantityChange
	for _, q := range []evidence.QuantityChange{
		{Resource: "cpu_millis", From: was.CPU, To: is.CPU},
		{Resource: "memory_bytes", From: was.Memory, To: is.Memory},
		{Resource: "pods", From: was.Pods, To: is.Pods},
	} {
		if q.From != q.To && (q.Resource != "memory_bytes" || max(q.From, q.To)-min(q.From, q.To) > max(q.From, q.To)/100*jitter) {
			quantities = append(quantities, q)
		}
	}
	if quantities != nil {
		found(evidence.NodeAllocatableChanged).Allocatable = quantities
	}
	return events
}

// signal tells of a condition that hurts, or did. Its key is when it began.
func (b nodeBuilder) signal(c record.NodeCondition) (evidence.Event, bool) {
	detail := map[string]string{
		"Ready": "not_ready", "MemoryPressure": "memory_pressure", "DiskPressure": "disk_pressure",
		"PIDPressure": "pid_pressure", "NetworkUnavailable": "network_unavailable",
	}[c.Type]
	if detail == "" || c.Since.IsZero() {
		return evidence.Event{}, false
	}
	severity := evidence.SeverityWarning
	if c.Type == "Ready" {
		severity = evidence.SeverityError
		if c.Status == "Unknown" {
			detail = "unreachable"
		}
	}
	e := envelope(b.connectorName, evidence.KindSignal, b.n, b.n.Object, record.Service{})
	e.ID = evidence.ID(evidence.KindSignal, append(identity(b.n.Object), b.n.Stream(), string(record.SignalNode), detail, seconds(c.Since))...)
	e.Time, e.Severity = c.Since.UTC(), severity
	e.Signal = &evidence.Signal{
		Class: string(record.SignalNode), Detail: detail, Reason: c.Reason, Node: b.n.Object.Name,
		Count: 1, First: c.Since.UTC(), Last: timePtr(c.Ended), Ongoing: c.Ended.IsZero(),
	}
	if c.Ended.IsZero() {
		for _, x := range b.n.Contrasts {
			e.Signal.Contrasts = append(e.Signal.Contrasts, evidence.NodeContrast{
				Attribute: x.Attribute, Value: x.Value, SickWith: int32(x.SickWith), With: int32(x.With), //nolint:gosec // numbers of nodes
				SickWithout: int32(x.SickWithout), Without: int32(x.Without), //nolint:gosec // numbers of nodes
			})
		}
	}
	return e, true
}
