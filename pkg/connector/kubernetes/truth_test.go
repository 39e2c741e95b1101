package kubernetes

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// fakeServer answers lists of the namespace shop. Each answer takes a second of
// the clock.
type fakeServer struct {
	mu    sync.Mutex
	now   time.Time
	ahead time.Duration // of its clock
	items map[string]string
	// status is that of the answers to a list, by plural and field selector.
	status map[string]int
}

func (f *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(time.Second)
	plural := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	code, body := http.StatusOK, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`
	if listKinds()[plural] != "" {
		body = page(plural, f.items[plural], "")
		if status := f.status[plural+r.URL.Query().Get("fieldSelector")]; status != 0 {
			code, body = status, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":`+itoa(int64(status))+`}`
		}
	}
	return &http.Response{
		StatusCode: code, Request: r, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {f.now.Add(f.ahead).UTC().Format(http.TimeFormat)}},
	}, nil
}

func (f *fakeServer) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// look collects with a server, one request at a time.
func (f *fakeServer) look(ctx context.Context, t *testing.T, req connector.Request, streams ...string) ([]record.Record, connector.Result, error) {
	t.Helper()
	config := defaultConfig()
	config.Streams = streams
	env := connector.Env{Transport: f, Now: f.clock}
	api, err := newClient(config, location{rest: &rest.Config{Host: "https://server", QPS: -1}}, env)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{config: *config, api: api, namespaces: []string{"shop"}, env: env, clusterID: "c", target: "c"}
	var got []record.Record
	result, err := s.Collect(ctx, req, func(r record.Record) error { got = append(got, r); return nil })
	return got, result, err
}

func gone(records []record.Record) []record.Vanished {
	var out []record.Vanished
	for _, r := range records {
		if w, ok := r.(record.Workload); ok && w.Vanished != nil {
			out = append(out, *w.Vanished)
		}
	}
	return out
}

func deploymentJSON(name string) string {
	return `{"metadata":{"name":"` + name + `","namespace":"shop","uid":"` + name + `","creationTimestamp":"2026-03-01T08:00:00Z"},"spec":{"replicas":2}}`
}

func TestADeletionIsBoundedByTheLooksAndNotByTheWindows(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"same clock": 0, "the server's is behind": -20 * time.Minute, "ahead": 20 * time.Minute} {
		start := at("10:00:00").Time
		f := &fakeServer{now: start, ahead: ahead, items: map[string]string{"deployments": deploymentJSON("web") + "," + deploymentJSON("cart")}}
		ask := func(incremental bool, state []byte) connector.Request {
			return connector.Request{
				Window: window.Window{Start: f.now.Add(ahead - time.Hour), End: f.now.Add(ahead)}, Incremental: incremental, State: state,
			}
		}
		_, first, err := f.look(t.Context(), t, ask(false, nil), record.StreamWorkloads)
		if err != nil {
			t.Fatal(err)
		}
		f.items["deployments"], f.now = deploymentJSON("web"), start.Add(time.Hour)
		began := f.now
		req := ask(true, first.State)
		records, second, err := f.look(t.Context(), t, req, record.StreamWorkloads)
		told := gone(records)
		if err != nil || len(told) != 1 {
			t.Fatalf("%s: %+v, %v", name, told, err)
		}
		before := told[0].Before.Add(-ahead)
		if after := told[0].After.Add(-ahead); after.Before(start.Add(-2*time.Second)) || after.After(start.Add(15*time.Second)) {
			t.Errorf("%s: after %v", name, after)
		}
		if !before.After(began) || before.Before(f.now.Add(-15*time.Second)) || before.After(f.now.Add(2*time.Second)) {
			t.Errorf("%s: before %v, and the look was from %v to %v", name, before, began, f.now)
		}
		if records, _, err = f.look(t.Context(), t, ask(true, second.State), record.StreamWorkloads); err != nil || len(gone(records)) != 0 {
			t.Errorf("%s: told again: %+v, %v", name, gone(records), err)
		}
		// A window that a person named says the same whenever it is asked.
		for range 2 {
			named := req
			named.Incremental = false
			records, _, err := f.look(t.Context(), t, named, record.StreamWorkloads)
			told := gone(records)
			if err != nil || len(told) != 1 || !told[0].Before.IsZero() {
				t.Errorf("%s: named: %+v, %v", name, told, err)
			}
			f.now = f.now.Add(time.Hour)
		}
		early := req
		early.Incremental, early.Window = false, window.Window{Start: start.Add(ahead - 2*time.Hour), End: start.Add(ahead - time.Hour)}
		if records, _, err := f.look(t.Context(), t, early, record.StreamWorkloads); err != nil || len(gone(records)) != 0 {
			t.Errorf("%s: it was there after the window: %+v, %v", name, gone(records), err)
		}
	}
}

