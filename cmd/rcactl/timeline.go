package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/window"
)

// maxTimeline bounds what a summary on a screen keeps; the evidence is on disk.
const maxTimeline = 5000

// timeline is what a person sees of a run. It is filled with redacted events, so
// the screen shows no more than the files.
type timeline struct {
	changes []evidence.Event
	hurts   map[string]*hurt
	// left counts the changes beyond maxTimeline.
	left int
	// branches are the commits of branches, told in a row each.
	branches map[string]*branchCommits
	// tied says that something could have tied deployments to commits: a source of
	// history or of images was asked, or a deployment is tied to one.
	tied bool
	// painless says that no source was read that could have told of what hurts.
	painless bool
	// registries are the hosts of images that were not asked for.
	registries map[string]bool
}

// hurt sums up the signals of one class in one service.
type hurt struct {
	service, class string
	details        map[string]bool
	first          time.Time
	objects, kinds map[string]bool
	ongoing        bool
	exit           *int32
}

// add takes one event.
func (t *timeline) add(e evidence.Event) {
	if d := e.Deployment; d != nil && d.Mapping != nil && d.Mapping.Confidence != evidence.ConfidenceLow {
		t.tied = true
	}
	t.addRegistry(e.Deployment)
	switch {
	case e.Signal != nil:
		t.addSignal(e)
	case e.Commit != nil:
		t.addCommit(e)
	case len(t.changes) < maxTimeline:
		t.changes = append(t.changes, e)
	default:
		t.left++
	}
}

func (t *timeline) addSignal(e evidence.Event) {
	key := serviceOf(e) + "\x00" + e.Signal.Class
	h := t.hurts[key]
	if h == nil {
		if len(t.hurts) >= maxTimeline {
			return
		}
		if t.hurts == nil {
			t.hurts = map[string]*hurt{}
		}
		h = &hurt{service: serviceOf(e), class: e.Signal.Class, first: e.Time, details: map[string]bool{}, objects: map[string]bool{}, kinds: map[string]bool{}}
		t.hurts[key] = h
	}
	if e.Time.Before(h.first) {
		h.first = e.Time
	}
	if detail := signalDetail(e.Signal); detail != "" && (h.details[detail] || len(h.details) < maxDetails) {
		h.details[detail] = true
	}
	h.kinds[e.Source.Object.Kind] = true
	h.objects[e.Source.Object.Kind+"/"+e.Source.Object.Name] = true
	h.ongoing = h.ongoing || e.Signal.Ongoing
	if e.Signal.ExitCode != nil {
		h.exit = e.Signal.ExitCode
	}
}

// maxDetails is how many details of one trouble are shown.
const maxDetails = 5

// signalDetail is what refines the class: for a quota its name, and of what is of
// no class the reason.
func signalDetail(s *evidence.Signal) string {
	switch {
	case s.Quota != "" && s.Detail != "":
		return strings.ReplaceAll(s.Detail, "_", " ") + " " + s.Quota
	case s.Detail != "":
		return strings.ReplaceAll(s.Detail, "_", " ")
	case s.Class == "unclassified":
		return s.Reason
	}
	return ""
}

// what names the trouble: "image pull (not found)".
func (h *hurt) what() string {
	what := strings.ReplaceAll(h.class, "_", " ")
	if len(h.details) > 0 {
		what += " (" + strings.Join(slices.Sorted(maps.Keys(h.details)), ", ") + ")"
	}
	return what
}

// serviceOf is namespace/service, or namespace/object where no service is known.
func serviceOf(e evidence.Event) string {
	if _, rest, ok := strings.Cut(e.ServiceKey, "/"); ok {
		return rest
	}
	if o := e.Source.Object; o.Namespace != "" {
		return o.Namespace + "/" + o.Name
	}
	return e.Source.Object.Name
}

