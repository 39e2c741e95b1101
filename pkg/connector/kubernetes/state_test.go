package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// wholeAt is a run in which every list was complete at that time.
func wholeAt(t time.Time) glances {
	return func(string, string) (glance, bool) { return glance{began: t, ended: t, end: t, asked: true}, true }
}

// kept is a snapshotObject.
func kept(kind, namespace, name, uid string, facts any) snapshotObject {
	return snapshotObject{object: record.Object{Kind: kind, Namespace: namespace, Name: name, UID: uid}, service: name, facts: facts}
}

// stored makes the state of one look and reads it.
func stored(t *testing.T, st state, looked glances, keeps ...snapshotObject) state {
	t.Helper()
	raw, lost, err := st.remember(keeps, looked, 1000)
	if err != nil || lost != (forgotten{}) {
		t.Fatalf("%+v, %v", lost, err)
	}
	next, err := readState(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return next
}

func TestStateKeepsWhatCouldNotBeListed(t *testing.T) {
	seenAt, now := at("10:00:00").UTC(), at("11:00:00").UTC()
	prior := stored(t, state{}, wholeAt(seenAt),
		kept("Deployment", "a", "web", "u1", []byte("[1]")), kept("Deployment", "a", "cart", "u2", nil), kept("Deployment", "b", "db", "u3", []byte("[-1]")))
	wholeA := func(_, namespace string) (glance, bool) {
		return glance{began: now, ended: now, end: now, asked: true}, namespace == "a"
	}
	gone := prior.vanished(func(uid string) bool { return uid == "u1" }, wholeA, "Deployment")
	if len(gone) != 1 || gone[0].UID != "u2" || gone[0].Service != "cart" || !gone[0].between.After.Equal(seenAt) || !gone[0].between.Before.Equal(now) {
		t.Errorf("vanished: %+v", gone)
	}
	none := func(string) bool { return false }
	if gone := prior.vanished(none, wholeA, "StatefulSet"); len(gone) != 0 {
		t.Errorf("of another kind: %+v", gone)
	}
	if gone := prior.vanished(none, wholeAt(seenAt), "Deployment"); len(gone) != 0 {
		t.Errorf("vanished before it was seen: %+v", gone)
	}
	next := stored(t, prior, wholeA, kept("Deployment", "a", "web", "u1", []byte("[3]")), kept("Deployment", "b", "new", "u4", nil))
	for uid, want := range map[string]known{
		"u1": {Kind: "Deployment", Namespace: "a", Name: "web", UID: "u1", Service: "web", At: now, Facts: json.RawMessage("[3]")},
		"u2": {}, "u4": {},
		"u3": {Kind: "Deployment", Namespace: "b", Name: "db", UID: "u3", Service: "db", At: seenAt, Facts: json.RawMessage("[-1]")},
	} {
		if k, _ := next.before(uid); cmp.Diff(want, k) != "" {
			t.Errorf("%s: %s", uid, cmp.Diff(want, k))
		}
	}
	for _, bad := range []string{
		"", "{}", "[]", `{"version":3}`, "{\"version\":4}\n", `{"version":2,"looks":[{"seen":[["u"]]}]}`, `{"version":2,"looks":[{"seen":[["u","n","s",1,[],0]]}]}`,
		"{\"version\":3}\nu\tn\ts\t\n", "{\"version\":3}\n=Pod\ta\t2026-03-01T10:00:00Z\nu\tn\ts\n",
		"{\"version\":3}\n=Pod\ta\tnever\n", "{\"version\":3}\n=Pod\ta\t2026-03-01T10:00:00Z\nu\tn\ts\t",
	} {
		if _, err := readState([]byte(bad)); connector.ClassOf(err) != connector.ClassConfig {
			t.Errorf("state %q: %v", bad, err)
		}
	}
}

func TestALookThatNobodyAsksForIsDroppedInTheEnd(t *testing.T) {
	seenAt := at("10:00:00").UTC()
	prior := stored(t, state{}, wholeAt(seenAt), kept("Deployment", "a", "web", "u1", nil))
	notAsked := func(end time.Time) glances {
		return func(string, string) (glance, bool) { return glance{end: end}, false }
	}
	prior = stored(t, prior, notAsked(seenAt.Add(forgetAfter)))
	if _, ok := prior.before("u1"); !ok {
		t.Error("dropped at once")
	}
	if _, ok := stored(t, prior, notAsked(seenAt.Add(forgetAfter+time.Second))).before("u1"); ok {
		t.Error("kept for ever")
	}
}

func TestTheLastLookIsRecalled(t *testing.T) {
	revision := func(number int64, scaled, pod time.Time) record.Revision {
		return record.Revision{UID: "rs", Number: number, Former: []int64{1}, ScaledUp: scaled, FirstPod: pod}
	}
	named := func(desired int32, r record.Revision) *workload {
		w := &workload{}
		w.Object = record.Object{Kind: "Deployment", Namespace: "a", Name: "web", UID: "u"}
		w.Desired, w.Revisions = desired, []record.Revision{r}
		return w
	}
	first, second := at("10:00:00").UTC(), at("10:30:00").UTC()
	event, pod := at("09:59:58").UTC(), at("09:59:59").UTC()
	prior := stored(t, state{}, wholeAt(first), keepWorkloads([]*workload{named(2, revision(3, event, pod))})...)
	w := named(5, revision(3, time.Time{}, at("10:20:00").UTC())) // the Event expired, the pod was replaced
	prior.recall([]*workload{w}, wholeAt(second))
	if r := w.Revisions[0]; !r.ScaledUp.Equal(event) || !r.FirstPod.Equal(pod) {
		t.Errorf("what told of the rollback is forgotten: %+v", r)
	}
	if want := (record.Rescaled{From: 2, To: 5, After: first, Before: second}); w.Rescaled == nil || *w.Rescaled != want {
		t.Errorf("rescaled %+v", w.Rescaled)
	}
	w = named(2, revision(4, time.Time{}, at("10:20:00").UTC()))
	prior.recall([]*workload{w}, wholeAt(second))
	if w.Rescaled != nil || !w.Revisions[0].FirstPod.Equal(at("10:20:00").UTC()) {
		t.Errorf("told of another number: %+v", w.Workload)
	}
	w = named(5, revision(3, time.Time{}, time.Time{}))
	prior.recall([]*workload{w}, wholeAt(first))
	if w.Rescaled != nil {
		t.Error("a window of the past tells of a scaling")
	}
}

func TestStatesOfEarlierVersionsAreRead(t *testing.T) {
	second := at("10:30:00").UTC()
	look := `{"version":%d,"looks":[{"namespace":"a","kind":"Deployment","at":"2026-03-01T10:00:00Z","seen":[["0b1c2d3e-1111-4222-8333-444455556666","web","shop"%s]]}]}`
	for version, fields := range []string{1: "", 2: `,2,[{"uid":"rs","n":3,"scaled":"2026-03-01T09:59:58Z"}]`} {
		if version == 0 {
			continue
		}
		st, err := readState(fmt.Appendf(nil, look, version, fields))
		if err != nil {
			t.Fatal(err)
		}
		w := &workload{}
		w.Object = record.Object{Kind: "Deployment", Namespace: "a", Name: "web", UID: "0b1c2d3e-1111-4222-8333-444455556666"}
		w.Desired, w.Revisions = 5, []record.Revision{{UID: "rs", Number: 3}}
		st.recall([]*workload{w}, wholeAt(second))
		if (w.Rescaled != nil) != (version == 2) || w.Revisions[0].ScaledUp.IsZero() != (version == 1) {
			t.Errorf("version %d: %+v", version, w.Workload)
		}
		gone := st.vanished(func(string) bool { return false }, wholeAt(second), "Deployment")
		if len(gone) != 1 || gone[0].UID != w.Object.UID || gone[0].Service != "shop" {
			t.Errorf("version %d: %+v", version, gone)
		}
	}
}

func TestUIDsArePackedAndComeBack(t *testing.T) {
	for _, uid := range []string{
		"0b1c2d3e-1111-4222-8333-444455556666", "0B1C2D3E-1111-4222-8333-444455556666", "uid-web", "", "~", "~0123456789012345678901",
		"0b1c2d3e-1111-4222-8333-44445555666g", strings.Repeat("-", 36),
	} {
		if back := unpackUID(packUID(uid)); back != uid && uid != "~0123456789012345678901" {
			t.Errorf("%q comes back as %q", uid, back)
		}
	}
	if n := len(packUID("0b1c2d3e-1111-4222-8333-444455556666")); n != packed {
		t.Errorf("packed in %d bytes", n)
	}
}

// population is a cluster of so many Deployments and ConfigMaps with ten keys.
func population(n, keys int) []snapshotObject {
	var out []snapshotObject
	for i := range n {
		ns := fmt.Sprintf("team-%02d", i%40)
		uid := func(kind int) string { return fmt.Sprintf("%08x-93f5-4c8e-8a57-%04x6f3a4d2c", i, kind) }
		created := at("10:00:00").Add(time.Duration(i) * time.Second)
		service := fmt.Sprintf("checkout-service-%04d", i)
		d := snapshotObject{object: record.Object{Kind: "Deployment", Namespace: ns, Name: service + "-worker", UID: uid(1)}, service: service, created: created, facts: []byte("[3]")}
		var names []string
		for k := range keys {
			names = append(names, fmt.Sprintf("database.pool-%02d", k))
		}
		c := snapshotObject{object: record.Object{Kind: "ConfigMap", Namespace: ns, Name: service + "-settings", UID: uid(2)}, service: service, created: created, facts: names, brief: "digest"}
		out = append(out, d, c)
	}
	return out
}

// longNames have no room even for their names.
func longNames(n int) []snapshotObject {
	var out []snapshotObject
	for i := range n {
		out = append(out, kept("ConfigMap", "a", strings.Repeat("n", 240)+strconv.Itoa(i), "u"+strconv.Itoa(i), nil))
	}
	return out
}

func TestTheStateIsBounded(t *testing.T) {
	now := at("11:00:00").UTC()
	for _, test := range []struct {
		name                     string
		keeps                    []snapshotObject
		limit, objects, shortest int
	}{
		{"ten keys", population(1000, 10), 10_000, 0, 0},
		{"forty keys", population(1000, 40), 10_000, 0, 1000},
		{"a few with forty keys", population(5, 40), 10_000, 0, 0},
		{"names of which no object has any", []snapshotObject{
			kept("ConfigMap", "a", strings.Repeat("n", 253), "u1", nil), kept("ConfigMap", "a", "b", "u2", []byte("[1]")),
			kept("ConfigMap", "a", "line\nbreak", "u3", nil),
		}, 10_000, 1, 0},
		{"long names", longNames(1000), 10_000, 1000, 0},
		{"more than are remembered", population(1000, 1), 300, 1700, 0},
	} {
		raw, lost, err := state{}.remember(test.keeps, wholeAt(now), test.limit)
		if err != nil {
			t.Fatal(err)
		}
		remembered := len(test.keeps) - lost.objects
		head := bytes.IndexByte(raw, '\n') + 1
		if len(raw)-head > max(maxRemembered*len(test.keeps), smallState) {
			t.Errorf("%s: %d bytes for %d objects", test.name, len(raw), len(test.keeps))
		}
		t.Logf("%s: %d bytes an object, %+v", test.name, len(raw)/max(remembered, 1), lost)
		st, err := readState(raw)
		if err != nil {
			t.Fatal(err)
		}
		if len(st.index) != remembered {
			t.Errorf("%s: %d remembered, %d said", test.name, len(st.index), remembered)
		}
		if lost.objects != test.objects || lost.facts != test.shortest {
			t.Errorf("%s: lost %+v", test.name, lost)
		}
		if test.limit == 300 {
			if _, ok := st.before(test.keeps[len(test.keeps)-1].object.UID); !ok {
				t.Error("the newest is forgotten")
			}
			if _, ok := st.before(test.keeps[0].object.UID); ok {
				t.Error("the oldest is remembered")
			}
		}
	}
}

func BenchmarkState(b *testing.B) {
	keeps := population(10_000, 4)
	now := at("11:00:00").UTC()
	raw, _, err := state{}.remember(keeps, wholeAt(now), 100_000)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			st, err := readState(raw)
			if err != nil {
				b.Fatal(err)
			}
			for _, k := range keeps {
				if _, ok := st.before(k.object.UID); !ok {
					b.Fatal("forgotten")
				}
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := (state{}).remember(keeps, wholeAt(now), 100_000); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// FuzzReadState: the state is a file that others may have touched.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"version":2,"looks":[{"namespace":"a","kind":"Deployment","at":"2026-03-01T10:00:00Z","seen":[["u","web","web",2,[{"uid":"r","n":1}]]]}]}`))
	f.Add([]byte("{\"version\":3,\"cluster\":\"c\"}\n=Deployment\ta\t2026-03-01T10:00:00Z\n~CxwtPhERQiKDM0REVVVmZg\tweb\t=\t[2,[[\"0b1c2d3e\",1,0,5]]]\nu\tn\t\t\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		st, err := readState(raw)
		if err != nil {
			return
		}
		now := at("11:00:00").UTC()
		gone := st.vanished(func(string) bool { return false }, wholeAt(now), "Deployment")
		for _, g := range gone {
			readWorkloadFacts(g.Facts)
		}
		again, _, err := st.remember(nil, func(string, string) (glance, bool) { return glance{asked: true}, false }, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readState(again); err != nil {
			t.Fatalf("%v\n%q", err, again)
		}
	})
}

func TestPodsThatAreGoneFindTheirServiceInTheLastLook(t *testing.T) {
	seenAt := at("10:00:00").UTC()
	in := func(kind, name string) snapshotObject {
		k := kept(kind, "shop", name, "uid-"+kind+name, nil)
		k.service = "service-of-" + name
		return k
	}
	st := stored(t, state{}, wholeAt(seenAt), in("Deployment", "web"), in("StatefulSet", "db"), in("CronJob", "backup"), in("ConfigMap", "conf"))
	there := workload{}
	there.Object = record.Object{Kind: "Deployment", Namespace: "shop", Name: "cart", UID: "c"}
	there.Service.Name = "carts"
	j := join(&batch{workloads: []workload{there}})
	j.before = st.services()
	for name, want := range map[string]record.Service{
		"Pod/web-5d8c9f7b6d-x2x7k":        {Name: "service-of-web", Basis: "snapshot"},
		"Pod/cart-5d8c9f7b6d-x2x7k":       {Name: "carts", Basis: "generated name"},
		"Pod/db-0":                        {Name: "service-of-db", Basis: "snapshot"},
		"Pod/backup-29012340-x2x7k":       {Name: "service-of-backup", Basis: "snapshot"},
		"ReplicaSet/web-5d8c9f7b6d":       {Name: "service-of-web", Basis: "snapshot"},
		"Deployment/web":                  {Name: "service-of-web", Basis: "snapshot"},
		"Job/backup-29012340":             {Name: "service-of-backup", Basis: "snapshot"},
		"Pod/web-admin-x2x7k":             {},
		"Pod/web-5d8c9f7b6d-extra":        {},
		"Pod/web":                         {},
		"Pod/-":                           {},
		"Pod/":                            {},
		"ConfigMap/conf":                  {},
		"Pod/conf-5d8c9f7b6d-x2x7k":       {},
		"Pod/other-web-5d8c9f7b6d-x2x7k":  {},
		"Node/web":                        {},
		"Pod/web--x2x7k":                  {},
		"HorizontalPodAutoscaler/web":     {},
		"Pod/cart-canary-5d8c9f7b6-x2x7k": {},
	} {
		kind, name, _ := strings.Cut(name, "/")
		if got := j.serviceOf(record.Object{Kind: kind, Namespace: "shop", Name: name, UID: "gone"}); got != want {
			t.Errorf("%s/%s: %+v, want %+v", kind, name, got, want)
		}
	}
	if got := j.serviceOf(record.Object{Kind: "Pod", Namespace: "other", Name: "db-0", UID: "gone"}); got != (record.Service{}) {
		t.Errorf("of another namespace: %+v", got)
	}
}

// TestAStreamThatWasNotToldKeepsItsOlderLook: what differs from it is still to be
// told.
func TestAStreamThatWasNotToldKeepsItsOlderLook(t *testing.T) {
	seenAt, now := at("10:00:00").UTC(), at("11:00:00").UTC()
	was, is := kept("Node", "", "n1", "u1", []byte("[1]")), kept("Node", "", "n1", "u1", []byte("[2]"))
	for told, want := range map[bool]string{true: "[2]", false: "[1]"} {
		node := nodeKinds()[0]
		c := &collection{
			source: &source{config: *defaultConfig()}, prior: stored(t, state{}, wholeAt(seenAt), was), snapshot: []snapshotObject{is},
			req:  connector.Request{Window: window.Window{Start: seenAt, End: now}},
			jobs: []*job{{listing: listing{kind: node}}},
			done: map[string]bool{record.StreamNodes: told},
		}
		if err := c.writeState(); err != nil {
			t.Fatal(err)
		}
		st, err := readState(c.state)
		if err != nil {
			t.Fatal(err)
		}
		if k, _ := st.before("u1"); string(k.Facts) != want {
			t.Errorf("told %v: %+v", told, k)
		}
	}
}