func TestWhatCannotBeToldYetIsKeptForTheNextLook(t *testing.T) {
	f := &fakeServer{now: at("10:00:00").Time, items: map[string]string{"deployments": deploymentJSON("web")}}
	ask := func(state []byte) connector.Request {
		return connector.Request{Window: window.Window{Start: f.now.Add(-time.Hour), End: f.now}, Incremental: true, State: state}
	}
	_, first, err := f.look(t.Context(), t, ask(nil), record.StreamWorkloads)
	if err != nil {
		t.Fatal(err)
	}
	f.items["deployments"], f.now = "", f.now.Add(-30*time.Minute) // the clock is set back
	records, second, err := f.look(t.Context(), t, ask(first.State), record.StreamWorkloads)
	if err != nil || len(gone(records)) != 0 {
		t.Fatalf("gone before it was seen: %+v, %v", gone(records), err)
	}
	f.now = f.now.Add(time.Hour)
	if records, _, err = f.look(t.Context(), t, ask(second.State), record.StreamWorkloads); err != nil || len(gone(records)) != 1 {
		t.Errorf("the deletion is lost: %+v, %v", gone(records), err)
	}
}

func TestTheStateOfWorkloadsOutlivesAStreamThatFails(t *testing.T) {
	f := &fakeServer{
		now: at("10:00:00").Time, items: map[string]string{"deployments": deploymentJSON("web")}, status: map[string]int{"events" + selectOthers: http.StatusUnauthorized},
	}
	req := connector.Request{Window: window.Window{Start: f.now.Add(-time.Hour), End: f.now}}
	_, result, err := f.look(t.Context(), t, req, record.StreamWorkloads, record.StreamEvents)
	if err != nil || result.State == nil {
		t.Fatalf("state %q, %v", result.State, err)
	}
	i := slices.IndexFunc(result.Coverage, func(c connector.Coverage) bool { return c.Stream == record.StreamEvents })
	if cov := result.Coverage[i]; cov.Status == connector.Complete || cov.Class != connector.ClassAuth || cov.Reason == "" {
		t.Errorf("coverage %+v", cov)
	}
	if cov := result.Coverage[0]; cov.Stream != record.StreamWorkloads || cov.Status != connector.Complete {
		t.Errorf("coverage %+v", cov)
	}
	if st, err := readState(result.State); err != nil || len(st.looks) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestWhatAnEventMayCarry(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	const uid = "0b1c2d3e-1111-4222-8333-444455556666"
	p := pod{object: record.Object{Kind: "Pod", Namespace: "shop", Name: "web", UID: uid}, containers: []record.Container{{Name: "app", Image: "shop/web:1"}}}
	j := join(&batch{pods: []pod{p}})
	for _, test := range []struct {
		reason, uid, image             string
		wantReason, wantUID, wantImage string
	}{
		{"BackOff", uid, "shop/web:1", "BackOff", uid, "shop/web:1"},
		{"BackOff", uid, "s3cret-t0ken", "BackOff", uid, ""},
		{"BackOff", "9b1c2d3e-1111-4222-8333-444455556666", "s3cret-t0ken", "BackOff", "9b1c2d3e-1111-4222-8333-444455556666", ""},
		{"S3cretT0ken", "alice", "shop/web:1", "Unknown", "", ""},
		{"FailedSync", "s3cret", "shop/web:1", "FailedSync", "", ""},
	} {
		sig, ok := s.cutEvent(&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{UID: "e"}, Type: "Warning", Reason: test.reason, Message: `Back-off pulling image "` + test.image + `"`,
			LastTimestamp: at("10:00:00"), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web", UID: types.UID(test.uid)},
		}, j)
		if !ok || sig.Reason != test.wantReason || sig.Object.UID != test.wantUID || sig.Image != test.wantImage {
			t.Errorf("%+v: %+v", test, sig)
		}
	}
}

