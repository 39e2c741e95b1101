package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

const (
	podUID  = "0b1c2d3e-1111-4222-8333-444455556666"
	goneUID = "0b1c2d3e-9999-4222-8333-444455556666"
)

// podEventJSON is an Event of a pod as the older recorder writes it.
func podEventJSON(name, pod, container, reason, message string, count int, first, last string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"shop","uid":"e-%s","creationTimestamp":"2026-03-01T%sZ"},"type":"Warning",
"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1","uid":%q,"fieldPath":"spec.containers{%s}"},
"reason":%q,"message":%q,"count":%d,"firstTimestamp":"2026-03-01T%sZ","lastTimestamp":"2026-03-01T%sZ","source":{"component":"kubelet","host":"n1"}}`,
		name, name, first, pod, container, reason, message, count, first, last)
}

// pullEvents are what a kubelet writes of one image that it cannot pull.
func pullEvents(pod string) []string {
	return []string{
		podEventJSON("a", pod, "app", "Failed", `Failed to pull image "r.io/web:2": not found`, 3, "10:00:01", "10:04:00"),
		podEventJSON("b", pod, "app", "Failed", "Error: ErrImagePull", 3, "10:00:01", "10:04:00"),
		podEventJSON("c", pod, "app", "BackOff", `Back-off pulling image "r.io/web:2"`, 17, "10:00:02", "10:05:00"),
		podEventJSON("d", pod, "app", "Failed", "Error: ImagePullBackOff", 5, "10:00:02", "10:04:30"),
	}
}

const waitingPod = `{"metadata":{"name":"web-1","namespace":"shop","uid":"` + podUID + `","creationTimestamp":"2026-03-01T10:00:00Z"},
"spec":{"nodeName":"n1","containers":[{"name":"app","image":"r.io/web:2"},{"name":"side","image":"r.io/side:1"}]},
"status":{"phase":"Pending","startTime":"2026-03-01T10:00:00Z","conditions":[{"type":"Ready","status":"False","lastTransitionTime":"2026-03-01T10:00:00Z"}],
"containerStatuses":[{"name":"app","image":"r.io/web:2","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"ImagePullBackOff","message":"s3cret"}}}]}}`

func (f *fakeServer) signals(t *testing.T, w window.Window, streams ...string) []record.Signal {
	t.Helper()
	records, _, err := f.look(t.Context(), t, connector.Request{Window: w}, streams...)
	if err != nil {
		t.Fatal(err)
	}
	var out []record.Signal
	for _, r := range records {
		if s, ok := r.(record.Signal); ok {
			out = append(out, s)
		}
	}
	return out
}

func hourBefore(hms string) window.Window {
	return window.Window{Start: at(hms).Add(-time.Hour), End: at(hms).Time}
}

func idOf(t *testing.T, s record.Signal) string {
	t.Helper()
	events, err := normalize.Record("kubernetes", s)
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	return events[0].ID
}

func TestAStatusAndItsEventsAreOneSignal(t *testing.T) {
	orders := map[string]func([]string){"as they come": func([]string) {}, "the other way round": slices.Reverse[[]string]}
	var ids []string
	for order, turn := range orders {
		all := pullEvents(podUID)
		turn(all)
		f := &fakeServer{now: at("10:06:00").Time, items: map[string]string{"pods": waitingPod, "events": strings.Join(all, ",")}}
		got := f.signals(t, hourBefore("10:06:00"), record.StreamPods, record.StreamEvents)
		if len(got) != 1 {
			t.Fatalf("%s: %d signals: %+v", order, len(got), got)
		}
		s := got[0]
		if s.From != record.StreamPods || s.Reason != "ImagePullBackOff" || s.Detail != "not_found" || s.Count != 17 || !s.Ongoing ||
			!s.First.Equal(at("10:00:00").Time) || !s.Last.Equal(at("10:05:00").Time) || s.Facts.Registry != "r.io" || s.Node != "n1" {
			t.Errorf("%s: %+v", order, s)
		}
		ids = append(ids, idOf(t, s))

		// The pod recovered, or is gone: its Events are one signal, with the same id.
		f.items["pods"] = ""
		passed := f.signals(t, hourBefore("10:06:00"), record.StreamPods, record.StreamEvents)
		if len(passed) != 1 || passed[0].From != record.StreamEvents || passed[0].Ongoing || passed[0].Count != 17 || passed[0].Detail != "not_found" ||
			passed[0].Reason != "BackOff" || !passed[0].First.Equal(at("10:00:01").Time) || !passed[0].Last.Equal(at("10:05:00").Time) {
			t.Errorf("%s, gone: %+v", order, passed)
		} else {
			ids = append(ids, idOf(t, passed[0]))
		}
		// So it is in a window that only the last of them touches.
		late := f.signals(t, window.Window{Start: at("10:35:30").Time, End: at("11:00:00").Time}, record.StreamEvents)
		if diff := cmp.Diff(passed, late); diff != "" {
			t.Errorf("%s, another window: %s", order, diff)
		}
		if none := f.signals(t, window.Window{Start: at("10:55:00").Time, End: at("11:55:00").Time}, record.StreamEvents); len(none) != 0 {
			t.Errorf("%s: outside of the window: %+v", order, none)
		}
	}
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Errorf("ids %q", ids)
	}
}

func TestWhatIsNotTheSameTroubleIsToldApart(t *testing.T) {
	for name, event := range map[string]string{
		"another container": podEventJSON("x", podUID, "side", "Failed", `Failed to pull image "r.io/side:1": not found`, 1, "10:01:00", "10:01:00"),
		"another pod":       podEventJSON("x", goneUID, "app", "Failed", `Failed to pull image "r.io/web:2": not found`, 1, "10:01:00", "10:01:00"),
		"another class":     podEventJSON("x", podUID, "app", "Unhealthy", "Liveness probe failed: x", 1, "10:01:00", "10:01:00"),
		"an earlier time":   podEventJSON("x", podUID, "app", "Failed", `Failed to pull image "r.io/web:2": not found`, 1, "09:40:00", "09:41:00"),
	} {
		f := &fakeServer{now: at("10:06:00").Time, items: map[string]string{"pods": waitingPod, "events": strings.Join(append(pullEvents(podUID), event), ",")}}
		got := f.signals(t, hourBefore("10:06:00"), record.StreamPods, record.StreamEvents)
		if len(got) != 2 || idOf(t, got[0]) == idOf(t, got[1]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestStatusIsToldWithoutEvents(t *testing.T) {
	f := &fakeServer{
		now: at("10:06:00").Time, items: map[string]string{"pods": waitingPod},
		status: map[string]int{"events" + selectOthers: http.StatusInternalServerError},
	}
	for _, streams := range [][]string{{record.StreamPods}, {record.StreamPods, record.StreamEvents}} {
		records, result, err := f.look(t.Context(), t, connector.Request{Window: hourBefore("10:06:00")}, streams...)
		if err != nil || len(records) != 1 || result.Coverage[0].Status != connector.Complete {
			t.Errorf("%v: %d records, %v, %+v", streams, len(records), err, result.Coverage)
		}
	}
}

func TestStatusIsToldWhenTheTimeRunsOutInTheEvents(t *testing.T) {
	waiting := pod{
		object:  record.Object{Kind: "Pod", Namespace: "shop", Name: "web-1", UID: podUID},
		signals: []record.Signal{{Class: record.SignalImagePull, Object: record.Object{Kind: "Pod", Namespace: "shop", UID: podUID}, Container: "app", Folded: true}},
	}
	j := join(&batch{pods: []pod{waiting}})
	expired, cancel := context.WithDeadline(t.Context(), at("10:00:00").Time)
	defer cancel()
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	for want, ctx := range map[int]context.Context{1: expired, 0: interrupted} {
		told := 0
		c := &collection{source: &source{config: *defaultConfig()}, done: map[string]bool{}, emit: func(record.Record) error { told++; return nil }}
		if err := c.streamEvents(ctx, j); told != want || (err == nil) != (want == 1) {
			t.Errorf("told %d times, %v; want %d", told, err, want)
		}
	}
}

func TestTroublesOfPodsThatAreGoneAreBounded(t *testing.T) {
	f := newFolding(nil)
	taken := 0
	for i := range maxFolded + 10 {
		sig := record.Signal{Object: record.Object{Kind: "Pod", UID: fmt.Sprint(i)}, Class: record.SignalCrashLoop, Container: "app", Key: "e/1", First: at("10:00:00").Time, Last: at("10:00:00").Time}
		if f.take(&sig) {
			taken++
		}
	}
	if taken != maxFolded || len(f.passed) != maxFolded {
		t.Errorf("%d taken, %d kept", taken, len(f.passed))
	}
}

func TestNoOrderOfEventsMatters(t *testing.T) {
	base := record.Signal{Object: record.Object{Kind: "Pod", UID: podUID}, Class: record.SignalImagePull, Container: "app"}
	var all []record.Signal
	for i, change := range []func(*record.Signal){
		func(s *record.Signal) { s.Reason, s.Detail, s.Count = "Failed", "auth", 3 },
		func(s *record.Signal) { s.Reason, s.Detail, s.Count = "Failed", "not_found", 3 },
		func(s *record.Signal) { s.Reason, s.Count, s.Image = "BackOff", 9, "r.io/web:2" },
		func(s *record.Signal) { s.Reason, s.Count, s.Facts.Registry = "BackOff", 2, "r.io" },
	} {
		s := base
		s.Key = fmt.Sprint(i)
		s.First, s.Last = at("10:00:00").Add(time.Duration(i%2)*time.Minute), at("10:10:00").Add(time.Duration(i/2)*time.Minute)
		change(&s)
		all = append(all, s)
	}
	var want []record.Signal
	for i := range all {
		f := newFolding(nil)
		for j := range all {
			s := all[(i+j)%len(all)]
			f.take(&s)
		}
		f.finish()
		got := f.passedIn(hourBefore("11:00:00"))
		if i == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 1 {
			t.Errorf("begun with the %d.: %s", i, diff)
		}
	}
}

func memoryOfMi(n int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *quantity.NewQuantity(n<<20, quantity.BinarySI)}
}

func TestWhatAPodAskedFor(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	always := corev1.ContainerRestartPolicyAlways
	dead := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, LastTerminationState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: at("10:00:00")},
		}}
	}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: podUID, CreationTimestamp: at("09:00:00"), Generation: 1, Annotations: map[string]string{
			limitRangerAnnotation: "LimitRanger plugin set: memory request for container ranged; cpu, memory limit for container ranged; cpu limit for container own; memory limit for init container own",
		}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{
				{Name: "big", Resources: corev1.ResourceRequirements{Requests: memoryOfMi(1000)}},
				{Name: "side", RestartPolicy: &always, Resources: corev1.ResourceRequirements{Requests: memoryOfMi(10)}},
			},
			Containers: []corev1.Container{
				{Name: "own", Resources: corev1.ResourceRequirements{Requests: memoryOfMi(64), Limits: memoryOfMi(128)}},
				{Name: "ranged", Resources: corev1.ResourceRequirements{Requests: memoryOfMi(32), Limits: memoryOfMi(256)}},
				{Name: "none"},
			},
		},
		Status: corev1.PodStatus{
			QOSClass: corev1.PodQOSBurstable, ContainerStatuses: []corev1.ContainerStatus{dead("own"), dead("ranged"), dead("none")},
			Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", LastTransitionTime: at("09:30:00"),
				Message: "0/2 nodes are available: 2 Insufficient memory. preemption: x",
			}},
		},
	}
	show := func() (out []string) {
		for _, sig := range s.cutPod(p).signals {
			limit := "-"
			if l := sig.Posture.MemoryLimit; l != nil {
				limit = fmt.Sprint(*l >> 20)
			}
			out = append(out, fmt.Sprint(sig.Container, " ", sig.Posture.QOSClass, " ", sig.Posture.MemoryRequest>>20, " ", limit, " ", sig.Posture.LimitOrigin))
		}
		return out
	}
	want := []string{" Burstable 1000 - ", "own Burstable 64 128 pod_spec", "ranged Burstable 32 256 limit_range", "none Burstable 0 0 "}
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Error(diff)
	}
	p.Generation = 2 // somebody changed the pod since the LimitRange did
	want[2] = "ranged Burstable 32 256 "
	p.Spec.Resources = &corev1.ResourceRequirements{Requests: memoryOfMi(2000), Limits: memoryOfMi(4000)}
	want[0], want[3] = " Burstable 2000 - ", "none Burstable 0 4000 pod_spec"
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Error(diff)
	}
}

