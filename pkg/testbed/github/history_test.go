package github

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func eachClone(t *testing.T, do func(t *testing.T, dir string, s *Server)) {
	for name, dir := range clones(t) {
		t.Run(name, func(t *testing.T) {
			do(t, dir, New(t, Repository{Dir: dir, Owner: "acme", Name: "shop"}))
		})
	}
}

func TestCommitsAreThoseOfGit(t *testing.T) {
	eachClone(t, func(t *testing.T, dir string, s *Server) {
		first := s.URL + "/repos/acme/shop/commits?per_page=100"
		if have, want := shas(list[sha](t, first)), git(t, dir, "rev-list", "HEAD"); have != want {
			t.Errorf("the default branch has\n%s\ngit says\n%s", have, want)
		}
		for _, branch := range strings.Fields(git(t, dir, "for-each-ref", "--format=%(refname:short)", "refs/heads")) {
			if have, want := shas(list[sha](t, first+"&sha="+url.QueryEscape(branch))), git(t, dir, "rev-list", branch, "--"); have != want {
				t.Errorf("%s has\n%s\ngit says\n%s", branch, have, want)
			}
		}
	})
}

func TestAWindowOfCommitsIsThatOfGit(t *testing.T) {
	eachClone(t, func(t *testing.T, dir string, s *Server) {
		times := strings.Fields(git(t, dir, "log", "--format=%ct", "HEAD"))
		for _, part := range [][2]int{{0, 1}, {1, 3}, {2, 7}, {5, len(times) - 1}, {len(times) / 2, len(times) - 1}} {
			until, since := unix(t, times[part[0]%len(times)]), unix(t, times[part[1]%len(times)])
			have := shas(list[sha](t, fmt.Sprintf("%s/repos/acme/shop/commits?since=%s&until=%s", s.URL, stamp(since), stamp(until))))
			want := git(t, dir, "log", "--format=%H", "--since-as-filter="+stamp(since), "--until="+stamp(until), "HEAD")
			if have != want {
				t.Errorf("between %s and %s there are\n%s\ngit says\n%s", stamp(since), stamp(until), have, want)
			}
		}
	})
}

func unix(t *testing.T, s string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0)
}

// comparison is an answer to compare.
type comparison struct {
	Status     string `json:"status"`
	Ahead      int    `json:"ahead_by"`
	Behind     int    `json:"behind_by"`
	Total      int    `json:"total_commits"`
	Commits    []sha  `json:"commits"`
	Files      []file `json:"files"`
	MergeBase  sha    `json:"merge_base_commit"`
	BaseCommit sha    `json:"base_commit"`
}

type file struct {
	Filename  string `json:"filename"`
	Previous  string `json:"previous_filename"`
	Status    string `json:"status"`
	Additions int    `json:"additions"`
	Deletions int    `json:"deletions"`
	Patch     string `json:"patch"`
}

func TestRangesAreThoseOfGit(t *testing.T) {
	t.Parallel()
	eachClone(t, func(t *testing.T, dir string, s *Server) {
		all := strings.Fields(git(t, dir, "rev-list", "--all"))
		step := max(1, len(all)/5)
		for i := 0; i < len(all); i += step {
			for j := 0; j < len(all); j += step {
				checkRange(t, dir, s, all[i], all[j])
			}
		}
	})
}

