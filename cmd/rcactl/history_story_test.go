package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log" //nolint:depguard // the registry takes no other
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/testbed/github"
)

// plantedInHistory are strings that stand in the history, the names of branches and
// files, or the credential, and that nobody but their owner should ever see.
func plantedInHistory() []string {
	return []string{"Planted Person", "planted@example.test", "PLANTED-7f3a", "planted-path", "planted-branch", "ghs_planted"}
}

const plantedToken = "ghs_planted0123456789abcdefghijklmnopqrstuv"

// clone is a git repository of a test.
type clone struct {
	dir string
	at  time.Time
}

func newClone(t *testing.T) *clone {
	t.Helper()
	r := &clone{dir: t.TempDir(), at: time.Now().Add(-3 * time.Hour).Truncate(time.Second)}
	r.git(t, "init", "--quiet", "--initial-branch", "main")
	return r
}

func (r *clone) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = r.dir
	date := r.at.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Planted Person", "GIT_AUTHOR_EMAIL=planted@example.test", "GIT_AUTHOR_DATE="+date,
		"GIT_COMMITTER_NAME=Planted Person", "GIT_COMMITTER_EMAIL=planted@example.test", "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file and commits it some minutes after the commit before.
func (r *clone) commit(t *testing.T, file, message string) string {
	t.Helper()
	r.at = r.at.Add(10 * time.Minute)
	path := filepath.Join(r.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, []byte(message))
	r.git(t, "add", "--all")
	r.git(t, "commit", "--quiet", "--message", message)
	return r.git(t, "rev-parse", "HEAD")
}

// between is what git says lies between two commits, sorted.
func (r *clone) between(t *testing.T, base, head string) []string {
	t.Helper()
	return slices.Sorted(strings.FieldsSeq(r.git(t, "rev-list", base+".."+head)))
}

// shop is all that the story needs beside a cluster: a history, a GitHub that serves
// it, and a registry with images of two of its commits.
type shop struct {
	*cluster
	clone          *clone
	github         *github.Server
	registry       string
	asked          *atomic.Int64 // of the registry
	before, now    string        // commits
	laptop         *laptop
	config         string
	one, two       string // images with labels
	plain, foreign string // without, and with those of another repository
}

func newShop(t *testing.T, more ...github.Option) *shop {
	t.Helper()
	s := &shop{cluster: newCluster(t), clone: newClone(t), asked: &atomic.Int64{}}
	r := s.clone
	first := r.commit(t, "README.md", "Begin")
	s.before = r.commit(t, "checkout/main.go", "feat(checkout): pay")
	r.git(t, "checkout", "--quiet", "-b", "planted-branch")
	r.commit(t, "db/migrations/0002_planted-path.sql", "feat(db): a column\n\nPLANTED-7f3a, asked for by planted@example.test")
	r.commit(t, "checkout/main.go", "fix(checkout): PLANTED-7f3a waits longer\n\nCo-authored-by: Planted Person <planted@example.test>")
	r.git(t, "checkout", "--quiet", "main")
	r.at = r.at.Add(10 * time.Minute)
	r.git(t, "merge", "--quiet", "--no-ff", "--message", "Merge pull request #12 from acme/planted-branch\n\nPLANTED-7f3a", "planted-branch")
	s.now = r.commit(t, "checkout/retry.go", "chore: PLANTED-7f3a (#13)")

	more = append(more, github.WithToken(plantedToken, github.Access{Login: "planted-login"}))
	s.github = github.New(t, github.Repository{Dir: r.dir, Owner: "acme", Name: "shop"}, more...)
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(images.Close)
	s.registry = strings.TrimPrefix(images.URL, "http://")
	label := func(repository, sha string) map[string]string {
		return map[string]string{"org.opencontainers.image.revision": sha, "org.opencontainers.image.source": s.github.URL + "/" + repository}
	}
	s.one, s.two = s.push(t, "acme/shop", "v1", label("acme/shop", s.before)), s.push(t, "acme/shop", "v2", label("acme/shop", s.now))
	s.plain, s.foreign = s.push(t, "acme/plain", "v1", nil), s.push(t, "acme/foreign", "v1", label("acme/elsewhere", first))

	s.laptop = newLaptop(t, s.reader(t))
	s.laptop.env["STORY_TOKEN"] = plantedToken
	s.config = s.configure(t, "{}")
	return s
}

