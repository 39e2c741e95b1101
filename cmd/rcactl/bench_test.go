package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rcactl/rcactl/pkg/testbed"
)

// benchObjects says how many Deployments (and ConfigMaps, and half of the
// ReplicaSets) the cluster of BenchmarkCollect has; 2000 without it.
const benchObjects = "RCACTL_BENCH_OBJECTS"

// benchKubectl is the path of a kubectl to compare with.
const benchKubectl = "RCACTL_KUBECTL"

// BenchmarkCollect compares in one run, on one cluster, what rcactl collect costs
// with what bare paged lists of the same objects cost, and with kubectl get of
// them, each as a process of its own. Its figures are ratios; times of two runs on
// two machines say nothing.
func BenchmarkCollect(b *testing.B) {
	n := 2000
	if text := os.Getenv(benchObjects); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	c := newCluster(b)
	c.fill(b, n)
	home := b.TempDir()
	bin := b.TempDir()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "barelist")); err != nil {
		b.Fatal(err)
	}
	// The program itself, as it is released: this one has the whole client-go in it.
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(bin, "rcactl"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build rcactl: %v\n%s", err, out)
	}
	kubeconfig := c.readerOf(b, map[string][]string{"": {"nodes"}, "apiextensions.k8s.io": {"customresourcedefinitions"}})
	wire := startMeter(b, c.server.AdminConfig().Host)
	through := wire.kubeconfig(b, kubeconfig)
	kubectl := os.Getenv(benchKubectl)
	if kubectl == "" && os.Getenv(testbed.EnvRequire) != "" {
		b.Fatalf("%s is not set: not compared with kubectl (make bench builds it)", benchKubectl)
	}
	measure := func(kubeconfig, name string, args ...string) usage {
		cmd := exec.CommandContext(b.Context(), name, args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "KUBECONFIG="+kubeconfig)
		return run(b, cmd)
	}
	contestants := []contestant{
		{name: "list", command: []string{filepath.Join(bin, "barelist")}},
		{name: "first", command: []string{filepath.Join(bin, "rcactl"), "collect", "--quiet", "--since", "24h"}},
		{name: "second", command: []string{filepath.Join(bin, "rcactl"), "collect", "--quiet"}},
	}
	if kubectl != "" {
		contestants = append(contestants, contestant{name: "kubectl", command: []string{kubectl, "get", strings.Join(listedResources(), ","), "-o", "json"}})
	}
	for i := range contestants { // warms the server's caches, and weighs the answers
		n := &contestants[i]
		before := wire.bytes()
		measure(through, n.command[0], n.command[1:]...)
		n.wire = wire.bytes() - before
	}
	c.sameLists(b)
	for range b.N {
		for range 3 {
			for i := range contestants {
				n := &contestants[i]
				n.runs = append(n.runs, measure(kubeconfig, n.command[0], n.command[1:]...))
			}
		}
	}
	bare := median(contestants[0].runs)
	for _, n := range contestants {
		u := median(n.runs)
		b.ReportMetric(u.rss, n.name+"-MB")
		b.ReportMetric(float64(n.wire)/1e6, n.name+"-wire-MB")
		if n.name == "list" {
			b.ReportMetric(u.wall.Seconds(), "list-s")
			continue
		}
		b.ReportMetric(float64(u.wall)/float64(bare.wall), n.name+"-wall/list")
		b.ReportMetric(float64(u.cpu)/float64(bare.cpu), n.name+"-cpu/list")
	}
	if kubectl != "" {
		b.ReportMetric(float64(median(contestants[1].runs).wall)/float64(median(contestants[3].runs).wall), "first-wall/kubectl")
	}
	b.ReportMetric(0, "ns/op")
}

// contestant is a program of the comparison.
type contestant struct {
	name    string
	command []string
	wire    int64
	runs    []usage
}

// meter passes connections on to a server and counts what comes back.
type meter struct {
	listener net.Listener
	target   string
	total    atomic.Int64
}

func startMeter(b *testing.B, server string) *meter {
	b.Helper()
	u, err := url.Parse(server)
	if err != nil {
		b.Fatal(err)
	}
	m := &meter{target: u.Host}
	if m.listener, err = (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.listener.Close() })
	go func() {
		for {
			conn, err := m.listener.Accept()
			if err != nil {
				return
			}
			go m.pass(conn)
		}
	}()
	return m
}

func (m *meter) pass(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	server, err := net.Dial("tcp", m.target)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, conn)
		_ = server.Close()
	}()
	_, _ = io.Copy(io.MultiWriter(conn, m), server)
}

