package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dumpRSS is what a recording of 100,000 objects may take, in kB.
const dumpRSS = 120 << 10

// TestARecordingOfManyObjectsStaysSmall reads a support bundle of 100,000 objects
// in a process of its own, without the race detector.
func TestARecordingOfManyObjectsStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads 250 MB")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system does not tell the peak of a process:", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "rcactl")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	bundle := filepath.Join(dir, "bundle.tar.gz")
	n := writeBundle(t, bundle)
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), program, "collect", "--dump", bundle, "--since", "2h", "--output", "json", "--timeout", "5m")
	cmd.Env = []string{"HOME=" + dir}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := make(chan int)
	done := make(chan struct{})
	go func() {
		most := 0
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, residentPeak(cmd.Process.Pid))
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	kB := <-peak
	if code := cmd.ProcessState.ExitCode(); err != nil && code != int(exitPartial) {
		t.Fatalf("exit %d: %v\n%s", code, err, stderr.String())
	}
	if want := fmt.Sprintf("recording of %d objects", n); !strings.Contains(stdout.String(), want) {
		t.Errorf("the manifest does not say %q:\n%s", want, stderr.String())
	}
	t.Logf("%d objects: %d MB at most, %v", n, kB>>10, time.Since(began).Round(time.Millisecond))
	if kB > dumpRSS {
		t.Errorf("%d objects take %d MB, more than %d", n, kB>>10, dumpRSS>>10)
	}
}

// residentPeak is the most memory that a process had so far, in kB.
func residentPeak(pid int) int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kB
		}
	}
	return 0
}

// writeBundle writes a support bundle of a cluster with 100,000 objects, some of
// which changed within its last hour, and gives their number.
func writeBundle(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(zip)
	total := 0
	for _, kind := range []struct {
		name, list, version string
		n                   int
		item                func(w io.Writer, i int)
	}{
		{"deployments", "DeploymentList", "apps/v1", 4_000, bundleDeployment},
		{"replicasets", "ReplicaSetList", "apps/v1", 8_000, bundleReplicaSet},
		{"configmaps", "ConfigMapList", "v1", 8_000, bundleConfigMap},
		{"pods", "PodList", "v1", 20_000, bundlePod},
		{"events", "EventList", "v1", 60_000, bundleEvent},
	} {
		var text bytes.Buffer
		w := bufio.NewWriter(&text)
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{},"items":[`, kind.list, kind.version)
		for i := range kind.n {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			kind.item(w, i)
		}
		fmt.Fprint(w, "]}")
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		total += kind.n
		if err := out.WriteHeader(&tar.Header{Name: "cluster-resources/" + kind.name + "/shop.json", Mode: 0o600, Size: int64(text.Len()), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := text.WriteTo(out); err != nil {
			t.Fatal(err)
		}
	}
	for _, closer := range []io.Closer{out, zip, f} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return total
}

// bundleTime is when something happened: to one in ten within the last hour.
func bundleTime(i int) string {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if i%10 == 0 {
		at = at.Add(11 * time.Hour)
	}
	return at.Add(time.Duration(i%3600) * time.Second).Format(time.RFC3339)
}

func bundleMeta(w io.Writer, kind, i int, name, more string) {
	fmt.Fprintf(w, `{"metadata":{"name":%q,"namespace":"shop","uid":"%08x-0000-4000-8000-%012x","resourceVersion":"%d","creationTimestamp":%q,`+
		`"labels":{"app.kubernetes.io/name":"svc-%d","pod-template-hash":"h%d"},%s"managedFields":[{"manager":"deploy-pipeline","operation":"Update",`+
		`"apiVersion":"v1","time":%q,"fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/name":{}}},"f:data":{".":{},"f:key-1":{},"f:key-2":{}}}}]}`,
		name, kind, i, i, bundleTime(i), i%4000, i, more, bundleTime(i))
}

const bundleSpec = `{"metadata":{"labels":{"app.kubernetes.io/name":"svc-%d"}},"spec":{"containers":[{"name":"app","image":"registry.example/svc-%d:v%d",` +
	`"env":[{"name":"A","value":"1"},{"name":"B","value":"2"},{"name":"C","value":"3"},{"name":"D","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],` +
	`"resources":{"limits":{"memory":"256Mi"}},"ports":[{"containerPort":8080}],"livenessProbe":{"httpGet":{"path":"/healthz","port":8080}}}]}}`

func bundleDeployment(w io.Writer, i int) {
	bundleMeta(w, 1, i, fmt.Sprintf("svc-%d", i), `"generation":2,`)
	fmt.Fprintf(w, `,"spec":{"replicas":5,"selector":{"matchLabels":{"app.kubernetes.io/name":"svc-%d"}},"template":`+bundleSpec+`},"status":{"observedGeneration":2,"replicas":5,"updatedReplicas":5,"readyReplicas":5,"availableReplicas":5}}`, i, i, i, 2)
}

func bundleReplicaSet(w io.Writer, i int) {
	owner := i % 4000
	bundleMeta(w, 2, i, fmt.Sprintf("svc-%d-h%d", owner, i), fmt.Sprintf(`"annotations":{"deployment.kubernetes.io/revision":"%d"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"svc-%d","uid":"%08x-0000-4000-8000-%012x","controller":true}],`, i/4000+1, owner, 1, owner))
	fmt.Fprintf(w, `,"spec":{"replicas":0,"template":`+bundleSpec+`}}`, owner, owner, i/4000+1)
}

func bundleConfigMap(w io.Writer, i int) {
	bundleMeta(w, 3, i, fmt.Sprintf("config-%d", i), "")
	fmt.Fprintf(w, `,"data":{"key-1":"%0500d","key-2":"%0500d"}}`, i, i)
}

func bundlePod(w io.Writer, i int) {
	set := 4000 + i%4000
	bundleMeta(w, 4, i, fmt.Sprintf("svc-%d-h%d-%d", i%4000, set, i), fmt.Sprintf(`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"svc-%d-h%d","uid":"%08x-0000-4000-8000-%012x","controller":true}],`, i%4000, set, 2, set))
	fmt.Fprintf(w, `,"spec":{"nodeName":"node-%d","containers":[{"name":"app","image":"registry.example/svc-%d:v2"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":%q}],`+
		`"containerStatuses":[{"name":"app","ready":true,"restartCount":%d,"image":"registry.example/svc-%d:v2","imageID":"registry.example/svc-%d@sha256:%064x","state":{"running":{"startedAt":%q}}}]}}`,
		i%100, i%4000, bundleTime(i), i%3, i%4000, i%4000, i%4000, bundleTime(i))
}

func bundleEvent(w io.Writer, i int) {
	pod := i % 20000
	bundleMeta(w, 5, i, fmt.Sprintf("svc-%d.%x", i%4000, i), "")
	kind, reason, message := "Normal", "Pulled", "Container image already present on machine"
	if i%20 == 0 {
		kind, reason, message = "Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"
	}
	fmt.Fprintf(w, `,"involvedObject":{"kind":"Pod","namespace":"shop","name":"svc-%d-h%d-%d","uid":"%08x-0000-4000-8000-%012x","fieldPath":"spec.containers{app}"},`+
		`"reason":%q,"message":%q,"type":%q,"count":%d,"firstTimestamp":%q,"lastTimestamp":%q,"source":{"component":"kubelet","host":"node-%d"}}`,
		pod%4000, 4000+pod%4000, pod, 4, pod, reason, message, kind, i%7+1, bundleTime(i), bundleTime(i), pod%100)
}