func checkRange(t *testing.T, dir string, s *Server, base, head string) {
	t.Helper()
	at := s.URL + "/repos/acme/shop/compare/" + base + "..." + head
	bases, err := runGit(dir, nil, "merge-base", base, head)
	if err != nil {
		get[obj](t, at, http.StatusNotFound)
		return
	}
	merge := strings.TrimSpace(string(bases))
	have := get[comparison](t, at, http.StatusOK)
	ahead := strings.Fields(git(t, dir, "rev-list", "--reverse", base+".."+head))
	behind := strings.Fields(git(t, dir, "rev-list", head+".."+base))
	newest := ahead[max(0, len(ahead)-compareMost):]
	if have.Ahead != len(ahead) || have.Behind != len(behind) || have.Total != len(ahead) || have.MergeBase.SHA != merge || have.BaseCommit.SHA != base {
		t.Errorf("%s...%s: %d ahead, %d behind, merge base %s; git says %d, %d, %s", base, head, have.Ahead, have.Behind, have.MergeBase.SHA, len(ahead), len(behind), merge)
	}
	if shas(have.Commits) != strings.Join(newest, "\n") {
		t.Errorf("%s...%s has\n%s\ngit says\n%s", base, head, shas(have.Commits), strings.Join(newest, "\n"))
	}
	files := strings.Count(git(t, dir, "diff", "--name-only", "-M", "-z", merge, head), "\x00")
	if len(have.Files) != min(files, compareFiles) {
		t.Errorf("%s...%s has %d files, git says %d", base, head, len(have.Files), files)
	}
}

func TestARangeHasTheFilesOfItsHeadOnly(t *testing.T) {
	c := History(t, Commit{Name: "root"}, Commit{Name: "base", Files: map[string]string{"base.go": "x"}},
		Commit{Name: "head", Branch: "other", Parents: []string{"root"}, Files: map[string]string{"head.go": "x"}})
	s := New(t, c.Served("acme", "shop"))
	have := get[comparison](t, s.URL+"/repos/acme/shop/compare/main...other", http.StatusOK)
	if have.Status != "diverged" || len(have.Files) != 1 || have.Files[0].Filename != "head.go" {
		t.Errorf("%s, %+v", have.Status, have.Files)
	}
}

// detail is an answer to a commit.
type detail struct {
	SHA    string `json:"sha"`
	Commit struct {
		Message string `json:"message"`
		Author  struct {
			Name, Email string
			Date        time.Time
		} `json:"author"`
		Committer struct {
			Name, Email string
			Date        time.Time
		} `json:"committer"`
		Tree         sha `json:"tree"`
		Verification struct {
			Verified bool   `json:"verified"`
			Reason   string `json:"reason"`
		} `json:"verification"`
	} `json:"commit"`
	Author  *struct{ Login, Type string } `json:"author"`
	Parents []sha                         `json:"parents"`
	Stats   struct{ Additions, Deletions, Total int }
	Files   []file `json:"files"`
}

func TestCommitsHaveWhatGitSays(t *testing.T) {
	eachClone(t, func(t *testing.T, dir string, s *Server) {
		for i, id := range strings.Fields(git(t, dir, "rev-list", "HEAD")) {
			if i > 60 && i%7 != 0 { // all of a long history take long
				continue
			}
			d := get[detail](t, s.URL+"/repos/acme/shop/commits/"+id, http.StatusOK)
			have := strings.Join([]string{
				d.SHA, shas(d.Parents), d.Commit.Author.Name, d.Commit.Author.Email, stamp(d.Commit.Author.Date),
				d.Commit.Committer.Name, d.Commit.Committer.Email, stamp(d.Commit.Committer.Date), d.Commit.Tree.SHA, d.Commit.Message,
			}, "\n")
			want := git(t, dir, "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%H%n%P%n%an%n%ae%n%ad%n%cn%n%ce%n%cd%n%T%n%B", id)
			want = strings.Replace(want, " ", "\n", max(0, len(d.Parents)-1))
			if have != want {
				t.Errorf("commit %s is\n%q\ngit says\n%q", id, have, want)
			}
			checkFiles(t, dir, d)
		}
	})
}