// print writes the timeline, oldest first. answered says that at least one source
// answered: without it nothing can be said of what did not happen.
func (t *timeline) print(p *printer, w window.Window, answered bool) {
	layout := "15:04:05"
	if w.End.Sub(w.Start) > 20*time.Hour {
		layout = "01-02 15:04:05"
	}
	nothing := "  nothing that the sources still knew of"
	if !answered {
		t.painless = false
		nothing = "  not known: no source answered"
	}
	p.line("%s  %s", p.title.Render("What changed"), p.dim.Render(spanText(w)))
	slices.SortStableFunc(t.changes, func(a, b evidence.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(revisionOf(a), revisionOf(b)), cmp.Compare(a.ID, b.ID))
	})
	if t.printChanges(p, layout, w) == 0 && len(t.branches) == 0 {
		p.line("%s", nothing)
	}
	t.printBranches(p, layout)
	if t.left > 0 {
		p.line("  and %s more, in the files", plural(int64(t.left), "change"))
	}
	p.line("")
	if t.painless {
		nothing = "  not known: no source that knows it was read"
	}
	p.line("%s", p.title.Render("What hurt"))
	rows := [][]cell{}
	for _, h := range t.sortedHurts() {
		rows = append(rows, hurtRow(p, h, layout))
	}
	if len(rows) == 0 {
		p.line("%s", nothing)
	}
	p.table("  ", rows)
	if len(t.changes) > 0 && len(rows) > 0 {
		p.line("  %s", p.dim.Render("Order in time only: nothing here proves a cause."))
	}
	p.line("")
}

// printChanges writes a row for each change and counts them. Which commits a
// deployment went from and to stands in its row, or below it where the terminal is
// too narrow for that: it is what people look for.
func (t *timeline) printChanges(p *printer, layout string, w window.Window) int {
	first := t.firstSymptoms()
	var rows, wide [][]cell
	below := map[int][]cell{}
	for _, e := range t.changes {
		row := t.changeRow(p, e, layout)
		if row == nil {
			continue
		}
		history := t.historyCells(p, e)
		below[len(rows)] = slices.DeleteFunc(slices.Clone(history), func(c cell) bool { return c.text == "" })
		whole := slices.Concat(row, history)
		from, to := between(e)
		if note := order(from, to, first[serviceOf(e)], w); note != "" {
			row, whole = append(row, cell{note, p.dim}), append(whole, cell{note, p.dim})
		}
		rows, wide = append(rows, row), append(wide, whole)
	}
	if p.fits("  ", wide) {
		p.table("  ", wide)
	} else {
		p.tableWith("  ", rows, below)
	}
	return len(rows)
}

// revisionOf orders the changes of a workload that happened in one second.
func revisionOf(e evidence.Event) int64 {
	if e.Deployment == nil || e.Deployment.To == nil {
		return 0
	}
	return e.Deployment.To.Revision
}

// firstSymptoms gives the first symptom of each service.
func (t *timeline) firstSymptoms() map[string]time.Time {
	first := map[string]time.Time{}
	for _, h := range t.hurts {
		if old, ok := first[h.service]; !ok || h.first.Before(old) {
			first[h.service] = h.first
		}
	}
	return first
}

func (t *timeline) sortedHurts() []*hurt {
	hurts := make([]*hurt, 0, len(t.hurts))
	for _, h := range t.hurts {
		hurts = append(hurts, h)
	}
	slices.SortFunc(hurts, func(a, b *hurt) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.service, b.service), cmp.Compare(a.class, b.class))
	})
	return hurts
}

// changeRow is: when, kind of change, service, revisions, images, status. It is nil
// for what has no row of its own.
func (t *timeline) changeRow(p *printer, e evidence.Event, layout string) []cell {
	from, to := between(e)
	row := []cell{{when(from, to, layout), p.dim}}
	switch {
	case e.Deployment != nil && e.Deployment.Environment != nil:
		d := e.Deployment
		row = append(row, cell{"deploy", p.title}, cell{shortRepository(d.Environment.Repository), p.title}, cell{}, cell{text: "environment " + e.Source.Object.Name}, statusCell(p, d))
	case e.Deployment != nil:
		d := e.Deployment
		row = append(row, cell{string(d.Change), p.title}, cell{serviceOf(e), p.title}, cell{text: fromTo(d)}, cell{text: whatChanged(e)}, statusCell(p, d))
	case e.ConfigChange != nil:
		row = append(row, cell{"config", p.title}, cell{serviceOf(e), p.title}, cell{text: e.ConfigChange.Change}, cell{text: e.Source.Object.Kind + "/" + e.Source.Object.Name + changedKeys(e.ConfigChange) + besideTool(e)},
			cell{startedBefore(e.ConfigChange), p.warn})
	case e.Node != nil:
		row = append(row, cell{"node", p.title}, cell{serviceOf(e), p.title}, cell{text: strings.ReplaceAll(string(e.Node.Change), "_", " ")}, cell{text: nodeChange(e.Node)}, cell{})
	default:
		history := historyRow(p, e)
		if history == nil {
			return nil
		}
		row = append(row, history...)
	}
	return row
}

