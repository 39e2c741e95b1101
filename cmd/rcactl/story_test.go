package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/testbed"
)

// brokenImage is one that the testbed's kubelet cannot pull.
const brokenImage = "registry.example/shop/checkout:v1.4.3-broken"

// story plays what the main job is about: two rollouts, a rollback and a broken
// image.
func (c *cluster) story(t *testing.T) {
	t.Helper()
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	settle()
	c.setImage(t, "checkout", "registry.example/shop/checkout:v1.4.1")
	c.server.AwaitRollout(t, c.ns, "checkout")
	settle()
	c.setImage(t, "checkout", "registry.example/shop/checkout:v1.4.2")
	c.server.AwaitRollout(t, c.ns, "checkout")
	settle()
	c.undo(t, "checkout", 1)
	c.server.AwaitRollout(t, c.ns, "checkout")
	settle()
	c.setImage(t, "checkout", brokenImage)
	c.awaitPodWaiting(t, "ImagePullBackOff")
	settle()
}

func TestStory(t *testing.T) {
	c := newCluster(t)
	began := time.Now().Add(-2 * time.Second)
	c.story(t)
	l := newLaptop(t, c.reader(t))

	dir, a := l.collect(t, exitComplete, "--since", "1h")
	events := evidenceIn(t, dir)
	changes := deployments(events, "checkout")
	type change struct {
		Change             evidence.Change
		From, To           int64
		FromImage, ToImage string
		Status             evidence.Status
	}
	var got []change
	for _, e := range changes {
		d := e.Deployment
		g := change{Change: d.Change, Status: d.Status}
		if d.From != nil {
			g.From, g.FromImage = d.From.Revision, d.From.Images[0].Image
		}
		if d.To != nil {
			g.To, g.ToImage = d.To.Revision, d.To.Images[0].Image
		}
		got = append(got, g)
		if !strings.HasSuffix(e.ServiceKey, "/"+c.ns+"/checkout") {
			t.Errorf("%s: service_key %q", d.Change, e.ServiceKey)
		}
		if e.Time.Before(began) || e.Time.After(time.Now()) || d.Started == nil || d.StartedBasis == "" {
			t.Errorf("%s: time %s, started %v by %q", d.Change, e.Time, d.Started, d.StartedBasis)
		}
	}
	const image = "registry.example/shop/checkout:"
	want := []change{
		{Change: "create", To: 1, ToImage: image + "v1.4.0", Status: "superseded"},
		{Change: "rollout", From: 1, To: 2, FromImage: image + "v1.4.0", ToImage: image + "v1.4.1", Status: "superseded"},
		{Change: "rollout", From: 2, To: 3, FromImage: image + "v1.4.1", ToImage: image + "v1.4.2", Status: "superseded"},
		{Change: "rollback", From: 3, To: 4, FromImage: image + "v1.4.2", ToImage: image + "v1.4.0", Status: "superseded"},
		{Change: "rollout", From: 4, To: 5, FromImage: image + "v1.4.0", ToImage: brokenImage, Status: "progressing"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n got %+v\nwant %+v", got, want)
	}
	var pulls int
	for _, e := range events {
		if e.Signal != nil && e.Signal.Class == "image_pull" && e.Source.Stream == "pods" {
			pulls++
			if e.Signal.Image != brokenImage || !e.Signal.Ongoing {
				t.Errorf("image_pull: %+v", e.Signal)
			}
		}
	}
	if pulls == 0 {
		t.Error("no pod is reported with an image that cannot be pulled")
	}
	for _, want := range []string{"rollback", "v1.4.1 → v1.4.2", "image pull", c.ns + "/checkout"} {
		if !strings.Contains(a.stderr, want) {
			t.Errorf("the summary does not say %q:\n%s", want, a.stderr)
		}
	}
	l.must(t, exitComplete, "manifest", "verify", dir)
}

func TestTheSameWindowTwiceGivesTheSameBytes(t *testing.T) {
	c := newCluster(t)
	c.story(t)
	l := newLaptop(t, c.reader(t))
	from, to := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)
	one, _ := l.collect(t, exitComplete, "--from", from, "--to", to)
	two, _ := l.collect(t, exitComplete, "--from", from, "--to", to)
	if one == two {
		t.Fatal("both runs have one directory")
	}
	files, _ := filepath.Glob(filepath.Join(one, "evidence", "*"))
	if len(files) == 0 {
		t.Fatal("no evidence")
	}
	for _, file := range files {
		if other := filepath.Join(two, "evidence", filepath.Base(file)); !bytes.Equal(read(t, file), read(t, other)) {
			t.Errorf("%s differs:\n%s\n%s", filepath.Base(file), read(t, file), read(t, other))
		}
	}
}

