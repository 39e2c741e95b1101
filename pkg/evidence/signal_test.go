package evidence_test

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/evidence"
)

func TestASignalInOneSentence(t *testing.T) {
	for want, s := range map[string]evidence.Signal{
		"Pod web: unschedulable, 2 insufficient memory, 3 insufficient extended nvidia.com/gpu, volume unbound (of 6 nodes), 4 times, still so when it was read": {
			Class: "unschedulable", Count: 4, Ongoing: true, NodesTotal: new(int32(6)), Unschedulable: []evidence.Unfit{
				{Reason: "insufficient_memory", Nodes: 2}, {Reason: "insufficient_extended", Name: "nvidia.com/gpu", Nodes: 3}, {Reason: "volume_unbound"},
			},
		},
		"Pod web, container app: oom killed, memory limit 128 MiB, exit code 137": {
			Class: "oom_killed", Container: "app", Count: 1, ExitCode: new(int32(137)), MemoryLimit: new(int64(128 << 20)),
		},
		"Pod web, container app: oom killed, no memory limit": {Class: "oom_killed", Container: "app", Count: 1, MemoryLimit: new(int64(0))},
		"Pod web, container app: oom killed, memory limit 1000 bytes": {
			Class: "oom_killed", Container: "app", Count: 1, MemoryLimit: new(int64(1000)),
		},
		"Pod web: create failed (quota), quota compute for limits.memory, pods": {
			Class: "create_failed", Detail: "quota", Count: 1, Quota: "compute", Resources: []string{"limits.memory", "pods"},
		},
		"Pod web: create failed (quota), of a, b, c, d, e and 1 more": {
			Class: "create_failed", Detail: "quota", Count: 1, Resources: []string{"a", "b", "c", "d", "e", "f"},
		},
		"Pod web: volume (missing object), ConfigMap settings, volume config": {
			Class: "volume", Detail: "missing_object", Count: 1, Volume: "config", Missing: &evidence.Missing{Kind: "ConfigMap", Name: "settings"},
		},
		"Pod web: probe failed (readiness), HTTP status 503": {
			Class: "probe_failed", Detail: "readiness", Count: 1, ProbeHandler: "http", ProbeOutcome: "status", HTTPStatus: new(int32(503)),
		},
		"Pod web: probe failed (liveness), connection refused": {Class: "probe_failed", Detail: "liveness", Count: 1, ProbeOutcome: "connection_refused"},
	} {
		e := evidence.Event{Kind: evidence.KindSignal, Signal: &s, Source: evidence.Source{Object: evidence.Object{Kind: "Pod", Name: "web"}}}
		if got := evidence.Summarize(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
