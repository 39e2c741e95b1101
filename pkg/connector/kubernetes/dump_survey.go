package kubernetes

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
)

// maxNamespaces bounds the namespaces of a recording.
const maxNamespaces = 100_000

// survey is what a recording holds. Whoever made it chose its words: what is kept
// of them is bounded by what the connector can read, and by the number of files.
type survey struct {
	kinds map[groupKind][]string
	// types counts the objects of each kind; one that only has empty lists is there.
	types map[dump.Type]int
	// files says which kinds a file holds.
	files      map[string][]dump.Type
	namespaces map[string]bool
	// managed says that some object tells its field managers, objects that there
	// is one of which it is to be expected.
	managed, manageable bool
	objects             int
	times               recordedTimes
	asOf                time.Time
	stamped             bool
	kubeSystem          string
	// untyped counts the objects of a document that do not say what they are;
	// maybeSystem is one of them that is kube-system if they are namespaces.
	untyped     int
	maybeSystem string
	standIn     string // uid of the namespace default, else of the oldest object
	standInTime string
	tally       dump.Tally
}

func newSurvey(kinds map[groupKind][]string) *survey {
	return &survey{kinds: kinds, types: map[dump.Type]int{}, files: map[string][]dump.Type{}, namespaces: map[string]bool{}}
}

// readable lists the kinds that can be read, with the versions in which they are
// understood.
func (c *Config) readable() map[groupKind][]string {
	out := map[groupKind][]string{}
	for _, k := range c.kinds() {
		out[k.groupKind()] = append(append(out[k.groupKind()], k.version), k.versions...)
	}
	return out
}

// otherVersion stands for the versions of a kind that are not understood, and
// otherKind for the kinds that are not read.
const otherVersion = "-"

func otherKind() dump.Type { return dump.Type{APIVersion: "other/" + otherVersion, Kind: "other"} }

// known is the type as far as it matters which it is.
func (s *survey) known(t dump.Type) dump.Type {
	if t.APIVersion == eventsAPI && t.Kind == "Event" {
		return t
	}
	is := groupKindOf(t)
	versions, read := s.kinds[is]
	version := t.APIVersion[strings.LastIndexByte(t.APIVersion, '/')+1:]
	switch {
	case !read:
		return otherKind()
	case slices.Contains(versions, version):
	case is.group == "":
		return dump.Type{APIVersion: otherVersion, Kind: t.Kind}
	default:
		return dump.Type{APIVersion: is.group + "/" + otherVersion, Kind: t.Kind}
	}
	return t
}

// look surveys the recording once.
func (r *recording) look(ctx context.Context) error {
	if r.survey != nil {
		return nil
	}
	all, part := newSurvey(r.kinds), newSurvey(r.kinds)
	file := ""
	keep := func() {
		all.merge(part)
		part = newSurvey(r.kinds)
	}
	var now string
	if r.now != nil {
		now = r.now().UTC().Format(time.RFC3339)
	}
	tally, err := r.Walk(ctx, dump.Handler{
		Object: func(name string, in dump.Type, text []byte) error {
			if name != file {
				keep()
				file = name
			}
			part.see(name, in, text, now)
			if max(len(all.namespaces), len(part.namespaces)) > maxNamespaces {
				return &dump.RefusedError{Why: fmt.Sprintf("names more than %d namespaces", maxNamespaces)}
			}
			return nil
		},
		End: func(name string, what dump.Type, ok bool) {
			if !ok {
				part = newSurvey(r.kinds) // these were no objects of the API
				return
			}
			part.settle(name, what)
			keep()
		},
	})
	if err != nil {
		return err
	}
	keep()
	if r.now != nil && tally.Stamp.After(r.now()) {
		tally.Stamp = time.Time{}
	}
	all.tally = tally
	all.asOf, all.stamped = all.times.present(tally.Stamp)
	r.survey = all
	return nil
}

// settle says what the items of a document are that do not say it themselves.
func (s *survey) settle(file string, what dump.Type) {
	if what.Kind != "" {
		s.has(file, what, s.untyped)
	}
	if what == (dump.Type{APIVersion: "v1", Kind: "Namespace"}) {
		s.kubeSystem = cmp.Or(s.kubeSystem, s.maybeSystem)
	}
}

func (s *survey) has(file string, t dump.Type, n int) {
	t = s.known(t)
	s.types[t] += n
	if !slices.Contains(s.files[file], t) {
		s.files[file] = append(s.files[file], t)
	}
}

func (s *survey) see(file string, in dump.Type, text []byte, now string) {
	p := probe(text)
	m := &p.Metadata
	if m.Name == "" {
		return
	}
	t := p.is(in)
	s.objects++
	switch {
	case t.Kind != "":
		s.has(file, t, 1)
	case m.Name == metav1.NamespaceSystem && m.Namespace == "" && isUID(m.UID):
		s.maybeSystem = m.UID
		fallthrough
	default:
		s.untyped++
	}
	if isNamespace(m.Namespace) {
		s.namespaces[m.Namespace] = true
	}
	s.managed = s.managed || len(m.ManagedFields) > 0
	switch {
	case t.Kind == "Namespace" && t.APIVersion == "v1":
		if isNamespace(m.Name) {
			s.namespaces[m.Name] = true
		}
		if m.Name == metav1.NamespaceSystem && isUID(m.UID) {
			s.kubeSystem = m.UID
		}
		if m.Name == metav1.NamespaceDefault && isUID(m.UID) {
			s.standIn, s.standInTime = m.UID, ""
		}
	case t.Kind == "ConfigMap":
		s.manageable = true
	}
	s.older(m.CreationTimestamp, m.UID)
	s.times.see(&p, now)
}