// configure writes a config; more are further keys of the github connector.
func (s *shop) configure(t *testing.T, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rcactl.yaml")
	host := strings.TrimPrefix(s.github.URL, "http://")
	write(t, file, fmt.Appendf(nil, `version: 1
connectors:
  kubernetes: {namespaces: %[1]s}
  github: &github
    base_url: %[2]s/api/v3/
    token: env:STORY_TOKEN
    <<: %[5]s
services:
  %[1]s/checkout: {repository: %[3]s/acme/shop, path: checkout}
  %[1]s/foreign: %[3]s/acme/shop
images: {registries: "%[4]s"}
`, s.ns, s.github.URL, host, s.registry, more))
	return file
}

// push makes an image with labels and gives its reference by tag and digest.
func (s *shop) push(t *testing.T, repository, tag string, labels map[string]string) string {
	t.Helper()
	send := func(path, kind string, body []byte) {
		method := http.MethodPut
		if kind == "" {
			method, kind = http.MethodPost, "application/octet-stream"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.registry+"/v2/"+repository+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
	}
	marshal := func(v any) (text []byte, digest string) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text, fmt.Sprintf("sha256:%x", sha256.Sum256(text))
	}
	config, configDigest := marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "created": time.Now().UTC(),
		"config": map[string]any{"Labels": labels, "Env": []string{"SECRET=PLANTED-7f3a"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + fmt.Sprintf("%064x", len(repository+tag))}},
	})
	send("/blobs/uploads/?digest="+configDigest, "", config)
	const kind = "application/vnd.oci.image.manifest.v1+json"
	image, digest := marshal(map[string]any{
		"schemaVersion": 2, "mediaType": kind, "layers": []any{},
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": configDigest, "size": len(config)},
	})
	send("/manifests/"+tag, kind, image)
	return s.registry + "/" + repository + ":" + tag + "@" + digest
}

// play rolls out version one and two and goes back, beside two services of which
// nothing can be said.
func (s *shop) play(t *testing.T) {
	t.Helper()
	s.deploy(t, "plain", s.plain)
	s.deploy(t, "foreign", s.foreign)
	s.deploy(t, "checkout", s.one)
	settle()
	s.setImage(t, "checkout", s.two)
	s.server.AwaitRollout(t, s.ns, "checkout")
	settle()
	s.undo(t, "checkout", 1)
	s.server.AwaitRollout(t, s.ns, "checkout")
	settle()
}

func (s *shop) collect(t *testing.T, code exitCode, args ...string) (string, answer) {
	t.Helper()
	return s.laptop.collect(t, code, append([]string{"--config", s.config}, args...)...)
}

// reasons are the codes of a mapping.
func reasons(m *evidence.Mapping) []string {
	var codes []string
	for _, r := range m.Reasons {
		codes = append(codes, r.Code)
	}
	return codes
}