func TestAScalingIsTheControllersOwn(t *testing.T) {
	event := func(set, component, reporting string) *corev1.Event {
		return &corev1.Event{
			Message: "Scaled up replica set " + set + " from 2 to 50", FirstTimestamp: at("10:00:00"), Count: 1, ReportingController: reporting,
			InvolvedObject: corev1.ObjectReference{Kind: "Deployment", UID: "d"}, Source: corev1.EventSource{Component: component},
		}
	}
	for name, test := range map[string]struct {
		e    *corev1.Event
		want int
	}{
		"old recorder":  {event("web-5d", deploymentController, ""), 1},
		"new recorder":  {event("web-5d", "", deploymentController), 1},
		"somebody else": {event("web-5d", "kubectl", ""), 0},
		"another's set": {event("cart-7f", deploymentController, ""), 0},
	} {
		w := workload{}
		w.Object.UID = "d"
		b := &batch{workloads: []workload{w}, scalings: map[string][]record.Scaling{}, revisions: []revision{
			{owner: "d", Revision: record.Revision{Name: "web-5d", UID: "1", Number: 1}}, {owner: "x", Revision: record.Revision{Name: "cart-7f", UID: "2", Number: 1}},
		}}
		if owner, list := scalings(test.e); owner != "" {
			b.scalings[owner] = list
		}
		if got := join(b).workloads[0].Scalings; len(got) != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOnlyALockWithoutDataIsLeftOut(t *testing.T) {
	lock := func(name, fields string) string {
		return `{"metadata":{"name":"` + name + `","namespace":"shop","uid":"` + name + `","creationTimestamp":"2026-03-01T08:00:00Z",
"annotations":{"` + leaderAnnotation + `":"{}"},"managedFields":[` + fields + `]}}`
	}
	entry := func(fields string) string {
		return `{"manager":"helm","operation":"Update","time":"2026-03-01T08:00:00Z","fieldsType":"FieldsV1","fieldsV1":` + fields + `}`
	}
	f := &fakeServer{now: at("10:00:00").Time, items: map[string]string{"configmaps": strings.Join([]string{
		lock("lock", entry(`{"f:metadata":{"f:annotations":{}}}`)), lock("settings", entry(`{"f:data":{".":{},"f:timeout":{}}}`)), lock("bare", ""),
	}, ",")}}
	records, result, err := f.look(t.Context(), t, connector.Request{Window: window.Window{Start: f.now.Add(-time.Hour), End: f.now}}, record.StreamConfigMaps)
	var names []string
	for _, r := range records {
		names = append(names, r.(record.Setting).Object.Name)
	}
	if err != nil || !slices.Equal(names, []string{"bare", "settings"}) {
		t.Errorf("%q, %v", names, err)
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "locks of a leader election were left out: 1.") }) {
		t.Errorf("notes %q", result.Notes)
	}
}

func TestAForgedHistoryIsBounded(t *testing.T) {
	long := make([]string, 400)
	for i := range long {
		long[i] = itoa(int64(i + 1))
	}
	hundred := formerNumbers(strings.Join(long[:100], ","), 1000)
	if len(hundred) != maxFormer || hundred[0] != 51 || hundred[len(hundred)-1] != 100 {
		t.Errorf("a hundred: %v", hundred)
	}
	for text, want := range map[string][]int64{
		"1,3": {1, 3}, "3,1,4": {3, 4}, "1,7,9": {1}, "2,2": {2}, "-1,x, 2": {2}, strings.Repeat("1,", 1000) + "2": nil,
	} {
		if got := formerNumbers(text, 7); !slices.Equal(got, want) {
			t.Errorf("%.20q: %v, want %v", text, got, want)
		}
	}
}