// Write counts.
func (m *meter) Write(p []byte) (int, error) {
	m.total.Add(int64(len(p)))
	return len(p), nil
}

// bytes is what came back up to now.
func (m *meter) bytes() int64 { return m.total.Load() }

// kubeconfig is a copy of one that leads through the meter.
func (m *meter) kubeconfig(b *testing.B, path string) string {
	b.Helper()
	cfg, err := clientcmd.LoadFromFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, cluster := range cfg.Clusters {
		cluster.Server = "https://" + m.listener.Addr().String()
	}
	path = filepath.Join(b.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		b.Fatal(err)
	}
	return path
}

// sameLists fails the comparison when the programs did not list the same kinds.
func (c *cluster) sameLists(b *testing.B) {
	b.Helper()
	lists := map[string]map[string]bool{}
	for _, l := range c.server.Audit(b, testbed.ServiceAccountUser(c.ns, "rcactl"), 0) {
		if l.Verb != "list" {
			continue
		}
		who, _, _ := strings.Cut(l.UserAgent, "/")
		if lists[who] == nil {
			lists[who] = map[string]bool{}
		}
		bare, _, _ := strings.Cut(l.URI, "?")
		lists[who][path.Base(bare)] = true
	}
	if want, got := lists["rcactl"], lists["barelist"]; !maps.Equal(want, got) || len(want) == 0 {
		b.Fatalf("not the same was listed:\nrcactl   %q\nbarelist %q", slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	}
}

// usage is what a process cost.
type usage struct {
	wall, cpu time.Duration
	rss       float64 // MB
}

func run(b *testing.B, cmd *exec.Cmd) usage {
	b.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said // what kubectl prints is too much to be kept
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	peak := make(chan float64)
	ended := make(chan struct{})
	go func() { peak <- peakOf(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := usage{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	close(ended)
	u.rss = <-peak
	if err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, said.Bytes())
	}
	return u
}

// peakOf watches the peak of a process' memory in MB; zero where that cannot be
// seen. What wait tells includes that of this process, from which it was forked.
func peakOf(pid int, ended <-chan struct{}) (mb float64) {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil {
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				if kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64); err == nil {
					mb = kb / 1024
				}
			}
		}
		select {
		case <-ended:
			return mb
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// median takes the run with the median wall time.
func median(all []usage) usage {
	slices.SortFunc(all, func(a, b usage) int { return int(a.wall - b.wall) })
	return all[len(all)/2]
}

// fill makes n Deployments with two revisions each and n ConfigMaps.
func (c *cluster) fill(b *testing.B, n int) {
	b.Helper()
	cfg := rest.CopyConfig(c.server.AdminConfig())
	cfg.QPS, cfg.Burst = -1, 0
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		b.Fatal(err)
	}
	c.client = client
	none := int32(0)
	c.each(b, n, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("svc-%05d", i)
		labels := map[string]string{"app.kubernetes.io/name": name}
		env := make([]corev1.EnvVar, 10)
		for j := range env {
			env[j] = corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", j), Value: fmt.Sprintf("value %d of %s", j, name)}
		}
		_, err := client.AppsV1().Deployments(c.ns).Create(ctx, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec: appsv1.DeploymentSpec{
				Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "registry.example/" + name + ":v1", Env: env}}},
				},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		data := map[string]string{}
		for j := range 10 {
			data[fmt.Sprintf("key-%d", j)] = fmt.Sprintf("%0100d", i)
		}
		_, err = client.CoreV1().ConfigMaps(c.ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: data}, metav1.CreateOptions{})
		return err
	})
	c.awaitReplicaSets(b, n)
	c.each(b, n, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("svc-%05d", i)
		patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example/%s:v2"}]}}}}`, name)
		_, err := client.AppsV1().Deployments(c.ns).Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	})
	c.awaitReplicaSets(b, 2*n)
}