func TestCursorsReportNothingTwiceAndLoseNothing(t *testing.T) {
	c := newCluster(t)
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	settle()
	l := newLaptop(t, c.reader(t))

	first, _ := l.collect(t, exitComplete)
	if got := len(deployments(evidenceIn(t, first), "checkout")); got != 1 {
		t.Fatalf("the first run reports %d changes, want the creation", got)
	}
	second, _ := l.collect(t, exitComplete)
	if got := evidenceIn(t, second); len(got) != 0 {
		t.Errorf("nothing changed, and the second run reports %d events, for example %+v", len(got), got[0])
	}
	c.setImage(t, "checkout", "registry.example/shop/checkout:v1.4.1")
	c.server.AwaitRollout(t, c.ns, "checkout")
	settle()
	third, _ := l.collect(t, exitComplete)
	var seen []evidence.Change
	for _, e := range deployments(evidenceIn(t, third), "checkout") {
		if e.Deployment.Status == evidence.StatusComplete || e.Deployment.Change == evidence.ChangeRollout {
			seen = append(seen, e.Deployment.Change)
		}
	}
	if !slices.Equal(seen, []evidence.Change{evidence.ChangeRollout}) {
		t.Errorf("the third run reports %v, want the rollout", seen)
	}
	if err := c.client.AppsV1().Deployments(c.ns).Delete(t.Context(), "checkout", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	settle()
	fourth, _ := l.collect(t, exitComplete)
	deleted := deployments(evidenceIn(t, fourth), "checkout")
	if len(deleted) != 1 || deleted[0].Deployment.Change != evidence.ChangeDelete || deleted[0].Deployment.NotBefore == nil {
		t.Errorf("the fourth run reports %+v, want a deletion between two looks", deleted)
	}
	l.must(t, exitComplete, "manifest", "verify", fourth)
}

func TestOnlyGetListAndAccessReviewsAreSent(t *testing.T) {
	c := newCluster(t)
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	l := newLaptop(t, c.reader(t))
	since := c.server.AuditOffset(t)
	l.collect(t, exitComplete, "--since", "1h")
	lines := c.server.Audit(t, testbed.ServiceAccountUser(c.ns, "rcactl"), since)
	if len(lines) < 8 {
		t.Fatalf("the audit log has only %d lines of this run", len(lines))
	}
	for _, line := range lines {
		review := line.Verb == "create" && strings.Contains(line.URI, "/selfsubjectaccessreviews")
		if line.Verb != "get" && line.Verb != "list" && !review {
			t.Errorf("sent: %s", line)
		}
		// A transport-level test shows that such a list has no values.
		if strings.Contains(line.URI, "/secrets") && line.Verb != "list" {
			t.Errorf("asked for a Secret: %s", line)
		}
	}
}

func TestAMissingGrantIsStatedAndTheRestIsCollected(t *testing.T) {
	c := newCluster(t)
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	settle()
	l := newLaptop(t, c.reader(t, "pods"))
	dir, a := l.collect(t, exitPartial, "--since", "1h")
	if got := len(deployments(evidenceIn(t, dir), "checkout")); got != 1 {
		t.Errorf("%d changes, want 1", got)
	}
	statement := string(read(t, filepath.Join(dir, "manifest.json")))
	for _, want := range []string{`"partial"`, `"pods"`, `"list"`, c.ns} {
		if !strings.Contains(statement, want) {
			t.Errorf("the manifest does not say %s:\n%s", want, statement)
		}
	}
	if !strings.Contains(a.stderr, "pods") {
		t.Errorf("stderr does not name the missing grant:\n%s", a.stderr)
	}
	l.must(t, exitComplete, "manifest", "verify", dir)
}

func TestNothingPlantedReachesADisk(t *testing.T) {
	const planted = "PLANTED-7f3a"
	c := newCluster(t)
	secretText := func(where string) string { return planted + "-" + where }
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "flags", Annotations: map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"k":"` + secretText("last-applied") + `"}}`,
			"note": secretText("annotation"),
		}},
		Data: map[string]string{"PAYMENT_TIMEOUT": secretText("configmap")},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.CoreV1().Secrets(c.ns).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "db"}, StringData: map[string]string{"password": secretText("secret")},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0", func(d *appsv1.Deployment) {
		d.Annotations = map[string]string{
			"kubernetes.io/change-cause":                       secretText("change-cause"),
			"kubectl.kubernetes.io/last-applied-configuration": secretText("last-applied"),
			"note": secretText("annotation"),
		}
		d.Spec.Template.Annotations = map[string]string{"note": secretText("template-annotation")}
		d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", Value: secretText("env")}}
		d.Spec.Template.Spec.Containers[0].Args = []string{secretText("args")}
	})
	pods, err := c.client.CoreV1().Pods(c.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		t.Fatal("no pods", err)
	}
	for i, reason := range []string{"Unhealthy", "Failed", "BackOff", "FailedMount", "Odd"} {
		now := metav1.Now()
		if _, err := c.client.CoreV1().Events(c.ns).Create(t.Context(), &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{GenerateName: "planted-"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: c.ns, Name: pods.Items[0].Name, UID: pods.Items[0].UID},
			Reason:         reason, Type: corev1.EventTypeWarning, Count: int32(i + 1), FirstTimestamp: now, LastTimestamp: now,
			Message: "Liveness probe failed: " + secretText("message") + " https://user:" + secretText("url") + "@example.com/",
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	settle()

	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	l := newLaptop(t, c.server.Kubeconfig())
	dir, a := l.collect(t, exitComplete, "--since", "1h", "--namespace", c.ns, "--verbose")
	l.collect(t, exitComplete, "--namespace", c.ns)
	if len(evidenceIn(t, dir)) < 3 {
		t.Error("hardly any evidence: the test proves nothing")
	}
	said := a.stdout + a.stderr
	// Once more with values that are read for their fingerprints, and change.
	config := filepath.Join(l.home, "rcactl.yaml")
	write(t, config, []byte("version: 1\nconnectors: {kubernetes: {namespaces: "+c.ns+", fingerprints: true}}\n"))
	_, a = l.collect(t, exitComplete, "--config", config, "--verbose")
	said += a.stdout + a.stderr
	settle()
	if _, err := c.client.CoreV1().Secrets(c.ns).Update(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "db"}, StringData: map[string]string{"password": secretText("rotated")},
	}, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
	settle()
	valued, a := l.collect(t, exitComplete, "--config", config, "--verbose")
	said += a.stdout + a.stderr
	if !slices.ContainsFunc(evidenceIn(t, valued), func(e evidence.Event) bool {
		return e.Source.Object.Name == "db" && e.ConfigChange != nil && slices.Equal(e.ConfigChange.Changed, []string{"password"})
	}) {
		t.Error("the rotated Secret is not told: the test proves nothing of fingerprints")
	}
	if !strings.Contains(string(read(t, filepath.Join(valued, "manifest.json"))), "were read, because the config asks for fingerprints") {
		t.Error("the manifest does not say that values were read")
	}
	if strings.Contains(said, planted) {
		t.Errorf("shown or logged:\n%s", said)
	}
	files := 0
	for _, root := range []string{l.home, temp} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			for _, text := range []string{planted, base64.StdEncoding.EncodeToString([]byte(secretText("secret"))), base64.StdEncoding.EncodeToString([]byte(secretText("rotated")))} {
				if bytes.Contains(read(t, path), []byte(text)) {
					t.Errorf("%s holds a planted string", path)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Errorf("looked into only %d files", files)
	}
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	c := newCluster(t)
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	settle()
	kubeconfig := c.reader(t)
	evidenceFile := "evidence/kubernetes.DeploymentEvent.jsonl"

	for name, tamper := range map[string]struct {
		do   func(t *testing.T, l *laptop, runs []string) (args []string)
		want string
	}{
		"flipped byte": {func(t *testing.T, _ *laptop, runs []string) []string {
			file := filepath.Join(runs[1], evidenceFile)
			b := read(t, file)
			b[len(b)/2] ^= 1
			write(t, file, b)
			return []string{runs[1]}
		}, evidenceFile},
		"flipped byte in the manifest": {func(t *testing.T, _ *laptop, runs []string) []string {
			file := filepath.Join(runs[1], "manifest.json")
			b := read(t, file)
			i := bytes.Index(b, []byte("complete"))
			b[i] = 'C'
			write(t, file, b)
			return []string{runs[1]}
		}, "manifest.json"},
		"removed file": {func(t *testing.T, _ *laptop, runs []string) []string {
			if err := os.Remove(filepath.Join(runs[1], evidenceFile)); err != nil {
				t.Fatal(err)
			}
			return []string{runs[1]}
		}, evidenceFile},
		"added file": {func(t *testing.T, _ *laptop, runs []string) []string {
			write(t, filepath.Join(runs[1], "evidence", "more.jsonl"), []byte("{}\n"))
			return []string{runs[1]}
		}, "evidence/more.jsonl"},
		"removed run": {func(t *testing.T, _ *laptop, runs []string) []string {
			if err := os.RemoveAll(runs[1]); err != nil {
				t.Fatal(err)
			}
			return []string{runs[2]}
		}, "2"},
		"another key": {func(t *testing.T, l *laptop, runs []string) []string {
			prefix := filepath.Join(t.TempDir(), "other")
			l.must(t, exitComplete, "manifest", "keygen", prefix)
			return []string{runs[1], "--key", prefix + ".pub"}
		}, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaptop(t, kubeconfig)
			var runs []string
			for range 3 {
				dir, _ := l.collect(t, exitComplete, "--since", "1h")
				runs = append(runs, dir)
			}
			l.must(t, exitComplete, "manifest", "verify", runs[2])
			args := tamper.do(t, l, runs)
			a := l.must(t, exitUnverified, append([]string{"manifest", "verify"}, args...)...)
			if !strings.Contains(a.stdout+a.stderr, tamper.want) {
				t.Errorf("it does not name %q:\n%s%s", tamper.want, a.stdout, a.stderr)
			}
			j := l.must(t, exitUnverified, append([]string{"manifest", "verify", "--output", "json"}, args...)...)
			if !json.Valid([]byte(j.stdout)) {
				t.Errorf("not one JSON document: %s", j.stdout)
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
