package kubernetes

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// These tests stand before somebody who wants a run to say what is not so.

func TestTimesOfEventsThatNobodyCanWriteDownAreLeftOut(t *testing.T) {
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, forged := range []time.Time{time.Unix(1<<50, 0), time.Unix(-1<<50, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		e := corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)},
			FirstTimestamp: metav1.NewTime(forged), LastTimestamp: metav1.NewTime(forged), EventTime: metav1.NewMicroTime(forged),
		}
		if first, last, _ := eventTimes(&e); !first.Equal(made) || !last.Equal(made) {
			t.Errorf("year %d: from %s to %s", forged.Year(), first, last)
		}
	}
}

// What two claim, and carries no mark of either, is said to be of none of them.
func TestRivalClaimsTellNothing(t *testing.T) {
	managed := func(claimants ...string) *record.ManagedBy {
		w := &workload{Workload: record.Workload{Object: record.Object{Kind: "Deployment", Namespace: "shop", Name: "api"}}}
		var all []delivery
		for _, ns := range claimants {
			all = append(all, delivery{
				Delivery:  record.Delivery{Tool: record.ToolFlux, Object: record.Object{Kind: kindKustomization, Namespace: ns, Name: "apps"}},
				resources: []objectKey{{"Deployment", "shop", "api"}, {"Deployment", "shop", "api"}},
			})
		}
		(&collection{}).claim(&joined{workloads: []*workload{w}}, nil, all)
		return w.ManagedBy
	}
	if by := managed("flux-system"); by == nil || by.Namespace != "flux-system" {
		t.Errorf("of one: %+v", by)
	}
	for _, rivals := range [][]string{{"evil", "flux-system"}, {"evil", "flux-system", "worse"}} {
		if by := managed(rivals...); by != nil {
			t.Errorf("of %v: %+v", rivals, by)
		}
	}
}

// A uid of a recording may be any text: it does not become a line of another kind
// in the state.
func TestAUIDThatLooksLikeALookDoesNotBreakTheState(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	looked := func(string, string) (glance, bool) {
		return glance{began: at, ended: at, end: at.Add(time.Hour), asked: true}, true
	}
	keeps := []snapshotObject{}
	for i, uid := range []string{"=ConfigMap\tshop", "=x", "=", "a=b", "~", "u"} {
		keeps = append(keeps, snapshotObject{object: record.Object{Kind: "ConfigMap", Namespace: "shop", Name: "m" + strconv.Itoa(i), UID: uid}})
	}
	raw, lost, err := state{}.remember(keeps, looked, 100)
	if err != nil || lost.objects != 3 {
		t.Fatal(lost, err)
	}
	st, err := readState(raw)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := st.before("u"); !ok || k.Name != "m5" || len(st.looks) != 1 {
		t.Errorf("%+v, %d looks", k, len(st.looks))
	}
}
