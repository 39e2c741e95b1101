package github

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// get asks a server for JSON.
func get(t *testing.T, url string, into any) *http.Response {
	t.Helper()
	resp, err := http.Get(url) //nolint:noctx // a test on loopback
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatalf("GET %s: %v", url, err)
		}
	}
	return resp
}

// git is what git itself says.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func TestCommitsAreThoseOfGit(t *testing.T) {
	dir := "../../.."
	s := New(t, Repository{Dir: dir, Owner: "acme", Name: "shop"})
	want := strings.Fields(git(t, dir, "rev-list", "HEAD"))
	var have []string
	for next := s.URL + "/repos/acme/shop/commits?per_page=100"; next != ""; {
		var page []struct {
			SHA string `json:"sha"`
		}
		resp := get(t, next, &page)
		for _, c := range page {
			have = append(have, c.SHA)
		}
		next = nextPage(resp)
	}
	if strings.Join(have, " ") != strings.Join(want, " ") {
		t.Errorf("%d commits, git has %d", len(have), len(want))
	}
}

// nextPage is the address of the next page, as the Link header has it.
func nextPage(resp *http.Response) string {
	for part := range strings.SplitSeq(resp.Header.Get("Link"), ",") {
		if at, ok := strings.CutSuffix(strings.TrimSpace(part), `>; rel="next"`); ok {
			return strings.TrimPrefix(at, "<")
		}
	}
	return ""
}