func checkFiles(t *testing.T, dir string, d detail) {
	t.Helper()
	base := emptyTree
	if len(d.Parents) > 0 {
		base = d.Parents[0].SHA
	}
	var want []string
	add, del := 0, 0
	for line := range strings.Lines(git(t, dir, "-c", "core.quotePath=false", "diff", "--numstat", "--no-renames", base, d.SHA)) {
		f := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		a, _ := strconv.Atoi(f[0]) // "-" of a binary file
		b, _ := strconv.Atoi(f[1])
		add, del = add+a, del+b
		want = append(want, f[2])
	}
	renamed := 0
	for _, f := range d.Files {
		if f.Status == "renamed" {
			renamed++
		}
	}
	if len(d.Files)+renamed != len(want) {
		t.Errorf("%s has %d files, %d of them renamed; git says %d: %v", d.SHA, len(d.Files), renamed, len(want), want)
	}
	if renamed == 0 && (d.Stats.Additions != add || d.Stats.Deletions != del || d.Stats.Total != add+del) {
		t.Errorf("%s has +%d -%d, git says +%d -%d", d.SHA, d.Stats.Additions, d.Stats.Deletions, add, del)
	}
}

func TestChangesHaveTheirKindAndText(t *testing.T) {
	c := History(t, Shapes()...)
	r := c.Served("acme", "shop")
	r.Patches = true
	s := New(t, r)
	for name, want := range map[string]file{
		"root":    {Filename: "README.md", Status: "added", Additions: 1, Patch: "@@ -0,0 +1 @@\n+# shop"},
		"renamed": {Filename: "pkg/order/order.go", Previous: "pkg/checkout/order.go", Status: "renamed"},
		"removed": {Filename: "docs/picture.png", Status: "removed"},
		"binary":  {Filename: "docs/picture.png", Status: "added"},
		"link":    {Filename: "z.txt", Status: "added", Additions: 1, Patch: "@@ -0,0 +1 @@\n+z"},
		"odd":     {Filename: "odd/tab\there", Status: "added", Additions: 1, Patch: "@@ -0,0 +1 @@\n+tab"},
	} {
		d := get[detail](t, s.URL+"/repos/acme/shop/commits/"+c.SHA(name), http.StatusOK)
		found := false
		for _, f := range d.Files {
			found = found || f == want
		}
		if !found {
			t.Errorf("%s changes %+v, want %+v among it", name, d.Files, want)
		}
	}
	if d := get[detail](t, s.URL+"/repos/acme/shop/commits/"+c.SHA("nothing"), http.StatusOK); len(d.Files) != 0 || d.Stats.Total != 0 {
		t.Errorf("a commit that changes nothing changes %+v", d.Files)
	}
	if d := get[comparison](t, s.URL+"/repos/acme/shop/compare/"+c.SHA("root")+"..."+c.SHA("feature"), http.StatusOK); len(d.Files) != 1 || !strings.HasPrefix(d.Files[0].Patch, "@@ -0,0 +1,40 @@\n+// order\n") {
		t.Errorf("a comparison has %+v", d.Files)
	}
}

func TestPullRequestsAreThoseOfTheHistory(t *testing.T) {
	eachClone(t, func(t *testing.T, dir string, s *Server) {
		type pull struct {
			Number int64     `json:"number"`
			Merged time.Time `json:"merged_at"`
			Merge  string    `json:"merge_commit_sha"`
			Head   sha       `json:"head"`
		}
		have := map[int64]pull{}
		for _, p := range list[pull](t, s.URL+"/repos/acme/shop/pulls?state=closed") {
			have[p.Number] = p
		}
		seen := map[int64]bool{}
		for line := range strings.Lines(git(t, dir, "log", "--first-parent", "--format=%H %ct %s", "HEAD")) {
			f := strings.SplitN(strings.TrimSpace(line), " ", 3)
			var digits string
			if rest, found := strings.CutPrefix(f[2], "Merge pull request #"); found {
				digits, _, _ = strings.Cut(rest, " ")
			} else if at := strings.LastIndex(f[2], "(#"); at >= 0 && strings.HasSuffix(f[2], ")") {
				digits = f[2][at+2 : len(f[2])-1]
			}
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || seen[n] {
				continue
			}
			seen[n] = true
			if p := have[n]; p.Merge != f[0] || !p.Merged.Equal(unix(t, f[1])) {
				t.Errorf("#%d was merged by %s at %s, git says %s at %s", n, p.Merge, p.Merged, f[0], f[1])
			}
		}
		if len(seen) != len(have) {
			t.Errorf("%d pull requests, git knows %d", len(have), len(seen))
		}
	})
}

