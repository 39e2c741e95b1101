package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/internal/tools"
)

// reply is an answer, read.
type reply struct {
	*http.Response
	body []byte
}

// ask sends a request, with headers "Name: value".
func ask(t *testing.T, method, url string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, body}
}

// get asks for JSON, and wants a status.
func get[T any](t *testing.T, url string, status int, headers ...string) T {
	t.Helper()
	r := ask(t, http.MethodGet, url, headers...)
	if r.StatusCode != status {
		t.Fatalf("GET %s: %s %.200s, want %d", url, r.Status, r.body, status)
	}
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return v
}

// nextPage is the address of the next page, as the Link header has it.
func nextPage(r reply) string { return linked(r, "next") }

// linked is the address with a relation in the Link header; empty for none.
func linked(r reply, rel string) string {
	for part := range strings.SplitSeq(r.Header.Get("Link"), ",") {
		if at, ok := strings.CutSuffix(strings.TrimSpace(part), fmt.Sprintf(">; rel=%q", rel)); ok {
			return strings.TrimPrefix(at, "<")
		}
	}
	return ""
}

// list follows the links of a list from its first page.
func list[T any](t *testing.T, url string) []T {
	t.Helper()
	var all []T
	for url != "" {
		r := ask(t, http.MethodGet, url)
		var page []T
		if err := json.Unmarshal(r.body, &page); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s %.200s", url, r.Status, r.body)
		}
		all = append(all, page...)
		url = nextPage(r)
	}
	return all
}

// sha is a commit of which only that is of interest.
type sha struct {
	SHA string `json:"sha"`
}

func shas(list []sha) string {
	var out []string
	for _, s := range list {
		out = append(out, s.SHA)
	}
	return strings.Join(out, "\n")
}

// git is what git itself says.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...)
	cmd.Dir, cmd.Env = dir, gitEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// clones are the histories that the stand-in must tell as git does: one with every
// shape, and a real one: RCACTL_GIT_HISTORY, or the clone that this file is in. A
// shallow one lacks what is to be compared, so another is made in its place.
func clones(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"every shape": History(t, Shapes()...).Dir}
	dir := os.Getenv("RCACTL_GIT_HISTORY")
	if dir == "" {
		dir = filepath.Join("..", "..", "..")
	}
	shallow, err := runGit(dir, nil, "rev-parse", "--is-shallow-repository")
	if err != nil || strings.TrimSpace(string(shallow)) != "false" {
		out["a long one, for want of a whole clone"] = History(t, append(Linear(400), Shapes()...)...).Dir
		return out
	}
	// A copy: others may be at work in it.
	bare := t.TempDir()
	git(t, bare, "clone", "--quiet", "--bare", "--shared", absolute(t, dir), ".")
	out["a real one"] = bare
	return out
}

func absolute(t *testing.T, dir string) string {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// whole is a repository with something of everything.
func whole(t *testing.T, dir string) Repository {
	t.Helper()
	head := git(t, dir, "rev-parse", "HEAD")
	parent := git(t, dir, "rev-parse", "HEAD~1")
	at := Start().Add(100 * 24 * time.Hour)
	return Repository{
		Dir: dir, Owner: "acme", Name: "shop", Organization: true, FormerNames: []string{"acme/old-shop", "other/shop"}, Patches: true,
		Users: map[string]string{"plantella.plantsdottir@example.test": ""},
		PullRequests: []PullRequest{
			{Number: 9001, Title: "open", Author: "planted", Created: at, HeadSHA: head, Draft: true},
			{Number: 9002, Title: "merged", Author: "planted", Created: at, Merged: at.Add(time.Hour), MergeCommit: head, Body: "planted"},
			{Number: 9003, Title: "closed, of nobody", Created: at, Closed: at.Add(time.Hour)},
		},
		Releases: []Release{{Tag: "v9.0.0", Name: "nine", Author: "planted", Published: at}, {Tag: "v9.9.0", Name: "draft"}},
		Deployments: []Deployment{
			{SHA: parent, Environment: "production", Production: true, Creator: "planted", Created: at, Statuses: []Status{
				{State: "in_progress", Created: at}, {State: "success", Created: at.Add(time.Minute)}, {State: "inactive", Created: at.Add(time.Hour)},
			}},
			{SHA: head, Ref: "main", Environment: "production", Created: at.Add(time.Hour), Payload: "planted", Description: "planted"},
			{SHA: head, Environment: "staging", Created: at.Add(time.Hour), Payload: map[string]any{"planted": 1}},
		},
		Runs: []Run{
			{Name: "ci", Title: "planted", SHA: head, Branch: "main", Actor: "planted", Conclusion: "success", Created: at},
			{Name: "deploy", Path: ".github/workflows/deploy.yml", SHA: parent, Conclusion: "failure", Created: at.Add(time.Hour), Attempt: 2, Started: at.Add(2 * time.Hour)},
			{Path: ".github/workflows/deploy.yml", SHA: strings.Repeat("1", 40), Event: "schedule", Status: "in_progress", Created: at.Add(3 * time.Hour)},
		},
	}
}

// told is a test that keeps what a server says of its client, or of itself.
type told struct {
	testing.TB
	mu    sync.Mutex
	words []string
}

func (t *told) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.words = append(t.words, fmt.Sprintf(format, args...))
}

func (t *told) all() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.words, "\n")
}

// needDescription is GitHub's API description. Without it a test has nothing to
// hold the stand-in to; make test fetches it.
func needDescription(t *testing.T) *description {
	t.Helper()
	d, err := published()
	if err == nil {
		return d
	}
	if _, missing := tools.GitHubDescription().Find(); missing != nil && os.Getenv(EnvRequire) != "1" {
		t.Skipf("GitHub's API description is not in the cache: make test, or go run ./pkg/internal/workbench github-openapi (%v)", err)
	}
	t.Fatal(err)
	return nil
}
