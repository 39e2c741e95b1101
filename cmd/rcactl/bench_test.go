package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// benchObjects says how many Deployments (and ConfigMaps, and half of the
// ReplicaSets) the cluster of BenchmarkCollect has; 2000 without it.
const benchObjects = "RCACTL_BENCH_OBJECTS"

// BenchmarkCollect compares in one run, on one cluster, what rcactl collect costs
// with what bare paged lists of the same objects cost, each as a process of its
// own. Its figures are ratios; times of two runs on two machines say nothing.
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
	for _, name := range []string{"rcactl", "barelist"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			b.Fatal(err)
		}
	}
	kubeconfig := c.reader(b)
	measure := func(name string, args ...string) usage {
		cmd := exec.CommandContext(b.Context(), filepath.Join(bin, name), args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "KUBECONFIG="+kubeconfig)
		return run(b, cmd)
	}
	measure("barelist") // warms the server's caches
	measure("rcactl", "collect", "--quiet")
	var list, first, second []usage
	for range b.N {
		for range 3 {
			list = append(list, measure("barelist"))
			first = append(first, measure("rcactl", "collect", "--quiet", "--since", "24h"))
			second = append(second, measure("rcactl", "collect", "--quiet"))
		}
	}
	bare := median(list)
	for name, u := range map[string]usage{"first": median(first), "second": median(second)} {
		b.ReportMetric(float64(u.wall)/float64(bare.wall), name+"-wall/list")
		b.ReportMetric(float64(u.cpu)/float64(bare.cpu), name+"-cpu/list")
		b.ReportMetric(u.rss, name+"-MB")
	}
	b.ReportMetric(bare.wall.Seconds(), "list-s")
	b.ReportMetric(bare.rss, "list-MB")
	b.ReportMetric(0, "ns/op")
}

// usage is what a process cost.
type usage struct {
	wall, cpu time.Duration
	rss       float64 // MB
}

func run(b *testing.B, cmd *exec.Cmd) usage {
	b.Helper()
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	u := usage{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if sys, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.rss = float64(sys.Maxrss) / 1024
	}
	return u
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
	cfg.AcceptContentTypes, cfg.ContentType = "application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(metadata.ConfigFor(cfg))
	if err != nil {
		return err
	}
	apps, core := client.AppsV1(), client.CoreV1()
	for _, list := range []func(metav1.ListOptions) (metav1.ListInterface, error){
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return apps.Deployments(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return apps.ReplicaSets(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return apps.StatefulSets(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return apps.DaemonSets(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) {
			return apps.ControllerRevisions(ns).List(ctx, o)
		},
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return core.Pods(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) { return core.Events(ns).List(ctx, o) },
		func(o metav1.ListOptions) (metav1.ListInterface, error) {
			return meta.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(ns).List(ctx, o)
		},
	} {
		options := metav1.ListOptions{Limit: 500}
		for {
			page, err := list(options)
			if err != nil {
				return err
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return nil
}