func TestTheRoadFromARunningImageToItsCommits(t *testing.T) {
	s := newShop(t)
	s.play(t)
	dir, a := s.collect(t, exitComplete)
	events := evidenceIn(t, dir)
	between := s.clone.between(t, s.before, s.now)
	if len(between) != 4 {
		t.Fatalf("the story has %d commits", len(between))
	}

	changes := deployments(events, "checkout")
	if len(changes) != 3 {
		t.Fatalf("%d changes, want 3", len(changes))
	}
	for i, want := range []struct {
		change         evidence.Change
		revision, was  string
		status         string
		ahead, behind  int32
		rollback, some bool
	}{
		{evidence.ChangeCreate, s.before, "", "", 0, 0, false, false},
		{evidence.ChangeRollout, s.now, s.before, "ahead", 4, 0, false, true},
		{evidence.ChangeRollback, s.before, s.now, "behind", 0, 4, true, true},
	} {
		d := changes[i].Deployment
		if d.Change != want.change || d.Revision != want.revision || d.PreviousRevision != want.was || d.Mapping == nil ||
			d.Mapping.Confidence != evidence.ConfidenceHigh || d.Mapping.Method != evidence.MethodImageLabel {
			t.Errorf("%s: %s, before %s, by %+v; want %+v", d.Change, d.Revision, d.PreviousRevision, d.Mapping, want)
		}
		r := d.ChangeRange
		if !want.some {
			if r != nil {
				t.Errorf("%s: %+v", d.Change, r)
			}
			continue
		}
		if r == nil || r.Status != want.status || r.Ahead != want.ahead || r.Behind != want.behind || r.Rollback != want.rollback {
			t.Fatalf("%s: %+v, want %+v", d.Change, r, want)
		}
		if got := slices.Sorted(slices.Values(r.Commits)); !slices.Equal(got, between) {
			t.Errorf("%s: commits %q, and git says %q", d.Change, got, between)
		}
		if !slices.Equal(r.PullRequests, []int64{12, 13}) {
			t.Errorf("%s: pull requests %v, want 12 and 13", d.Change, r.PullRequests)
		}
	}
	if c := changes[1].Deployment.ChangeRange.Categories; !slices.Contains(c, evidence.Category{Category: "migration", Files: 1}) {
		t.Errorf("the migration is not told: %+v", c)
	}
	s.carried(t, events, changes, between)
	for service, why := range map[string]string{"plain": "no_claim", "foreign": "source_mismatch"} {
		d := deployments(events, service)[0].Deployment
		if d.Mapping == nil || d.Mapping.Confidence != evidence.ConfidenceLow || !slices.Contains(reasons(d.Mapping), why) ||
			d.Revision+d.PreviousRevision != "" || d.ChangeRange != nil {
			t.Errorf("%s: %q by %+v, range %+v; want low, because of %s", service, d.Revision, d.Mapping, d.ChangeRange, why)
		}
	}
	before, now := evidence.ShortCommit(s.before), evidence.ShortCommit(s.now)
	for _, want := range []string{
		before + " → " + now + "  high", "4 commits, 1 migration file", "PRs #12, #13", now + " → " + before, "back 4 commits",
		"commit unknown", evidence.ReasonWords("source_mismatch"),
	} {
		if !strings.Contains(a.stderr, want) {
			t.Errorf("the summary does not say %q:\n%s", want, a.stderr)
		}
	}
	s.laptop.must(t, exitComplete, "manifest", "verify", dir)

	s.github.Forget()
	s.asked.Store(0)
	again, b := s.collect(t, exitComplete)
	if got := evidenceIn(t, again); len(got) != 0 {
		t.Errorf("nothing changed, and the second run tells %d events, such as %s", len(got), got[0].Summary)
	}
	asked := 0
	for _, r := range s.github.Requests() {
		if strings.Contains(r.Path, "/repos/acme/shop") {
			asked++
		}
	}
	// One more for the repository that may not be read.
	if all := len(s.github.Requests()); asked > 3 || all > asked+1 {
		t.Errorf("nothing changed, and GitHub was asked %d times, of them %d for the repository: %v", all, asked, s.github.Count())
	}
	if got := s.asked.Load(); got != 0 {
		t.Errorf("the registry was asked %d times for what is kept", got)
	}
	s.nothingPlanted(t, a.stdout+a.stderr+b.stdout+b.stderr)
}

// carried looks for the way back: the commits tell which deployments had them.
func (s *shop) carried(t *testing.T, events, changes []evidence.Event, between []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range events {
		if e.Commit == nil || !slices.Contains(between, e.Commit.SHA) {
			continue
		}
		seen[e.Commit.SHA] = true
		var there, back bool
		for _, by := range e.Commit.Deployments {
			there = there || by.ID == changes[1].ID && !by.TakenBack
			back = back || by.ID == changes[2].ID && by.TakenBack
		}
		if !there || !back {
			t.Errorf("commit %s was carried by %+v", e.Commit.SHA, e.Commit.Deployments)
		}
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, between) {
		t.Errorf("events of the commits %q, want %q", got, between)
	}
}

// nothingPlanted looks into every file that the machine has now.
func (s *shop) nothingPlanted(t *testing.T, said string) {
	t.Helper()
	files := 0
	look := func(where string, text []byte) {
		for _, planted := range append(plantedInHistory(), "planted-login") {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(planted))) {
				t.Errorf("%s has %q", where, planted)
			}
		}
	}
	look("the screen", []byte(said))
	err := filepath.WalkDir(s.laptop.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		look(path, read(t, path))
		return nil
	})
	if err != nil || files < 8 {
		t.Errorf("looked into %d files: %v", files, err)
	}
}

