package kubernetes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// Two lists of Events that share none: scalings are needed for the workloads,
// which come first, and the rest is streamed afterwards.
const (
	reasonScaling  = "ScalingReplicaSet"
	selectScalings = "reason=" + reasonScaling
	selectOthers   = "reason!=" + reasonScaling
)

// eventKinds are the Events that tell of scalings: the others are streamed when
// everything else has been read.
func eventKinds() []kind {
	k := kindOf(events(), record.StreamEvents, func(l *corev1.EventList) []corev1.Event { return l.Items }, (*collection).takeScaling)
	k.selector = selectScalings
	return []kind{k}
}

func (c *collection) takeScaling(j *job, e *corev1.Event) error {
	if _, last, _ := eventTimes(e); j.oldest.IsZero() || last.Before(j.oldest) {
		j.oldest = last
	}
	if owner, all := scalings(e); owner != "" {
		if j.scalings == nil {
			j.scalings = map[string][]record.Scaling{}
		}
		j.scalings[owner] = append(j.scalings[owner], all...)
	}
	return nil
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
		others := first.kind
		others.selector = selectOthers
		l := &job{listing: listing{kind: others, namespace: first.namespace, reviewed: true}}
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

// takeEvent passes one of the other Events on, or keeps it for the trouble that it
// belongs to.
func (c *collection) takeEvent(j *joined, e *corev1.Event) error {
	w := c.eventWindow()
	began, last, _ := eventTimes(e)
	c.see(last)
	if !began.Before(w.End) {
		return nil
	}
	sig, ok := c.cutEvent(e, j)
	if !ok || !c.wants(sig, sig.Object, sig.Service) || c.fold.take(&sig) || last.Before(w.Start) {
		return nil
	}
	err := c.emit(sig)
	c.fold.refused = err != nil
	return err
}

// eventWindow is the window of Events, begun earlier by how late one may be written
// down.
func (c *collection) eventWindow() window.Window {
	w := c.req.WindowOf(record.StreamEvents)
	w.Start = w.Start.Add(-seriesLag - lateData)
	return w
}

// deploymentController is what the writer of scalings calls itself.
const deploymentController = "deployment-controller"

// seriesLag is how late the newer recorder writes a repeated event down.
const seriesLag = 30 * time.Minute

// isCalendar takes the times that can be written down. Whoever may create Events
// chooses theirs, and an offset reaches years that no text has.
func isCalendar(t time.Time) bool {
	year := t.UTC().Year()
	return year > 0 && year <= 9999
}

// eventTimes reads both styles of recorder. The older one sets first, last and
// count; the newer one eventTime and a series.
func eventTimes(e *corev1.Event) (first, last time.Time, count int32) {
	candidates := []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time}
	count = e.Count
	if e.Series != nil {
		candidates = append(candidates, e.Series.LastObservedTime.Time)
		count = e.Series.Count
	}
	for _, t := range candidates {
		if t.After(last) && isCalendar(t) {
			last = t
		}
	}
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time} {
		if !t.IsZero() && isCalendar(t) {
			first = t
			break
		}
	}
	return first.UTC(), last.UTC(), max(count, 1)
}

// scalings reads a ScalingReplicaSet event. One that was counted up tells of
// its first and its last time.
func scalings(e *corev1.Event) (deployment string, out []record.Scaling) {
	what, ok := readScaled(e.Message)
	// Whoever may create Events can write the same. What remains is checked
	// against the Deployment, its ReplicaSets and its present size.
	if !ok || e.InvolvedObject.Kind != "Deployment" || e.InvolvedObject.UID == "" ||
		e.Source.Component != deploymentController && e.ReportingController != deploymentController {
		return "", nil
	}
	first, last, count := eventTimes(e)
	one := record.Scaling{Revision: what.replicaSet, From: what.from, To: what.to}
	// A combined event has the message of its last one alone.
	if !strings.HasPrefix(e.Message, combined) {
		one.Time = first
		out = append(out, one)
	}
	if count > 1 && last.After(first) {
		one.Time = last
		out = append(out, one)
	}
	return string(e.InvolvedObject.UID), out
}

// cutEvent makes a signal of a warning, and of the few events of type Normal
// that tell of trouble.
func (s *source) cutEvent(e *corev1.Event, joined *joined) (record.Signal, bool) {
	if e.Type != corev1.EventTypeWarning && !isWellKnown(e.Reason) {
		return record.Signal{}, false
	}
	if isCancelled(e.Reason, e.Message) {
		return record.Signal{}, false
	}
	o := s.involved(e)
	container := ""
	if o.Kind == "Pod" {
		container = containerOf(e.InvolvedObject.FieldPath)
	}
	p := joined.pods[o.UID]
	handler := ""
	if p != nil && container != "" {
		handler = p.handler(container, e.Message)
	}
	f := readMessage(e.Reason, e.Message, handler)
	reason := "Unknown"
	if isEventReason(e.Reason) {
		reason = e.Reason
	}
	first, last, count := eventTimes(e)
	sig := record.Signal{
		From: record.StreamEvents, Object: o, Class: f.class, Detail: f.detail, Facts: f.SignalFacts, Image: f.image, Container: container,
		Key: string(e.UID) + "/" + itoa(int64(count)), Reason: reason, Reporter: reporterOf(e), Count: count, First: first, Last: last,
	}
	sig.Service = joined.serviceOf(sig.Object)
	sig.Node = nodeOf(e, joined)
	if p != nil {
		sig.Posture = p.posture(&sig)
	}
	// The image of a message is a text that anybody can have written, unless the
	// pod runs it.
	switch {
	case f.class != record.SignalImagePull:
	case p == nil:
		sig.Image, sig.Facts.Registry = "", ""
	case !p.runs(sig.Image):
		sig.Image = p.image(sig.Container)
		sig.Facts.Registry = registryOf(sig.Image, "")
	}
	if sig.Facts.PreemptedBy == "" && f.detail == "preemption" && e.Related != nil && isUID(string(e.Related.UID)) {
		sig.Facts.PreemptedBy = string(e.Related.UID)
	}
	return sig, true
}

// reporterOf is the component that wrote an event, as it names itself: anybody may
// take that name.
func reporterOf(e *corev1.Event) string {
	for _, name := range [...]string{e.ReportingController, e.Source.Component} {
		if isManager(name) {
			return name
		}
	}
	return ""
}

// involved names the object of an event. Whoever may create events chooses
// these texts, and the API hardly checks them.
func (s *source) involved(e *corev1.Event) record.Object {
	o := e.InvolvedObject
	out := record.Object{Cluster: s.clusterID, Kind: "Unknown", Name: "(invalid name)"}
	if isKind(o.Kind) {
		out.Kind = o.Kind
	}
	if isObject(o.Name) {
		out.Name = o.Name
	}
	if isNamespace(o.Namespace) {
		out.Namespace = o.Namespace
	}
	if isUID(string(o.UID)) {
		out.UID = string(o.UID)
	}
	return out
}

// nodeOf says where it happened: on the node of the pod, else where the kubelet
// that tells of it runs.
func nodeOf(e *corev1.Event, joined *joined) string {
	if e.InvolvedObject.Kind == "Node" && isObject(e.InvolvedObject.Name) {
		return e.InvolvedObject.Name
	}
	if p := joined.pods[string(e.InvolvedObject.UID)]; p != nil {
		return p.node
	}
	host := e.Source.Host
	if e.Source.Component != "kubelet" {
		host = ""
	}
	if e.ReportingController == "kubelet" && host == "" {
		host = e.ReportingInstance
	}
	if !isObject(host) {
		return ""
	}
	return host
}