func TestByWhomAPodWasEvicted(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	for name, test := range map[string]struct {
		status  corev1.PodStatus
		deleted bool
		want    string
	}{
		"pressure":   {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory. "}, false, "evicted node_pressure Evicted [memory]"},
		"critical":   {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Preempting"}, false, "evicted critical_pod Preempting []"},
		"shutdown":   {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Terminated", Message: "Pod was terminated in response to imminent node shutdown."}, false, "evicted node_shutdown Terminated []"},
		"refused":    {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfmemory"}, false, "unschedulable node_refused OutOfmemory []"},
		"drain":      {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: disruption("EvictionByEvictionAPI")}, true, "evicted eviction_api EvictionByEvictionAPI []"},
		"preemption": {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: disruption("PreemptionByScheduler")}, true, "evicted preemption PreemptionByScheduler []"},
		"taint":      {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: disruption("DeletionByTaintManager")}, true, "evicted taint DeletionByTaintManager []"},
		"it runs on": {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: disruption("EvictionByEvictionAPI")}, false, ""},
		"job failed": {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Error"}, false, ""},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: podUID, CreationTimestamp: at("09:00:00")}, Status: test.status}
		if test.deleted {
			p.DeletionTimestamp = new(at("10:00:00"))
		}
		got := ""
		for _, sig := range s.cutPod(p).signals {
			got += fmt.Sprint(sig.Class, " ", sig.Detail, " ", sig.Reason, " ", sig.Facts.Resources)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func disruption(reason string) []corev1.PodCondition {
	return []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: at("10:00:00")}}
}

func TestWhoReportsAndWhatAnEventIsRelatedTo(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{UID: "e"}, Type: "Normal", Reason: "Preempted", Message: "Preempted by a pod on node n1", ReportingController: "default-scheduler",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web", UID: types.UID(podUID)}, Related: &corev1.ObjectReference{UID: types.UID(goneUID)},
	}
	sig, ok := s.cutEvent(event, join(&batch{}))
	if !ok || sig.Facts.PreemptedBy != goneUID || sig.Reporter != "default-scheduler" || sig.Detail != "preemption" {
		t.Errorf("%+v", sig)
	}
	event.ReportingController, event.Related.UID = "a free text", "another"
	if sig, _ = s.cutEvent(event, join(&batch{})); sig.Reporter != "" || sig.Facts.PreemptedBy != "" {
		t.Errorf("%+v", sig)
	}
	if _, ok := s.cutEvent(&corev1.Event{Type: "Normal", Reason: "TaintManagerEviction", Message: "Cancelling deletion of Pod shop/web"}, join(&batch{})); ok {
		t.Error("an eviction that did not happen is told")
	}
}