// nodeChange says what is other than before: "kernel 5.10.1 → 5.10.2".
func nodeChange(n *evidence.Node) string {
	var parts []string
	add := func(what, from, to string) {
		what = strings.ReplaceAll(what, "_", " ")
		switch {
		case from == "":
			parts = append(parts, what+" "+to)
		default:
			parts = append(parts, what+" "+from+" → "+to)
		}
	}
	for _, v := range n.Upgraded {
		add(v.Component, v.From, v.To)
	}
	for _, l := range n.Labels {
		add(l.Label, l.From, l.To)
	}
	for _, q := range n.Allocatable {
		add(q.Resource, strconv.FormatInt(q.From, 10), strconv.FormatInt(q.To, 10))
	}
	for _, t := range n.TaintsAdded {
		parts = append(parts, "+"+t)
	}
	for _, t := range n.TaintsRemoved {
		parts = append(parts, "-"+t)
	}
	return strings.Join(parts, ", ")
}

// between gives the times between which a change happened: one and the same where
// the time is known.
func between(e evidence.Event) (from, to time.Time) {
	from, to = e.Time, e.Time
	if d := e.Deployment; d != nil && d.Started == nil {
		if d.NotBefore != nil {
			from = *d.NotBefore
		}
		if d.NotAfter != nil {
			to = *d.NotAfter
		}
	}
	if n := e.Node; n != nil && n.NotBefore != nil {
		from = *n.NotBefore
		if n.NotAfter != nil {
			to = *n.NotAfter
		}
	}
	// Of a change that is known by two looks and nothing else the time is the later
	// one, or the earlier one where that is not told.
	if c := e.ConfigChange; c != nil && c.How == "snapshot" && c.NotBefore != nil && c.NotAfter != nil && e.Time.Equal(*c.NotAfter) {
		from = *c.NotBefore
	}
	return from, to
}

// changedKeys tells the keys of a change: " A, B, +C, -D", and those of which it
// may have been any: " maybe E, F".
func changedKeys(c *evidence.ConfigChange) string {
	keys := slices.Clone(c.Changed)
	for _, key := range c.Added {
		keys = append(keys, "+"+key)
	}
	for _, key := range c.Removed {
		keys = append(keys, "-"+key)
	}
	text := ""
	if len(keys) > 0 {
		text = " " + evidence.Some(keys)
	}
	if len(c.KeysOfManager) > 0 && !c.KeysKnown {
		if text != "" {
			text += ","
		}
		text += " maybe " + evidence.Some(c.KeysOfManager)
	}
	return text
}

// startedBefore counts the pods that were started before the change and that it
// does not reach while they run.
func startedBefore(c *evidence.ConfigChange) string {
	before, of := int32(0), int32(0)
	for _, consumer := range c.Consumers {
		b, n := consumer.StartedBefore()
		before, of = before+b, of+n
	}
	if before == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %s started before", before, plural(int64(of), "pod"))
}

func when(from, to time.Time, layout string) string {
	if from.Equal(to) {
		return from.UTC().Format(layout)
	}
	return from.UTC().Format(layout) + "–" + to.UTC().Format("15:04:05")
}

func statusCell(p *printer, d *evidence.Deployment) cell {
	if d.Status == evidence.StatusUnknown {
		return cell{}
	}
	text := string(d.Status)
	if d.Reason != "" && d.Status == evidence.StatusFailed {
		text += ": " + d.Reason
	}
	switch d.Status {
	case evidence.StatusFailed:
		return cell{text, p.bad}
	case evidence.StatusProgressing, evidence.StatusPaused:
		return cell{text, p.warn}
	}
	return cell{text, p.dim}
}