func TestWithoutGitHubAMappingSaysThatNobodyVerifiedIt(t *testing.T) {
	s := newShop(t)
	s.play(t)
	verified := func(dir string) *evidence.Deployment {
		changes := deployments(evidenceIn(t, dir), "checkout")
		if len(changes) != 3 || changes[1].Deployment.Mapping == nil {
			t.Fatalf("%d changes", len(changes))
		}
		return changes[1].Deployment
	}
	s.github.Fail(github.Fault{Effect: github.Respond(http.StatusServiceUnavailable, "PLANTED-7f3a")})
	dir, a := s.collect(t, exitPartial, "--since", "1h")
	if d := verified(dir); !slices.Contains(reasons(d.Mapping), "not_verified") || d.ChangeRange != nil && d.ChangeRange.Status != "unknown" {
		t.Errorf("GitHub is down, and the mapping is %+v, the range %+v", d.Mapping, d.ChangeRange)
	}
	if !strings.Contains(a.stderr, "github") || strings.Contains(a.stderr, "PLANTED") {
		t.Errorf("the screen does not say what is missing:\n%s", a.stderr)
	}

	s.github.Recover()
	dir, a = s.collect(t, exitComplete, "--since", "1h", "--connector", "kubernetes")
	if d := verified(dir); !slices.Contains(reasons(d.Mapping), "not_verified") {
		t.Errorf("GitHub was not asked, and the mapping is %+v", d.Mapping)
	}
	if got := len(s.github.Requests()); !strings.Contains(a.stderr, "Not known") || got == 0 {
		t.Errorf("%d requests, and the screen says\n%s", got, a.stderr)
	}
	s.github.Forget()
	s.asked.Store(0)
	dir, _ = s.collect(t, exitComplete, "--since", "1h", "--connector", "kubernetes", "--no-images")
	if d := verified(dir); d.Mapping.Confidence != evidence.ConfidenceLow || d.Revision != "" || s.asked.Load() != 0 || len(s.github.Requests()) != 0 {
		t.Errorf("nobody was asked (%d, %d), and the mapping is %+v", s.asked.Load(), len(s.github.Requests()), d.Mapping)
	}
	s.nothingPlanted(t, a.stderr)
}

