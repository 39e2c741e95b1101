package kubernetes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// snapshotObject is an object that the next look is to know.
type snapshotObject struct {
	object  record.Object
	service string
	created time.Time
	// facts is what the family of the kind compares, as JSON or as what json.Marshal
	// takes; nil for nothing but that the object is there. brief is kept in its place
	// where there is no room for it; it may be nil too.
	facts, brief any
}

// forgotten says what a state has no room for.
type forgotten struct {
	// objects are not remembered at all, facts only that they were there or less
	// than the family wanted.
	objects, facts int
}

// remember makes the state of this look out of at most limit objects, the newest
// first. A list that was not complete, or that could not be compared, keeps its
// older look: what went away is told later.
func (st state) remember(objects []snapshotObject, looked glances, limit int) ([]byte, forgotten, error) {
	limit = min(limit, connector.MaxState/maxRemembered-1)
	text, err := st.line()
	if err != nil {
		return nil, forgotten{}, err
	}
	var lost forgotten
	kept := map[[2]string]bool{}
	carried := 0
	for _, l := range st.looks {
		g, whole := looked(l.kind, l.namespace)
		switch {
		case whole && g.compares(l.at), !g.asked && l.at.Before(g.end.Add(-forgetAfter)):
		case carried+l.objects > limit:
			lost.objects += l.objects
		default:
			carried += l.objects
			kept[[2]string{l.kind, l.namespace}] = true
			text = append(appendLook(text, l.kind, l.namespace, l.at), st.text[l.begin:l.end]...)
		}
	}
	forms := make([]form, 0, len(objects))
	for i := range objects {
		k := &objects[i]
		o := &k.object
		_, whole := looked(o.Kind, o.Namespace)
		switch {
		case !whole || kept[[2]string{o.Kind, o.Namespace}]:
		case o.UID == "" || o.UID[0] == '=' || !oneLine(o.UID) || !oneLine(o.Name) || !oneLine(k.service) || !oneLine(o.Namespace):
			lost.objects++
		default:
			forms = append(forms, form{snapshotObject: k})
		}
	}
	if limit -= carried; len(forms) > limit {
		slices.SortFunc(forms, func(a, b form) int {
			return cmp.Or(b.created.Compare(a.created), compareObjects(a.object, b.object))
		})
		lost.objects += len(forms) - limit
		forms = forms[:limit]
	}
	for i := range forms {
		f := &forms[i]
		f.uid, f.full, f.short = packUID(f.object.UID), encodeFacts(f.facts), encodeFacts(f.brief)
	}
	slices.SortFunc(forms, func(a, b form) int { return compareObjects(a.object, b.object) })
	return appendForms(text, forms, looked, &lost), lost, nil
}

// form is a snapshotObject as it is written: with facts in full, short ones, or none.
type form struct {
	*snapshotObject
	uid         string // packed
	full, short []byte
}

// fit gives the largest form of the object that takes no more bytes than bound.
// A size of zero says that there is none.
func (f *form) fit(bound int) (size int, service string, facts []byte) {
	size = len(f.uid) + len(f.object.Name) + len("\t\t\t\n")
	if service = f.service; service == f.object.Name {
		service = sameName
	}
	switch size += len(service); {
	case size+len(f.full) <= bound:
		return size + len(f.full), service, f.full
	case size+len(f.short) <= bound:
		return size + len(f.short), service, f.short
	case size <= bound:
		return size, service, nil
	case size-len(service) <= bound:
		return size - len(service), "", nil
	}
	return 0, "", nil
}

// lookSize is how many bytes appendLook takes beyond kind and namespace, at most.
const lookSize = len("=\t\t2006-01-02T15:04:05.000000000Z\n")

// eachForm gives of each object the largest form that takes no more than bound bytes,
// among them the line of a look that begins with it.
func eachForm(forms []form, bound int, yield func(f *form, first bool, size int, service string, facts []byte)) {
	var kind, namespace string
	for i := range forms {
		f := &forms[i]
		head, first := 0, f.object.Kind != kind || f.object.Namespace != namespace
		if first {
			head = lookSize + len(f.object.Kind) + len(f.object.Namespace)
		}
		size, service, facts := f.fit(bound - head)
		if size > 0 {
			kind, namespace = f.object.Kind, f.object.Namespace
			size += head
		}
		yield(f, first, size, service, facts)
	}
}

// appendForms writes the objects, in the order of their looks. Large facts may
// use what small ones leave; where that is not enough the largest are written in
// short.
func appendForms(text []byte, forms []form, looked glances, lost *forgotten) []byte {
	bound, total := 0, 0
	for _, bound = range []int{2000, 1000, 700, 500, 400, 350, 300, 250, 220, maxRemembered} {
		total = 0
		eachForm(forms, bound, func(_ *form, _ bool, size int, _ string, _ []byte) { total += size })
		if total <= max(maxRemembered*len(forms), smallState) {
			break
		}
	}
	text = slices.Grow(text, total)
	eachForm(forms, bound, func(f *form, first bool, size int, service string, facts []byte) {
		if size == 0 {
			lost.objects++
			return
		}
		if first {
			g, _ := looked(f.object.Kind, f.object.Namespace)
			text = appendLook(text, f.object.Kind, f.object.Namespace, g.began)
		}
		if len(facts) != len(f.full) || service == "" && f.service != "" {
			lost.facts++
		}
		text = appendObject(text, f.uid, f.object.Name, service, facts)
	})
	return text
}

// encodeFacts writes facts in one line; what cannot be is left out.
func encodeFacts(facts any) []byte {
	var raw []byte
	switch f := facts.(type) {
	case nil:
	case []byte:
		raw = f
	case json.RawMessage:
		raw = f
	default:
		raw, _ = json.Marshal(f)
	}
	if bytes.IndexByte(raw, '\n') >= 0 {
		return nil
	}
	return raw
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
	raw, lost, err := next.remember(c.snapshot, told, c.config.MaxObjects)
	if err != nil || len(raw) > connector.MaxState {
		return connector.Errorf(connector.ClassInternal, err, "the state for the next run cannot be encoded")
	}
	c.state, c.forgotten, c.snapshot = raw, lost, nil
	return nil
}
