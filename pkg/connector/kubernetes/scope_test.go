package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

func TestScopeListsAndCovers(t *testing.T) {
	for _, test := range []struct {
		include, exclude, services, lists []string
		covers, not                       []string
	}{
		{include: []string{"a", "b"}, lists: []string{"a", "b"}, covers: []string{"a", ""}, not: []string{"c"}},
		{include: []string{"*"}, lists: []string{""}, covers: []string{"a", "kube-system"}},
		{include: []string{"*"}, exclude: []string{"kube-*", "b"}, lists: []string{""}, covers: []string{"a", "kube"}, not: []string{"kube-system", "b"}},
		{include: []string{"shop", "team-*"}, lists: []string{""}, covers: []string{"shop", "team-a"}, not: []string{"team", "shop-a", "default"}},
		{include: []string{"shop", "team-a"}, exclude: []string{"team-*"}, lists: []string{"shop"}, not: []string{"team-a"}},
		{include: []string{"team-*"}, services: []string{"team-a/x", "other/x"}, lists: []string{"team-a"}},
		{include: []string{"*"}, exclude: []string{"other"}, services: []string{"team-a/x", "other/x"}, lists: []string{"team-a"}},
	} {
		s := newScope(connector.Scope{Services: test.services}, test.include, test.exclude, nil)
		if diff := cmp.Diff(test.lists, s.namespaces); diff != "" {
			t.Errorf("%v without %v lists (-want):\n%s", test.include, test.exclude, diff)
		}
		for _, ns := range test.covers {
			if !s.covers(ns) {
				t.Errorf("%v without %v does not cover %q", test.include, test.exclude, ns)
			}
		}
		for _, ns := range test.not {
			if s.covers(ns) {
				t.Errorf("%v without %v covers %q", test.include, test.exclude, ns)
			}
		}
	}
}

// What the object says counts, and what its pods say: the first that has what is
// asked for is enough, and one that has what is excluded is too many.
func TestASelectorAsksTheObjectAndItsPods(t *testing.T) {
	for _, test := range []struct {
		selector  string
		own, pods labels.Set
		want      bool
	}{
		{"team=payments", labels.Set{"team": "payments"}, nil, true},
		{"team=payments", nil, labels.Set{"team": "payments"}, true},
		{"team=payments", labels.Set{"team": "search"}, labels.Set{"team": "payments"}, true},
		{"team=payments", labels.Set{"team": "search"}, nil, false},
		{"team=payments,env!=dev", labels.Set{"team": "payments"}, labels.Set{"env": "dev"}, false},
		{"team=payments,env!=dev", labels.Set{"team": "payments"}, labels.Set{"env": "prod"}, true},
		{"env!=dev", nil, nil, true},
		{"env notin (dev,test)", labels.Set{"env": "test"}, labels.Set{"env": "prod"}, false},
		{"!canary", nil, labels.Set{"canary": ""}, false},
		{"canary", nil, labels.Set{"canary": ""}, true},
	} {
		s, ok := parseSelector(test.selector)
		if !ok {
			t.Fatalf("%s was not read", test.selector)
		}
		if got := s.takes(test.own, test.pods); got != test.want {
			t.Errorf("%s of %v with pods %v: %v", test.selector, test.own, test.pods, got)
		}
	}
	for _, text := range []string{"a b", "=", "team in payments", ",", "a=b,,c"} {
		if _, ok := parseSelector(text); ok {
			t.Errorf("%q was read", text)
		}
	}
}

// Two workloads may call themselves the same service: what belongs to the one
// that is not chosen does not come out with the other.
func TestASharedServiceChoosesNothing(t *testing.T) {
	chooses, _ := parseSelector("env=prod")
	c := &collection{source: &source{config: *defaultConfig()}, scope: newScope(connector.Scope{}, []string{"shop"}, nil, chooses)}
	j := &job{}
	deployment := func(name, env string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", UID: types.UID(name), Labels: map[string]string{"app": "web", "env": env},
		}}
	}
	pod := func(name, owner string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", UID: types.UID(name), Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: owner, UID: types.UID(owner), Controller: new(true)}},
		}}
	}
	for _, d := range []*appsv1.Deployment{deployment("web-prod", "prod"), deployment("web-dev", "dev")} {
		c.admits(j, d)
		j.workloads = append(j.workloads, c.cutDeployment(d))
	}
	for _, p := range []*corev1.Pod{pod("p", "web-prod"), pod("d", "web-dev")} {
		c.admits(j, p)
		j.pods = append(j.pods, c.cutPod(p))
	}
	c.jobs = []*job{j}
	joined := join(&j.batch)
	c.choose(joined)
	of := func(kind, uid string) record.Object {
		return record.Object{Kind: kind, Namespace: "shop", Name: uid, UID: uid}
	}
	web := record.Service{Name: "web", Basis: "label app"}
	for _, test := range []struct {
		o    record.Object
		want bool
	}{
		{of("Deployment", "web-prod"), true},
		{of("Deployment", "web-dev"), false},
		{of("Pod", "p"), true},
		{of("Pod", "d"), false},
		{of("Pod", "gone"), false},
		{record.Object{Kind: "Node", Name: "n"}, true},
	} {
		if got := c.wants(record.Signal{}, test.o, web); got != test.want {
			t.Errorf("a signal of %s %s: %v", test.o.Kind, test.o.UID, got)
		}
	}
}

func TestCapabilitiesSayWhatIsOptional(t *testing.T) {
	path := write(t, "config", strings.Replace(kubeconfig, "CURRENT", "one", 1))
	optional := func(streams ...string) map[string]bool {
		c := defaultConfig()
		c.Kubeconfig, c.Streams = path, streams
		conn, err := c.Connect(t.Context(), connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, s := range conn.Capabilities().Streams {
			out[s.Name] = s.Optional
		}
		return out
	}
	byDefault := optional()
	for stream, want := range map[string]bool{record.StreamWorkloads: false, record.StreamSecrets: true, record.StreamNodes: true, record.StreamConfigMaps: false} {
		if got, there := byDefault[stream]; !there || got != want {
			t.Errorf("%s is optional: %v (there: %v)", stream, got, there)
		}
	}
	for _, stream := range []string{record.StreamRBAC, record.StreamHelm} {
		if _, there := byDefault[stream]; there {
			t.Errorf("%s is read without being named", stream)
		}
	}
	if named := optional(record.StreamSecrets, record.StreamHelm); named[record.StreamSecrets] || named[record.StreamHelm] || len(named) != 2 {
		t.Errorf("named streams: %v", named)
	}
}