// sameClock gives a kubeconfig of an API server whose clock is the one of a test.
func sameClock(t *testing.T, kubeconfig string, now func() time.Time) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range config.Clusters {
		to, err := url.Parse(c.Server)
		if err != nil {
			t.Fatal(err)
		}
		transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{
			CAData: c.CertificateAuthorityData, CAFile: c.CertificateAuthority, NextProtos: []string{"http/1.1"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		proxy := httptest.NewTLSServer(&httputil.ReverseProxy{
			Transport: transport,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
			ModifyResponse: func(r *http.Response) error {
				r.Header.Set("Date", now().UTC().Format(http.TimeFormat))
				return nil
			},
		})
		t.Cleanup(proxy.Close)
		c.Server, c.CertificateAuthority = proxy.URL, ""
		c.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// GitHub is down when a rollout is told. When it is back, hours later, what lies
// between the commits is told too, once.
func TestWhatGitHubCouldNotSayIsToldWhenItIsBack(t *testing.T) {
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s := newShop(t, github.WithNow(now))
	s.laptop.now, s.laptop.env["KUBECONFIG"] = now, sameClock(t, s.laptop.env["KUBECONFIG"], now)
	s.play(t)
	s.github.Fail(github.Fault{Effect: github.Respond(http.StatusServiceUnavailable, "PLANTED-7f3a")})
	said := ""
	for range 2 {
		dir, a := s.collect(t, exitPartial)
		said += a.stderr
		changes := deployments(evidenceIn(t, dir), "checkout")
		if again := later.Load() > 0; again && len(changes) > 0 || !again && len(changes) != 3 {
			t.Fatalf("GitHub is down, %v later, and %d changes are told", time.Duration(later.Load()), len(changes))
		}
		for _, e := range changes {
			if d := e.Deployment; !slices.Contains(reasons(d.Mapping), "not_verified") || d.ChangeRange != nil && d.ChangeRange.Status != "unknown" {
				t.Errorf("GitHub is down, and %s is tied by %+v, the range %+v", d.Change, d.Mapping, d.ChangeRange)
			}
		}
		later.Add(int64(2 * time.Hour))
	}

	s.github.Recover()
	dir, a := s.collect(t, exitComplete)
	said += a.stderr
	events := evidenceIn(t, dir)
	changes := deployments(events, "checkout")
	if len(changes) != 3 {
		t.Fatalf("GitHub is back, and %d changes are told, want 3", len(changes))
	}
	between := s.clone.between(t, s.before, s.now)
	for i, ahead := range []int32{0, 4, 0} {
		d := changes[i].Deployment
		if d.Mapping.Confidence != evidence.ConfidenceHigh || i > 0 && (d.ChangeRange == nil || d.ChangeRange.Ahead != ahead || !slices.Equal(d.ChangeRange.PullRequests, []int64{12, 13})) {
			t.Errorf("%s: %+v, range %+v", d.Change, d.Mapping, d.ChangeRange)
		}
	}
	s.carried(t, events, changes, between)
	for _, e := range events {
		if e.Deployment == nil && e.Source.Connector == "kubernetes" {
			t.Errorf("told again: %s", e.Summary)
		}
	}
	if text := string(read(t, filepath.Join(dir, "manifest.json"))); !strings.Contains(text, "workloads goes back to") {
		t.Errorf("the manifest does not say why the window begins earlier:\n%s", text)
	}

	later.Add(int64(2 * time.Hour))
	dir, a = s.collect(t, exitComplete)
	if got := evidenceIn(t, dir); len(got) != 0 {
		t.Errorf("nothing changed, and %d events are told, such as %s", len(got), got[0].Summary)
	}
	s.nothingPlanted(t, said+a.stderr)
}

// A cluster and a registry are enough for a commit, though nobody says that it
// exists, and not for what lies between two.
func TestARegistryAlone(t *testing.T) {
	s := newShop(t)
	s.play(t)
	config := filepath.Join(t.TempDir(), "rcactl.yaml")
	write(t, config, fmt.Appendf(nil, "version: 1\nconnectors:\n  kubernetes: {namespaces: %s}\nimages: {registries: \"%s\"}\n", s.ns, s.registry))
	dir, a := s.laptop.collect(t, exitComplete, "--config", config, "--since", "1h")
	for i, want := range []string{s.before, s.now, s.before} {
		d := deployments(evidenceIn(t, dir), "checkout")[i].Deployment
		if d.Revision != want || d.Mapping.Confidence != evidence.ConfidenceMedium || !slices.Contains(reasons(d.Mapping), "not_verified") ||
			d.ChangeRange != nil && d.ChangeRange.Status != "unknown" {
			t.Errorf("%s: %s by %+v, range %+v; want %s", d.Change, d.Revision, d.Mapping, d.ChangeRange, want)
		}
	}
	if !strings.Contains(a.stderr, evidence.ShortCommit(s.before)+" → "+evidence.ShortCommit(s.now)+"  medium") {
		t.Errorf("the screen says\n%s", a.stderr)
	}
	s.nothingPlanted(t, a.stderr)
}

func TestGitHubAlone(t *testing.T) {
	s := newShop(t)
	config := s.configure(t, "{repositories: acme/shop}")
	dir, a := s.laptop.collect(t, exitComplete, "--config", config, "--since", "24h", "--connector", "github")
	var got []string
	for _, e := range evidenceIn(t, dir) {
		if e.Kind != evidence.KindCommit && e.Kind != evidence.KindPullRequest {
			t.Errorf("told of %s", e.Summary)
		}
		if e.Commit != nil {
			got = append(got, e.Commit.SHA)
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(strings.FieldsSeq(s.clone.git(t, "rev-list", "HEAD"))); !slices.Equal(got, want) {
		t.Errorf("commits %q, and git says %q", got, want)
	}
	if !strings.Contains(a.stderr, "6 commits  on the default branch") {
		t.Errorf("the screen says\n%s", a.stderr)
	}
	s.nothingPlanted(t, a.stderr)
}