// fromTo tells the revisions, or the replicas of a scale.
func fromTo(d *evidence.Deployment) string {
	switch {
	case d.Applied != nil:
		return appliedRevisions(d.Applied)
	case d.Replicas != nil && d.Replicas.From != nil:
		return fmt.Sprintf("%d → %d replicas", *d.Replicas.From, d.Replicas.To)
	case d.Replicas != nil:
		return fmt.Sprintf("to %d replicas", d.Replicas.To)
	case d.To == nil || d.To.Revision == 0:
		if d.Workload == "Job" || d.Workload == "CronJob" {
			return d.Workload // which have no revisions
		}
	case d.From != nil && d.From.Revision != 0:
		return fmt.Sprintf("%d → %d", d.From.Revision, d.To.Revision)
	default:
		return strconv.FormatInt(d.To.Revision, 10)
	}
	return ""
}

// images tells which images changed, the tags where only they did, and which other
// fields of the pod template.
func images(d *evidence.Deployment) string {
	if d.To == nil || d.Replicas != nil {
		return ""
	}
	switch d.Change {
	case evidence.ChangePause, evidence.ChangeResume, evidence.ChangeUpdate:
		return "" // the images are what they were, or that is not known
	}
	before := map[string]string{}
	if d.From != nil {
		for _, i := range d.From.Images {
			before[i.Container] = i.Image
		}
	}
	var parts []string
	for _, i := range d.To.Images {
		old, known := before[i.Container]
		switch {
		case !known:
			parts = append(parts, shortImage(i.Image))
		case old != i.Image:
			parts = append(parts, imageChange(old, i.Image))
		}
	}
	const most = 3
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	if fields := d.FieldsBesideImages(); fields != "" {
		parts = append(parts, fields)
	}
	if len(parts) == 0 && d.Change == evidence.ChangeRollout {
		return "same images, other template"
	}
	return strings.Join(parts, ", ")
}

// imageChange shows two references by what tells them apart.
func imageChange(from, to string) string {
	fromName, fromVersion := splitImage(from)
	toName, toVersion := splitImage(to)
	if fromName == toName && fromVersion != "" && toVersion != "" {
		return fromVersion + " → " + toVersion
	}
	return shortImage(from) + " → " + shortImage(to)
}

// shortImage drops registry and path: "checkout:v1.4.2".
func shortImage(ref string) string {
	name, version := splitImage(ref)
	name = name[strings.LastIndex(name, "/")+1:]
	if version == "" {
		return name
	}
	return name + ":" + version
}

// splitImage separates the name of an image from its tag, or from a short form
// of its digest.
func splitImage(ref string) (name, version string) {
	name, digest, _ := strings.Cut(ref, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, version = name[:i], name[i+1:]
	}
	if version == "" && digest != "" {
		_, hex, _ := strings.Cut(digest, ":")
		version = hex[:min(len(hex), 12)]
	}
	return name, version
}

// order says where a change stands relative to the first symptom of its service,
// when that can be said of the whole time in which it may have happened.
func order(from, to, symptom time.Time, w window.Window) string {
	switch before := symptom.Sub(to).Round(time.Second); {
	case symptom.IsZero():
	case before > 0:
		return before.String() + " before the first symptom"
	case before == 0 && from.Equal(to):
		return "in the second of the first symptom"
	case from.After(symptom):
		return from.Sub(symptom).Round(time.Second).String() + " after the first symptom"
	default:
		return "before or after the first symptom"
	}
	if to.Before(w.Start) {
		return "began before the window"
	}
	return ""
}

// hurtRow is: since when, what, service, how many, whether it goes on.
func hurtRow(p *printer, h *hurt, layout string) []cell {
	noun := "object"
	if len(h.kinds) == 1 {
		noun = slices.Collect(maps.Keys(h.kinds))[0]
	}
	detail := plural(int64(len(h.objects)), noun)
	if h.exit != nil {
		detail += fmt.Sprintf(", exit code %d", *h.exit)
	}
	row := []cell{{h.first.UTC().Format(layout), p.dim}, {h.what(), p.bad}, {h.service, p.title}, {text: detail}}
	if h.ongoing {
		row = append(row, cell{"still so", p.warn})
	}
	return row
}

// spanText shows a window.
func spanText(w window.Window) string {
	layout := "15:04:05"
	if w.Start.UTC().Format(time.DateOnly) != w.End.UTC().Format(time.DateOnly) {
		layout = "2006-01-02 15:04:05"
	}
	return fmt.Sprintf("%s – %s UTC, newest last", w.Start.UTC().Format("2006-01-02 15:04:05"), w.End.UTC().Format(layout))
}