// each runs do for 0 to n-1, sixteen at a time.
func (c *cluster) each(b *testing.B, n int, do func(ctx context.Context, i int) error) {
	b.Helper()
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range numbers {
				if err := do(b.Context(), i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// awaitReplicaSets waits until the controllers have made n ReplicaSets.
func (c *cluster) awaitReplicaSets(b *testing.B, n int) {
	b.Helper()
	for range 600 {
		list, err := c.client.AppsV1().ReplicaSets(c.ns).List(b.Context(), metav1.ListOptions{Limit: 1, ResourceVersion: ""})
		if err != nil {
			b.Fatal(err)
		}
		have := len(list.Items)
		if list.RemainingItemCount != nil {
			have += int(*list.RemainingItemCount)
		}
		if have >= n {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	b.Fatalf("there are fewer than %d ReplicaSets after five minutes", n)
}

// bareList is what collect is compared with: a program that lists the same objects
// with client-go, page by page and in protobuf, and does nothing with them.
func bareList() {
	if err := listAll(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// listedKind is a kind that rcactl reads by default, and the list that holds it;
// nil for metadata only.
type listedKind struct {
	group, version, plural string
	cluster                bool
	list                   func() runtime.Object
}

func (k listedKind) path(ns string) string {
	path := "/apis/" + k.group + "/" + k.version
	if k.group == "" {
		path = "/api/" + k.version
	}
	if !k.cluster {
		path += "/namespaces/" + ns
	}
	return path + "/" + k.plural
}

func listed() []listedKind {
	return []listedKind{
		{"apps", "v1", "deployments", false, func() runtime.Object { return &appsv1.DeploymentList{} }},
		{"apps", "v1", "replicasets", false, func() runtime.Object { return &appsv1.ReplicaSetList{} }},
		{"apps", "v1", "statefulsets", false, func() runtime.Object { return &appsv1.StatefulSetList{} }},
		{"apps", "v1", "daemonsets", false, func() runtime.Object { return &appsv1.DaemonSetList{} }},
		{"apps", "v1", "controllerrevisions", false, func() runtime.Object { return &appsv1.ControllerRevisionList{} }},
		{"batch", "v1", "jobs", false, func() runtime.Object { return &batchv1.JobList{} }},
		{"batch", "v1", "cronjobs", false, func() runtime.Object { return &batchv1.CronJobList{} }},
		{"", "v1", "configmaps", false, nil},
		{"", "v1", "secrets", false, nil},
		{"", "v1", "services", false, func() runtime.Object { return &corev1.ServiceList{} }},
		{"", "v1", "resourcequotas", false, func() runtime.Object { return &corev1.ResourceQuotaList{} }},
		{"", "v1", "limitranges", false, func() runtime.Object { return &corev1.LimitRangeList{} }},
		{"autoscaling", "v2", "horizontalpodautoscalers", false, func() runtime.Object { return &autoscalingv2.HorizontalPodAutoscalerList{} }},
		{"networking.k8s.io", "v1", "ingresses", false, func() runtime.Object { return &networkingv1.IngressList{} }},
		{"networking.k8s.io", "v1", "networkpolicies", false, func() runtime.Object { return &networkingv1.NetworkPolicyList{} }},
		{"policy", "v1", "poddisruptionbudgets", false, func() runtime.Object { return &policyv1.PodDisruptionBudgetList{} }},
		{"apiextensions.k8s.io", "v1", "customresourcedefinitions", true, nil},
		{"", "v1", "pods", false, func() runtime.Object { return &corev1.PodList{} }},
		{"", "v1", "nodes", true, func() runtime.Object { return &corev1.NodeList{} }},
		{"", "v1", "events", false, func() runtime.Object { return &corev1.EventList{} }},
	}
}

// listedResources names them as kubectl takes them.
func listedResources() []string {
	var names []string
	for _, k := range listed() {
		name := k.plural
		if k.group != "" {
			name += "." + k.version + "." + k.group
		}
		names = append(names, name)
	}
	return names
}

func listAll(ctx context.Context) error {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil)
	cfg, err := loader.ClientConfig()
	if err != nil {
		return err
	}
	ns, _, err := loader.Namespace()
	if err != nil {
		return err
	}
	cfg.QPS, cfg.Burst = -1, 0
	cfg.UserAgent = "barelist/1"
	cfg.AcceptContentTypes, cfg.ContentType = "application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(metadata.ConfigFor(cfg))
	if err != nil {
		return err
	}
	for _, k := range listed() {
		options := metav1.ListOptions{Limit: 500}
		for {
			var page metav1.ListInterface
			if k.list == nil {
				resource := meta.Resource(schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.plural})
				var scoped metadata.ResourceInterface = resource
				if !k.cluster {
					scoped = resource.Namespace(ns)
				}
				page, err = scoped.List(ctx, options)
			} else {
				object := k.list()
				err = client.CoreV1().RESTClient().Get().AbsPath(k.path(ns)).VersionedParams(&options, scheme.ParameterCodec).Do(ctx).Into(object)
				page, _ = object.(metav1.ListInterface)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", k.plural, err)
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return nil
}