// older keeps the oldest object, which most dumps of a cluster share, to stand for
// it; the namespace default, which has no time here, stays.
func (s *survey) older(created, uid string) {
	if created == "" || uid == "" || s.standIn != "" && (s.standInTime == "" || created+uid >= s.standInTime+s.standIn) {
		return
	}
	s.standIn, s.standInTime = uid, created
}

func (s *survey) merge(o *survey) {
	for t, n := range o.types {
		s.types[t] += n
	}
	for file, types := range o.files {
		for _, t := range types {
			s.has(file, t, 0)
		}
	}
	for ns := range o.namespaces {
		s.namespaces[ns] = true
	}
	s.managed, s.manageable = s.managed || o.managed, s.manageable || o.manageable
	s.objects += o.objects
	s.kubeSystem = cmp.Or(s.kubeSystem, o.kubeSystem)
	if o.standIn != "" && o.standInTime == "" {
		s.standIn, s.standInTime = o.standIn, ""
	} else {
		s.older(o.standInTime, o.standIn)
	}
	s.times.merge(o.times)
}

// target is what the cluster is called.
func (s *survey) target() string {
	if s.kubeSystem != "" {
		return s.kubeSystem
	}
	sum := sha256.Sum256([]byte(s.standIn))
	return "recording-" + hex.EncodeToString(sum[:])[:12]
}

func (s *survey) guessed() bool { return s.kubeSystem == "" }

// holds reports whether the recording says anything of a list.
func (s *survey) holds(l *listing) bool {
	if l.namespace != "" && !l.resource.cluster && !s.namespaces[l.namespace] {
		return false
	}
	for t := range s.types {
		if l.resource.serves(t, l.accept == asMetadata) {
			return true
		}
	}
	return false
}

// fileHolds reports whether a file may hold objects of one of the lists.
func (s *survey) fileHolds(file string, lists ...*listing) bool {
	return slices.ContainsFunc(s.files[file], func(t dump.Type) bool {
		return slices.ContainsFunc(lists, func(l *listing) bool { return l.resource.serves(t, l.accept == asMetadata) })
	})
}

// sayBroken names the files that could not be read.
func (s *survey) sayBroken() string {
	n := s.tally.BrokenCount
	if n == 0 {
		return ""
	}
	names := make([]string, len(s.tally.Broken))
	for i, b := range s.tally.Broken {
		names[i] = b.String()
	}
	more := ""
	if n > len(names) {
		more = fmt.Sprintf(" and %d more", n-len(names))
	}
	return "; of the recording could not be read in full: " + strings.Join(names, ", ") + more
}

// damage says what may be missing from a list, because a file that may have held
// more of it could not be read in full.
func (s *survey) damage(l *listing) string {
	for _, b := range s.tally.Broken {
		if types := s.files[b.File]; len(types) == 0 || s.fileHolds(b.File, l) {
			return strings.TrimPrefix(s.sayBroken(), "; ")
		}
	}
	return ""
}

// eventSlack is how much later than all else an Event may say that it was: whoever
// may create Events chooses its times, and a wrong one would move the window to
// where nothing happened.
const eventSlack = time.Hour

// times finds when a recording was made: the latest time that the API server or
// a controller wrote, and the latest that an Event tells. They are RFC 3339 in
// UTC, so that texts compare as times do.
type recordedTimes struct{ served, told string }

func (t *recordedTimes) see(p *probed, now string) {
	t.serve(p.Metadata.CreationTimestamp, now)
	for _, m := range p.Metadata.ManagedFields {
		t.serve(m.Time, now)
	}
	for _, c := range p.Status.Conditions {
		t.serve(c.Transition, now)
		t.serve(c.Update, now)
		t.serve(c.Heartbeat, now)
	}
	for _, told := range []string{string(p.LastTimestamp), string(p.EventTime), p.Series.LastObservedTime} {
		laterTime(&t.told, told, now)
	}
}

func (t *recordedTimes) serve(text, now string) { laterTime(&t.served, text, now) }

func (t *recordedTimes) merge(o recordedTimes) {
	laterTime(&t.served, o.served, "")
	laterTime(&t.told, o.told, "")
}

// laterTime keeps the later time. One after now, if that is known, is of no recording.
func laterTime(latest *string, text, now string) {
	const whole = len("2006-01-02T15:04:05Z")
	if len(text) < whole || text[len(text)-1] != 'Z' || len(text) > whole+10 {
		return
	}
	if len(*latest) >= whole && text[:whole-1] <= (*latest)[:whole-1] || now != "" && text[:whole-1] > now[:whole-1] {
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
		*latest = text[:whole-1] + "Z"
	}
}

// present is the time of the recording: that of its own stamp, unless objects tell
// of later. It is the end of the second, so that what happened last is before it.
func (t recordedTimes) present(stamp time.Time) (asOf time.Time, stamped bool) {
	served, _ := time.Parse(time.RFC3339, t.served)
	told, _ := time.Parse(time.RFC3339, t.told)
	asOf = served
	if told.After(asOf) && (served.IsZero() || told.Before(served.Add(eventSlack))) {
		asOf = told
	}
	if stamp.After(asOf) {
		asOf, stamped = stamp.Truncate(time.Second), true
	}
	if asOf.IsZero() {
		return asOf, false
	}
	return asOf.Add(time.Second).UTC(), stamped
}

// basis says where asOf is from.
func (s *survey) basis() string {
	if s.stamped {
		return "the time that its file \"timestamp\" tells"
	}
	return "the latest time that an object in it tells"
}