func TestACommitHasThePullRequestThatBroughtIt(t *testing.T) {
	c := History(t, Shapes()...)
	r := c.Served("acme", "shop")
	r.PullRequests = []PullRequest{
		{Number: 20, Title: "open", HeadSHA: c.SHA("hotfix"), Head: "release/1.0"},
		{Number: 22, Title: "given up", HeadSHA: c.SHA("hotfix"), Closed: Start()},
		{Number: 21, Title: "rebased", Merged: Start(), MergeCommit: c.SHA("release"), Commits: []string{c.SHA("after")}},
	}
	s := New(t, r)
	type pull struct{ Number int }
	for _, tc := range []struct {
		rev  string
		want string
	}{
		{"refs/pull/7/head", "[{7}]"},
		{"refs/pull/7/head~1", "[{7}]"},
		{"refs/pull/9/head", "[{9}]"},
		{"main^{/title}", "[]"},
		{"main^{/fix.order}", "[{8}]"},
		{"main~1", "[{21}]"},
		{"main~2", "[{21}]"},
		{"release/1.0", "[{20}]"},
		{"pages", "[]"},
	} {
		id := git(t, c.Dir, "rev-parse", tc.rev)
		if tc.rev == "main^{/title}" {
			id = c.SHA("root")
		}
		have := get[[]pull](t, s.URL+"/repos/acme/shop/commits/"+id+"/pulls", http.StatusOK)
		if fmt.Sprint(have) != tc.want {
			t.Errorf("%s came with %v, want %s", tc.rev, have, tc.want)
		}
	}
	type detail struct {
		Commits int `json:"commits"`
		Files   int `json:"changed_files"`
	}
	if d := get[detail](t, s.URL+"/repos/acme/shop/pulls/7", http.StatusOK); d != (detail{2, 2}) {
		t.Errorf("#7 has %+v", d)
	}
	if have := shas(list[sha](t, s.URL+"/repos/acme/shop/pulls/7/commits")); have != git(t, c.Dir, "rev-list", "--reverse", "main^{/request #7}^1..refs/pull/7/head") {
		t.Errorf("#7 has the commits %s", have)
	}
}

// What a request costs is how often git runs for it, and that does not grow with the
// history: it is one of the size that the project promises.
func TestALongHistoryIsServedAsFastAsAShortOne(t *testing.T) {
	t.Parallel()
	c := History(t, append(Hollow(49_700), Linear(300)...)...)
	s := New(t, c.Served("acme", "shop"))
	calls := &s.repos[0].history.calls
	read := calls.Load()
	if have := get[[]sha](t, s.URL+"/repos/acme/shop/commits?per_page=100&page=500", http.StatusOK); len(have) != 100 || have[99].SHA != git(t, c.Dir, "rev-list", "--max-parents=0", "main") {
		t.Errorf("the last page has %d commits", len(have))
	}
	if n := calls.Load() - read; read > 10 || n > 0 {
		t.Errorf("git ran %d times to read the history, and %d times for a page", read, n)
	}
	for _, id := range strings.Fields(git(t, c.Dir, "rev-list", "-100", "main")) {
		if d := get[detail](t, s.URL+"/repos/acme/shop/commits/"+id, http.StatusOK); len(d.Files) != 1 {
			t.Fatalf("%s has %d files", id, len(d.Files))
		}
	}
	if n := calls.Load() - read; n > 5 {
		t.Errorf("git ran %d times for 100 commits in a row", n)
	}
}
