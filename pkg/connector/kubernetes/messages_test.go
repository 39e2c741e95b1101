package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/record"
)

type unfitList = []record.Unfit

func signalFacts(change func(*record.SignalFacts)) record.SignalFacts {
	var f record.SignalFacts
	change(&f)
	return f
}

func TestMessagesBecomeClosedSets(t *testing.T) {
	none := record.SignalFacts{}
	registry := func(host string) record.SignalFacts { return record.SignalFacts{Registry: host} }
	for _, test := range []struct {
		reason, message string
		want            facts
	}{
		{"BackOff", "Back-off restarting failed container app in pod web", facts{record.SignalCrashLoop, "", "", none}},
		{"BackOff", `Back-off pulling image "shop/web:1"`, facts{record.SignalImagePull, "", "shop/web:1", none}},
		{"Failed", `Failed to pull image "r.io/shop/web:1": ... 401 Unauthorized`, facts{record.SignalImagePull, "auth", "r.io/shop/web:1", registry("r.io")}},
		{"Failed", `Failed to pull image "https://user:pw@r.io/web": not found`, facts{record.SignalImagePull, "not_found", "", none}},
		{"Failed", `(combined from similar events): Failed to pull image "web": toomanyrequests: You have reached your pull rate limit`, facts{record.SignalImagePull, "rate_limited", "web", none}},
		{"Failed", `Failed to pull image "web:1": rpc error: code = NotFound desc = failed to resolve reference "docker.io/library/web:1": not found`, facts{record.SignalImagePull, "not_found", "web:1", registry("docker.io")}},
		{"Failed", `Failed to pull image "r.io/web": dial tcp: lookup r.io: no such host`, facts{record.SignalImagePull, "dns", "r.io/web", registry("r.io")}},
		{"Failed", `Failed to pull image "r.io:5000/web": tls: failed to verify certificate: x509: unknown`, facts{record.SignalImagePull, "tls", "r.io:5000/web", registry("r.io:5000")}},
		{"Failed", `Failed to pull image "r.io/web": dial tcp 1.2.3.4:443: i/o timeout`, facts{record.SignalImagePull, "timeout", "r.io/web", registry("r.io")}},
		{"Failed", `Failed to pull image "r.io/web": no match for platform in manifest: not found`, facts{record.SignalImagePull, "platform", "r.io/web", registry("r.io")}},
		{"Failed", `Failed to pull image "r.io/web": failed to extract layer: write /var/lib: no space left on device`, facts{record.SignalImagePull, "no_space", "r.io/web", registry("r.io")}},
		{"Failed", `Error: configmap "settings" not found`, facts{record.SignalContainerConfig, "missing_object", "", record.SignalFacts{Missing: record.Missing{Kind: "ConfigMap", Name: "settings"}}}},
		{"Failed", "Error: couldn't find key DB_URL in Secret shop/db", facts{record.SignalContainerConfig, "missing_key", "", record.SignalFacts{Missing: record.Missing{Kind: "Secret", Name: "db"}}}},
		{"Failed", `Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "serve --token=x": executable file not found in $PATH: unknown`, facts{record.SignalContainerConfig, "command_not_found", "", none}},
		{"Failed", "Error: ImagePullBackOff", facts{record.SignalImagePull, "", "", none}},
		{"Failed", "something else", facts{record.SignalUnclassified, "", "", none}},
		{"FailedCreate", `pods "web" is forbidden: exceeded quota: compute`, facts{record.SignalCreateFailed, "quota", "", none}},
		{"FailedCreate", `Error creating: pods "web-1" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi,pods=1, used: limits.memory=4Gi,pods=9, limited: limits.memory=4Gi,pods=9`, facts{record.SignalCreateFailed, "quota", "", record.SignalFacts{Quota: "compute", Resources: []string{"limits.memory", "pods"}}}},
		{"FailedCreate", `Error creating: pods "web-1" is forbidden: failed quota: compute: must specify limits.cpu for: app; requests.cpu for: app`, facts{record.SignalCreateFailed, "quota", "", record.SignalFacts{Quota: "compute", Resources: []string{"limits.cpu", "requests.cpu"}}}},
		{"FailedCreate", `admission webhook "policy.acme.io" denied the request: token=x`, facts{record.SignalCreateFailed, "webhook", "", record.SignalFacts{Webhook: "policy.acme.io"}}},
		{"FailedCreate", `Error creating: Internal error occurred: failed calling webhook "policy.acme.io": failed to call webhook: Post "https://u:p@x": context deadline exceeded`, facts{record.SignalCreateFailed, "webhook_unavailable", "", record.SignalFacts{Webhook: "policy.acme.io"}}},
		{"FailedCreate", `Error creating: pods "webhook-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`, facts{record.SignalCreateFailed, "limit_range", "", none}},
		{"FailedCreate", `Error creating: pods "web-1" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found`, facts{record.SignalCreateFailed, "missing_object", "", record.SignalFacts{Missing: record.Missing{Kind: "ServiceAccount", Name: "runner"}}}},
		{"FailedCreate", `pods "web" is forbidden: violates PodSecurity "restricted"`, facts{record.SignalCreateFailed, "pod_security", "", none}},
		{"FailedCreate", `Pod "web" is invalid: spec`, facts{record.SignalCreateFailed, "invalid", "", none}},
		{"FailedCreatePodSandBox", "", facts{record.SignalSandbox, "", "", none}},
		{"FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"25\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container", facts{record.SignalSandbox, "no_ip", "", none}},
		{"FailedCreatePodSandBox", "Failed to create pod sandbox: failed to allocate for range 0: no IP addresses available in range set: 10.60.28.1-10.60.28.254", facts{record.SignalSandbox, "no_ip", "", none}},
		{"NetworkNotReady", "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized", facts{record.SignalSandbox, "network_not_ready", "", none}},
		{"FailedMount", "", facts{record.SignalVolume, "", "", none}},
		{"FailedMount", `MountVolume.SetUp failed for volume "config" : configmap "settings" not found`, facts{record.SignalVolume, "missing_object", "", record.SignalFacts{Volume: "config", Missing: record.Missing{Kind: "ConfigMap", Name: "settings"}}}},
		{"FailedMount", `Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition`, facts{record.SignalVolume, "timeout", "", record.SignalFacts{Volume: "data"}}},
		{"FailedAttachVolume", `Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) db-0`, facts{record.SignalVolume, "multi_attach", "", record.SignalFacts{Volume: "pvc-1"}}},
		{"FailedAttachVolume", `Waiting for detach for volume "pvc-1" Volume is already exclusively attached to one node`, facts{record.SignalVolume, "multi_attach", "", record.SignalFacts{Volume: "pvc-1"}}},
		{"Evicted", "", facts{record.SignalEvicted, "", "", none}},
		{"Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container app was using 1Gi, request is 0, has larger consumption of memory. ", facts{record.SignalEvicted, "node_pressure", "", record.SignalFacts{Resources: []string{"memory"}}}},
		{"Evicted", "The node had condition: [DiskPressure]. ", facts{record.SignalEvicted, "node_pressure", "", record.SignalFacts{Resources: []string{"ephemeral-storage"}}}},
		{"Evicted", `Usage of EmptyDir volume "cache" exceeds the limit "1Gi". `, facts{record.SignalEvicted, "storage_limit", "", record.SignalFacts{Resources: []string{"ephemeral-storage"}, Volume: "cache"}}},
		{"Evicted", `Container app exceeded its local ephemeral storage limit "1Gi". `, facts{record.SignalEvicted, "storage_limit", "", record.SignalFacts{Resources: []string{"ephemeral-storage"}}}},
		{"Preempted", "Preempted by Pod 0b1c2d3e-1111-4222-8333-444455556666 on node n1", facts{record.SignalEvicted, "preemption", "", record.SignalFacts{PreemptedBy: "0b1c2d3e-1111-4222-8333-444455556666"}}},
		{"Preempted", "Preempted by shop/secret on node n1", facts{record.SignalEvicted, "preemption", "", none}},
		{"Preempting", "Preempted in order to admit critical pod", facts{record.SignalEvicted, "critical_pod", "", none}},
		{"TaintManagerEviction", "Marking for deletion Pod shop/web", facts{record.SignalEvicted, "taint", "", none}},
		{"SystemOOM", "", facts{record.SignalOOMKilled, "", "", none}},
		{"SystemOOM", "System OOM encountered, victim process: java, pid: 4711", facts{record.SignalOOMKilled, "", "", record.SignalFacts{Process: "java"}}},
		{"SystemOOM", "System OOM encountered, victim process: a free text, pid: 4711", facts{record.SignalOOMKilled, "", "", none}},
		{"OOMKilling", "Memory cgroup out of memory: Killed process 1012 (java) total-vm:1kB", facts{record.SignalOOMKilled, "", "", record.SignalFacts{Process: "java"}}},
		{"NodeNotReady", "", facts{record.SignalNode, "not_ready", "", none}},
		{"NodeHasDiskPressure", "Node n1 status is now: NodeHasDiskPressure", facts{record.SignalNode, "disk_pressure", "", none}},
		{"Rebooted", "Node n1 has been rebooted, boot id: x", facts{record.SignalNode, "rebooted", "", none}},
		{"EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", facts{record.SignalNode, "eviction_threshold", "", record.SignalFacts{Resources: []string{"ephemeral-storage"}}}},
		{"RemovingNode", "Node n1 event: Removing Node n1 from Controller", facts{record.SignalNode, "removed", "", none}},
		{"FailedGetResourceMetric", "unable to get metrics for resource cpu", facts{record.SignalAutoscaler, "metrics_unavailable", "", none}},
		{"FailedRescale", "New size: 4; reason: cpu; error: x", facts{record.SignalAutoscaler, "scale_failed", "", none}},
		{"SyncLoadBalancerFailed", "Error syncing load balancer: x", facts{record.SignalLoadBalancer, "", "", none}},
		{"UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer", facts{record.SignalLoadBalancer, "no_nodes", "", none}},
		{"OutOfcpu", "Node didn't have enough resource: cpu, requested: 1, used: 2, capacity: 2", facts{record.SignalUnschedulable, "node_refused", "", record.SignalFacts{Unschedulable: unfitList{{Reason: "insufficient_cpu"}}}}},
		{"FailedScaleUp", "Error adding nodes to group x", facts{record.SignalUnschedulable, "scale_up_failed", "", none}},
		{"SomethingNew", "", facts{record.SignalUnclassified, "", "", none}},
	} {
		if diff := cmp.Diff(test.want, readMessage(test.reason, test.message, ""), cmp.AllowUnexported(facts{})); diff != "" {
			t.Errorf("%s %q: %s", test.reason, test.message, diff)
		}
	}
	for message, want := range map[string]scaled{
		"Scaled up replica set web-5d from 0 to 3":                                 {"web-5d", 0, 3},
		"Scaled down replica set web-5d to 1":                                      {"web-5d", -1, 1},
		"(combined from similar events): Scaled up replica set web-5d from 1 to 2": {"web-5d", 1, 2},
	} {
		if got, ok := readScaled(message); !ok || got != want {
			t.Errorf("%q: %+v, %v", message, got, ok)
		}
	}
}

func TestWhyNoNodeTookAPod(t *testing.T) {
	for message, want := range map[string]struct {
		total int32
		list  unfitList
	}{
		// pkg/scheduler/framework/types.go FitError.Error
		"0/6 nodes are available: 1 Too many pods, 2 Insufficient memory, 3 Insufficient nvidia.com/gpu, 4 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling.": {
			6, unfitList{
				{Reason: "too_many_pods", Nodes: 1},
				{Reason: "insufficient_memory", Nodes: 2},
				{Reason: "insufficient_extended", Name: "nvidia.com/gpu", Nodes: 3},
				{Reason: "taint", Nodes: 4},
			},
		},
		"0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: s3cret}, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 x.": {
			3, unfitList{{Reason: "taint", Name: "dedicated", Nodes: 1}, {Reason: "not_ready", Nodes: 1}, {Reason: "cordoned", Nodes: 1}},
		},
		"0/9 nodes are available: 1 node(s) had taint {a: b}, that the pod didn't tolerate, 2 node(s) didn't match Pod's node affinity/selector, 3 node(s) didn't match pod affinity rules, 1 node(s) didn't match pod anti-affinity rules, 2 node(s) didn't match pod topology spread constraints.": {
			9, unfitList{
				{Reason: "taint", Name: "a", Nodes: 1},
				{Reason: "node_selector", Nodes: 2},
				{Reason: "affinity", Nodes: 3},
				{Reason: "anti_affinity", Nodes: 1},
				{Reason: "topology_spread", Nodes: 2},
			},
		},
		"0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.": {
			4, unfitList{{Reason: "volume_unbound"}},
		},
		"0/2 nodes are available: 1 node(s) had volume node affinity conflict, 1 node(s) didn't match PersistentVolume's node affinity.": {
			2, unfitList{{Reason: "volume_node_affinity", Nodes: 2}},
		},
		"0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 something of a plugin.": {
			2, unfitList{{Reason: "ports", Nodes: 1}, {Reason: "other", Nodes: 1}},
		},
		"pod didn't trigger scale-up: 1 max node group size reached, 2 Insufficient cpu": {
			-1, unfitList{{Reason: "max_group_size"}, {Reason: "insufficient_cpu"}},
		},
		"0/12345678901 nodes are available: 1 Too many pods.": {-1, nil},
		"skip schedule deleting pod: shop/web":                {-1, nil},
	} {
		got := readMessage("FailedScheduling", message, "")
		if diff := cmp.Diff(want.list, got.Unschedulable); diff != "" || got.class != record.SignalUnschedulable {
			t.Errorf("%s: %s", message, diff)
		}
		if (got.NodesTotal == nil) != (want.total < 0) || got.NodesTotal != nil && *got.NodesTotal != want.total {
			t.Errorf("%s: of %v nodes", message, got.NodesTotal)
		}
	}
	long := "0/5 nodes are available: "
	for i := range 100 {
		long += fmt.Sprintf("1 Insufficient example.com/r%d, ", i)
	}
	if got, _ := unfits(long); len(got) != maxUnfits {
		t.Errorf("%d reasons of one message", len(got))
	}
	got := readMessage("FailedScheduling", `0/2 nodes are available: persistentvolumeclaim "data" not found. preemption: x`, "")
	if got.Missing != (record.Missing{Kind: "PersistentVolumeClaim", Name: "data"}) || len(got.Unschedulable) != 1 || got.Unschedulable[0].Reason != "volume_missing" {
		t.Errorf("%+v", got)
	}
}

func TestHowAProbeFailed(t *testing.T) {
	status := func(n int32) *int32 { return &n }
	for _, test := range []struct {
		message, handler             string
		detail, wantHandler, outcome string
		status                       *int32
	}{
		{"Liveness probe failed: HTTP probe failed with statuscode: 503", "http", "liveness", "http", "status", status(503)},
		{"Readiness probe failed: HTTP probe failed with statuscode: 500", "", "readiness", "http", "status", status(500)},
		{`Readiness probe failed: Get "http://10.1.2.3:8080/token": dial tcp 10.1.2.3:8080: connect: connection refused`, "http", "readiness", "http", "connection_refused", nil},
		{`Readiness probe failed: Get "http://10.1.2.3/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, "http", "readiness", "http", "timeout", nil},
		{`Liveness probe failed: Get "http://10.1.2.3/": EOF`, "http", "liveness", "http", "connection_lost", nil},
		{"Startup probe failed: dial tcp 10.1.2.3:5432: i/o timeout", "tcp", "startup", "tcp", "timeout", nil},
		{`Liveness probe failed: service unhealthy (responded with "NOT_SERVING")`, "grpc", "liveness", "grpc", "not_serving", nil},
		{`Liveness probe failed: command timed out: "cat --token=x" timed out after 1s`, "exec", "liveness", "exec", "timeout", nil},
		{"Liveness probe errored and resulted in unknown state: command timed out: x", "exec", "liveness", "exec", "timeout", nil},
		// What a command wrote is not read.
		{"Liveness probe failed: HTTP probe failed with statuscode: 503", "exec", "liveness", "exec", "failed", nil},
		{"Readiness probe failed: connection refused", "exec", "readiness", "exec", "failed", nil},
		{"Readiness probe failed: connection refused", "", "readiness", "", "", nil},
		{"Readiness probe failed: HTTP probe failed with statuscode: 5000000000", "http", "readiness", "http", "", nil},
		{"Startup probe errored", "", "startup", "", "", nil},
	} {
		got := readMessage("Unhealthy", test.message, test.handler)
		want := facts{class: record.SignalProbeFailed, detail: test.detail, SignalFacts: signalFacts(func(f *record.SignalFacts) {
			f.ProbeHandler, f.ProbeOutcome, f.HTTPStatus = test.wantHandler, test.outcome, test.status
		})}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(facts{})); diff != "" {
			t.Errorf("%s: %s", test.message, diff)
		}
	}
}

// words are the closed sets, as the schema of evidence lists them.
func words(list string) map[string]bool {
	out := map[string]bool{"": true}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

// FuzzMessages: whatever a message says, only words of closed sets, numbers and names
// that the API would accept come out.
func FuzzMessages(f *testing.F) {
	seeds := []string{
		`Failed to pull image "shop/web:1": not found`, "Scaled up replica set web-5d from 0 to 3", "Liveness probe failed: x",
		"(combined from similar events): Back-off pulling image \"a\"", `exceeded quota: "`, "\xff\x00",
		"0/6 nodes are available: 1 Too many pods, 2 Insufficient nvidia.com/gpu, 4 node(s) had untolerated taint {a.b/c: d}. preemption: x",
		"pod didn't trigger scale-up: 1 max node group size reached",
		"exceeded quota: compute, requested: limits.memory=1Gi,pods=1, used: a=1, limited: a=1", "failed quota: q: must specify limits.cpu for: app; requests.cpu for: app",
		`failed calling webhook "policy.acme.io": x`, `admission webhook "policy.acme.io" denied the request: x`,
		`MountVolume.SetUp failed for volume "config" : configmap "settings" not found`, "unmounted volumes=[data], unattached",
		"Error: couldn't find key DB_URL in Secret shop/db", "System OOM encountered, victim process: java, pid: 4711", "Killed process 1 (java)",
		"Preempted by Pod 0b1c2d3e-1111-4222-8333-444455556666 on node n1", "The node was low on resource: memory. ", `Usage of EmptyDir volume "cache" exceeds the limit`,
		"Readiness probe failed: HTTP probe failed with statuscode: 500", "Attempting to reclaim memory",
	}
	reasons := strings.Fields("Failed BackOff Unhealthy FailedCreate FailedScheduling NotTriggerScaleUp FailedMount FailedAttachVolume SystemOOM OOMKilling " +
		"Preempted Evicted EvictionThresholdMet FailedCreatePodSandBox OutOfcpu")
	for _, seed := range seeds {
		for _, reason := range reasons {
			f.Add(reason, seed, "http")
		}
	}
	details := words("not_found auth rate_limited dns timeout tls platform no_space missing_object missing_key command_not_found liveness readiness startup " +
		"no_scale_up scale_up_failed node_refused node_pressure storage_limit taint eviction_api preemption critical_pod node_shutdown node_gone no_ip network_not_ready " +
		"multi_attach quota limit_range webhook webhook_unavailable pod_security invalid not_ready memory_pressure disk_pressure pid_pressure rebooted shutdown " +
		"cordoned removed eviction_threshold garbage_collection metrics_unavailable scale_failed no_nodes")
	f.Fuzz(func(t *testing.T, reason, message, handler string) {
		if !slices.Contains(handlersOfTests(), handler) {
			handler = ""
		}
		got := readMessage(reason, message, handler)
		if !details[got.detail] || got.class == "" {
			t.Errorf("%+v", got)
		}
		if got.image != "" && (imageRef(got.image) != got.image || strings.ContainsAny(got.image, " \"'?&=") || strings.Contains(got.image, "://")) {
			t.Errorf("image %q", got.image)
		}
		if s, ok := readScaled(message); ok && (s.from < -1 || s.to < 0 || !isObject(strings.TrimRight(s.replicaSet, "-."))) {
			t.Errorf("%+v", s)
		}
		if w := reasonWord(reason); w != "" && !camelCase.MatchString(w) {
			t.Errorf("reason %q", w)
		}
		checkFacts(t, got.SignalFacts)
	})
}

func handlersOfTests() []string { return []string{"", "http", "tcp", "grpc", "exec"} }

func checkFacts(t *testing.T, f record.SignalFacts) {
	t.Helper()
	for _, name := range []string{f.Webhook, f.Volume, f.Missing.Name, f.Quota} {
		if name != "" && !isObject(name) {
			t.Errorf("name %q", name)
		}
	}
	outcomes := words("status timeout connection_refused connection_lost not_serving failed")
	if f.Registry != "" && !isClusterID(f.Registry) || f.Process != "" && (!isManager(f.Process) || len(f.Process) > 15) ||
		f.PreemptedBy != "" && !isUID(f.PreemptedBy) || !words("ConfigMap Secret PersistentVolumeClaim ServiceAccount")[f.Missing.Kind] ||
		!slices.Contains(handlersOfTests(), f.ProbeHandler) || !outcomes[f.ProbeOutcome] ||
		f.HTTPStatus != nil && (*f.HTTPStatus < 100 || *f.HTTPStatus > 999) || f.NodesTotal != nil && *f.NodesTotal < 0 {
		t.Errorf("%+v", f)
	}
	if len(f.Resources) > maxScarce || slices.ContainsFunc(f.Resources, func(r string) bool { return !isLabelKey(r) }) {
		t.Errorf("resources %q", f.Resources)
	}
	reasons := words("insufficient_cpu insufficient_memory insufficient_ephemeral_storage insufficient_extended too_many_pods taint cordoned not_ready pressure " +
		"node_selector affinity anti_affinity topology_spread ports volume_node_affinity volume_unbound volume_missing volume_in_use volume_limit max_group_size other")
	if len(f.Unschedulable) > maxUnfits || slices.ContainsFunc(f.Unschedulable, func(u record.Unfit) bool {
		return u.Reason == "" || !reasons[u.Reason] || u.Name != "" && !isLabelKey(u.Name) || u.Nodes < 0
	}) {
		t.Errorf("%+v", f.Unschedulable)
	}
}
