package github

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// questions are requests for every route, those that fail among them; "{head}" and
// such are filled in.
func questions() []string {
	return []string{
		"/rate_limit", "/meta", "/user", "/installation/repositories", "/orgs/acme/repos", "/users/acme/repos", "/orgs/nobody/repos",
		"/repos/acme/shop", "/repos/acme/none", "/repos/acme/old-shop", "/repos/Other/Shop/commits?per_page=2&page=3",
		"/repos/acme/shop/commits", "/repos/acme/shop/commits?per_page=1&page=2&since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z&sha={branch}",
		"/repos/acme/shop/commits?sha=none", "/repos/acme/shop/commits?since=yesterday",
		"/repos/acme/shop/commits/{head}", "/repos/acme/shop/commits/{root}", "/repos/acme/shop/commits/{branch}?page=2&per_page=1",
		"/repos/acme/shop/commits/{missing}", "/repos/acme/shop/commits/{head}/pulls", "/repos/acme/shop/commits/{missing}/pulls",
		"/repos/acme/shop/commits/{head}/branches-where-head", "/repos/acme/shop/commits/{missing}/branches-where-head",
		"/repos/acme/shop/compare/{root}...{head}", "/repos/acme/shop/compare/{root}...{head}?per_page=2&page=2",
		"/repos/acme/shop/compare/{head}...{root}", "/repos/acme/shop/compare/{head}...{head}", "/repos/acme/shop/compare/{head}...{missing}",
		"/repos/acme/shop/pulls", "/repos/acme/shop/pulls?state=all&sort=updated&direction=desc&per_page=1", "/repos/acme/shop/pulls?state=some",
		"/repos/acme/shop/pulls/9001", "/repos/acme/shop/pulls/9002", "/repos/acme/shop/pulls/1000000", "/repos/acme/shop/pulls/9002/commits",
		"/repos/acme/shop/pulls/9002/files", "/repos/acme/shop/pulls/9003/files",
		"/repos/acme/shop/releases", "/repos/acme/shop/releases/latest", "/repos/acme/shop/releases/tags/v9.0.0", "/repos/acme/shop/releases/tags/v9.9.0",
		"/repos/acme/shop/git/ref/heads/{branch}", "/repos/acme/shop/git/ref/tags/{tag}", "/repos/acme/shop/git/ref/tags/none",
		"/repos/acme/shop/git/matching-refs/tags/", "/repos/acme/shop/git/matching-refs/heads/{branch}",
		"/repos/acme/shop/git/tags/{tagged}", "/repos/acme/shop/git/tags/{missing}",
		"/repos/acme/shop/tags", "/repos/acme/shop/branches", "/repos/acme/shop/branches/{branch}", "/repos/acme/shop/branches/none",
		"/repos/acme/shop/deployments", "/repos/acme/shop/deployments?environment=production&sha={head}", "/repos/acme/shop/deployments/1000",
		"/repos/acme/shop/deployments/1", "/repos/acme/shop/deployments/1000/statuses", "/repos/acme/shop/deployments/1/statuses",
		"/repos/acme/shop/actions/runs", "/repos/acme/shop/actions/runs?created=%3E%3D2026-01-01&status=failure&event=push", "/repos/acme/shop/actions/runs?created=soon",
		"/repos/acme/shop/actions/workflows",
		"/app", "/app/installations", "/orgs/acme/installation", "/users/acme/installation", "/orgs/nobody/installation", "/repos/acme/shop/installation",
		"/repos/acme/empty", "/repos/acme/empty/commits", "/repos/acme/empty/commits/main", "/repos/acme/empty/branches", "/repos/acme/empty/tags",
		"/repos/acme/empty/releases", "/repos/acme/empty/pulls", "/repos/acme/empty/git/ref/heads/main", "/repos/acme/empty/compare/a...b",
		"/repos/acme/empty/commits/{head}/pulls", "/repos/acme/empty/git/matching-refs/tags/", "/repos/acme/empty/actions/runs",
	}
}

func TestEveryAnswerIsLikeGitHub(t *testing.T) {
	needDescription(t)
	for name, dir := range clones(t) {
		t.Run(name, func(t *testing.T) {
			key, fill := appKey(t), filler(t, dir)
			s := New(t, whole(t, dir), WithChecks(1), WithToken("planted", Access{Login: "planted", Scopes: []string{"repo"}}),
				WithApp(App{ID: 7, ClientID: "Iv1.planted", Slug: "planted", Key: &key.PublicKey, Installations: []Installation{
					{ID: 70, Account: "acme", Organization: true, Permissions: map[string]string{"contents": "read"}}, {ID: 71, Account: "other", Repositories: []string{}, Suspended: Start()},
				}}))
			s.Add(Repository{Dir: History(t).Dir, Owner: "acme", Name: "empty"})
			jwt := signed(t, key, nil)
			created := ask(t, http.MethodPost, s.URL+"/app/installations/70/access_tokens", "Authorization: Bearer "+jwt)
			var given struct{ Token string }
			if err := json.Unmarshal(created.body, &given); err != nil || given.Token == "" {
				t.Fatalf("%s %s", created.Status, created.body)
			}
			ask(t, http.MethodPost, s.URL+"/app/installations/71/access_tokens", "Authorization: Bearer "+jwt)
			ask(t, http.MethodPost, s.URL+"/app/installations/72/access_tokens", "Authorization: Bearer "+jwt)
			for _, q := range questions() {
				for _, token := range []string{"", "planted", given.Token, jwt, "none"} {
					var headers []string
					if token != "" {
						headers = []string{"Authorization: Bearer " + token}
					}
					ask(t, http.MethodGet, s.URL+fill.Replace(q), headers...)
				}
			}
			good := map[string]bool{}
			for _, r := range s.Requests() {
				if r.Status < 300 {
					good[r.Route] = true
				}
			}
			for _, rt := range routes() {
				if !good[rt.method+" "+rt.path] {
					t.Errorf("%s %s was never answered well", rt.method, rt.path)
				}
			}
		})
	}
}

// filler puts what a clone has in the place of names.
func filler(t *testing.T, dir string) *strings.Replacer {
	t.Helper()
	if git(t, dir, "tag", "--list", "planted") == "" {
		git(t, dir, "-c", "user.name=Planted", "-c", "user.email=planted@example.test", "tag", "-a", "-m", "planted", "planted")
	}
	return strings.NewReplacer("{head}", git(t, dir, "rev-parse", "HEAD"), "{root}", strings.Fields(git(t, dir, "rev-list", "--max-parents=0", "HEAD"))[0],
		"{branch}", git(t, dir, "symbolic-ref", "--short", "HEAD"), "{missing}", strings.Repeat("0", 40), "{tag}", "planted",
		"{tagged}", git(t, dir, "rev-parse", "planted"))
}

func TestRoutesAreThoseOfTheDescription(t *testing.T) {
	d := needDescription(t)
	for _, rt := range routes() {
		op, err := d.operation(rt.method + " " + rt.path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, p := range op.Parameters {
			if p.In == "path" && p.Multiple != spanning(p.Name) {
				t.Errorf("%s: whether {%s} may have slashes: %v", rt.path, p.Name, p.Multiple)
			}
			if p.In == "path" && !strings.Contains(rt.path, "{"+p.Name+"}") {
				t.Errorf("%s has no {%s}", rt.path, p.Name)
			}
		}
	}
}

func TestAPageIsAsLongAsGitHubMakesIt(t *testing.T) {
	c := History(t, Linear(230)...)
	s := New(t, c.Served("acme", "shop"))
	first := s.URL + "/repos/acme/shop/commits"
	for query, want := range map[string]int{"": 30, "?per_page=7": 7, "?per_page=1000": 100, "?per_page=100&page=3": 30, "?page=1000": 0, "?per_page=0": 30} {
		if have := get[[]sha](t, first+query, http.StatusOK); len(have) != want {
			t.Errorf("%q: %d commits, want %d", query, len(have), want)
		}
	}
	link := ask(t, http.MethodGet, first+"?per_page=100&page=2").Header.Get("Link")
	for _, rel := range []string{`page=1&per_page=100>; rel="prev"`, `page=3&per_page=100>; rel="next"`, `page=3&per_page=100>; rel="last"`, `page=1&per_page=100>; rel="first"`} {
		if !strings.Contains(link, rel) {
			t.Errorf("Link is %s, want %s in it", link, rel)
		}
	}
	if link := ask(t, http.MethodGet, first+"?per_page=100&page=3").Header.Get("Link"); strings.Contains(link, "next") || strings.Contains(link, "last") {
		t.Errorf("the last page has %s", link)
	}
	for _, path := range []string{"/repos/acme/shop/", "/repos/acme/shop/commits/", "/repos/acme//commits", "/repos/acme/shop/compare/main", "/nothing"} {
		get[obj](t, s.URL+path, http.StatusNotFound)
	}
	if have := get[[]sha](t, s.URL+"/api/v3/repos/acme/shop/commits", http.StatusOK); len(have) != 30 {
		t.Error("the path of an Enterprise Server is another one")
	}
	if r := ask(t, http.MethodGet, s.URL+"/api/v3/repos/acme/shop/commits"); !strings.Contains(nextPage(r), s.URL+"/api/v3/") {
		t.Errorf("its next page is %s", nextPage(r))
	}
	if r := ask(t, http.MethodDelete, s.URL+"/repos/acme/shop"); r.StatusCode != http.StatusNotFound {
		t.Errorf("DELETE: %s", r.Status)
	}
}

func TestLongComparisonsAreCutAsGitHubCutsThem(t *testing.T) {
	files := map[string]string{}
	for i := range 350 {
		files[fmt.Sprintf("many/%d.txt", i)] = "x\n"
	}
	c := History(t, append(append([]Commit{{Name: "base"}}, Linear(260)...), Commit{Name: "many", Files: files})...)
	s := New(t, c.Served("acme", "shop"))
	at := s.URL + "/repos/acme/shop/compare/" + c.SHA("base") + "...main"
	all := strings.Fields(git(t, c.Dir, "rev-list", "--reverse", c.SHA("base")+"..main"))
	short := get[comparison](t, at, http.StatusOK)
	if len(short.Commits) != 250 || short.Commits[249].SHA != all[260] || short.Total != 261 || len(short.Files) != 300 {
		t.Errorf("without paging: %d commits of %d, %d files", len(short.Commits), short.Total, len(short.Files))
	}
	var have []string
	for next := at + "?per_page=100"; next != ""; {
		r := ask(t, http.MethodGet, next)
		var page comparison
		if err := json.Unmarshal(r.body, &page); err != nil {
			t.Fatal(err)
		}
		if (page.Files != nil) != (len(have) == 0) {
			t.Errorf("after %d commits there are %d files", len(have), len(page.Files))
		}
		for _, m := range page.Commits {
			have = append(have, m.SHA)
		}
		next = nextPage(r)
	}
	if !slices.Equal(have, all) {
		t.Errorf("with paging: %d commits, want %d, oldest first", len(have), len(all))
	}

	one := ask(t, http.MethodGet, s.URL+"/repos/acme/shop/commits/"+c.SHA("many"))
	var first detail
	if err := json.Unmarshal(one.body, &first); err != nil || len(first.Files) != 300 || first.Stats.Additions != 350 {
		t.Errorf("a commit: %d files, %+v, %v", len(first.Files), first.Stats, err)
	}
	if rest := get[detail](t, nextPage(one), http.StatusOK); len(rest.Files) != 50 || rest.Stats.Additions != 350 {
		t.Errorf("its second page: %d files", len(rest.Files))
	}
}

func TestACommitHasManyNames(t *testing.T) {
	c := History(t, Shapes()...)
	s := New(t, c.Served("acme", "shop"))
	head := c.SHA("head")
	for name, want := range map[string]string{
		head: head, head[:7]: head, "main": head, "heads/main": head, "HEAD": head, "not-a-version": head, "tags/v1.0.0": c.SHA("after"), "v1.0.0": c.SHA("after"),
		"release%2F1.0": c.SHA("hotfix"), "release/1.0": c.SHA("hotfix"), "refs/heads/main": head,
	} {
		if have := get[sha](t, s.URL+"/repos/acme/shop/commits/"+name, http.StatusOK).SHA; have != want {
			t.Errorf("%s is %s, want %s", name, have, want)
		}
	}
	for _, name := range []string{"none", "abc", strings.Repeat("0", 40), head[:39] + "g"} {
		if words := get[obj](t, s.URL+"/repos/acme/shop/commits/"+name, http.StatusUnprocessableEntity)["message"]; words != "No commit found for SHA: "+name {
			t.Errorf("%s: %v", name, words)
		}
	}
	if r := ask(t, http.MethodGet, s.URL+"/repos/acme/shop/commits/main", "Accept: application/vnd.github.sha"); string(r.body) != head {
		t.Errorf("asked for the SHA alone: %q", r.body)
	}
}

func TestAShortNameOfTwoCommitsIsNone(t *testing.T) {
	c := History(t, Hollow(1500)...) // four digits of so many meet
	s := New(t, c.Served("acme", "shop"))
	seen := map[string]bool{}
	for _, id := range strings.Fields(git(t, c.Dir, "rev-list", "main")) {
		if seen[id[:4]] {
			get[obj](t, s.URL+"/repos/acme/shop/commits/"+id[:4], http.StatusUnprocessableEntity)
			return
		}
		seen[id[:4]] = true
	}
	t.Fatal("no two of all commits begin alike")
}

func TestAccountsAreThoseThatGitHubKnows(t *testing.T) {
	c := History(t, Shapes()...)
	r := c.Served("acme", "shop")
	r.Users = map[string]string{"plantella.plantsdottir@example.test": ""}
	s := New(t, r)
	at := s.URL + "/repos/acme/shop/commits/"
	if d := get[detail](t, at+c.SHA("planted"), http.StatusOK); d.Author != nil {
		t.Errorf("an address without an account has %+v", d.Author)
	}
	if d := get[detail](t, at+c.SHA("head"), http.StatusOK); d.Author == nil || d.Author.Login != "planted" || d.Author.Type != "User" {
		t.Errorf("an address with an account has %+v", d.Author)
	}
	if d := get[detail](t, at+c.SHA("lock"), http.StatusOK); d.Author == nil || d.Author.Login != "dependabot[bot]" || d.Author.Type != "Bot" {
		t.Errorf("a program has %+v", d.Author)
	}
	s.Update("acme", "shop", func(r *Repository) { r.NoUsers = true })
	if d := get[detail](t, at+c.SHA("head"), http.StatusOK); d.Author != nil {
		t.Errorf("where GitHub knows nobody there is %+v", d.Author)
	}
}

func TestASignatureIsToldAndWhyItIsNotVerified(t *testing.T) {
	c := History(t, Shapes()...)
	good, bad := c.Sign("good"), c.Sign("bad")
	c.Add(Commit{Name: "later"})
	r := c.Served("acme", "shop")
	r.Verifications = map[string]string{bad: "unknown_key"}
	s := New(t, r, WithChecks(1))
	for id, want := range map[string]string{good: "true valid", bad: "false unknown_key", c.SHA("later"): "false unsigned"} {
		v := get[detail](t, s.URL+"/repos/acme/shop/commits/"+id, http.StatusOK).Commit.Verification
		if have := fmt.Sprint(v.Verified, " ", v.Reason); have != want {
			t.Errorf("%s: %s, want %s", id, have, want)
		}
	}
	if c.Git("rev-list", "--count", good+"..main") != "2" {
		t.Error("what was made later is not on top")
	}
}

func TestPullRequestsAreSortedAsGitHubSortsThem(t *testing.T) {
	at := Start()
	hour := func(n int) PullRequest {
		return PullRequest{Number: int64(n), Created: at.AddDate(0, 0, n), Updated: at.AddDate(0, 0, 10-n), Closed: at.AddDate(0, 0, 20)}
	}
	s := New(t, Repository{Dir: History(t, Linear(1)...).Dir, Owner: "acme", Name: "shop", PullRequests: []PullRequest{
		hour(1), hour(2), hour(3), {Number: 4, Created: at}, {Number: 5, Created: at, Closed: at, Base: "other"},
	}})
	type pull struct{ Number int }
	for query, want := range map[string]string{
		"":                           "[{4}]",
		"?state=closed":              "[{3} {2} {1} {5}]",
		"?state=closed&sort=updated": "[{5} {3} {2} {1}]", // the default is ascending
		"?state=closed&sort=updated&direction=desc": "[{1} {2} {3} {5}]",
		"?state=closed&direction=asc":               "[{5} {1} {2} {3}]",
		"?state=all&base=other":                     "[{5}]",
	} {
		if have := get[[]pull](t, s.URL+"/repos/acme/shop/pulls"+query, http.StatusOK); fmt.Sprint(have) != want {
			t.Errorf("%q: %v, want %s", query, have, want)
		}
	}
}

func TestRunsAreFilteredAndBounded(t *testing.T) {
	t.Parallel()
	var runs []Run
	for i := range 1100 {
		runs = append(runs, Run{Created: Start().AddDate(0, 0, i/100), Conclusion: []string{"success", "failure"}[i%2]})
	}
	s := New(t, Repository{Dir: History(t, Linear(1)...).Dir, Owner: "acme", Name: "shop", Runs: runs})
	type page struct {
		Total int `json:"total_count"`
		Runs  []struct {
			ID int `json:"id"`
		} `json:"workflow_runs"`
	}
	read := func(address string) (page, reply) {
		t.Helper()
		r := ask(t, http.MethodGet, address)
		var p page
		if err := json.Unmarshal(r.body, &p); err != nil {
			t.Fatal(err)
		}
		return p, r
	}
	// The first page says which is the last: those between are full.
	count := func(query string) (listed, total int) {
		t.Helper()
		first, r := read(s.URL + "/repos/acme/shop/actions/runs?per_page=100" + query)
		address := linked(r, "last")
		if address == "" {
			return len(first.Runs), first.Total
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := strconv.Atoi(u.Query().Get("page"))
		if err != nil || len(first.Runs) != 100 {
			t.Fatalf("%d runs on the first page of %s", len(first.Runs), address)
		}
		last, r := read(address)
		if next := nextPage(r); next != "" {
			t.Errorf("behind the last page there is %s", next)
		}
		return (pages-1)*100 + len(last.Runs), first.Total
	}
	walked := 0
	for next := s.URL + "/repos/acme/shop/actions/runs?per_page=100&status=completed"; next != ""; {
		p, r := read(next)
		walked, next = walked+len(p.Runs), nextPage(r)
	}
	if walked != 1000 {
		t.Errorf("%d runs page by page", walked)
	}
	for query, want := range map[string][2]int{
		"": {1100, 1100}, "&created=%3E%3D2026-01-05": {1000, 1100}, "&status=failure": {550, 550}, "&status=completed": {1000, 1100},
		"&created=2026-01-06..2026-01-07": {200, 200}, "&created=2026-01-06": {100, 100}, "&created=*..2026-01-05": {100, 100},
		"&created=%3E2026-01-05T09:00:00Z": {1000, 1000}, "&created=%3C2026-01-06": {100, 100}, "&created=2026-01-15T09:00:00Z..*": {100, 100}, "&event=schedule": {0, 0},
		"&created=%3C%3D2026-01-06T08:59:59Z": {100, 100},
	} {
		if listed, total := count(query); [2]int{listed, total} != want {
			t.Errorf("%q: %d of %d, want %v", query, listed, total, want)
		}
	}
}

func TestDeploymentsAreNewestFirst(t *testing.T) {
	c := History(t, Shapes()...)
	s := New(t, whole(t, c.Dir))
	type deployment struct {
		Environment string
		State       string
	}
	if have := get[[]deployment](t, s.URL+"/repos/acme/shop/deployments", http.StatusOK); fmt.Sprint(have) != "[{staging } {production } {production }]" {
		t.Errorf("deployments %v", have)
	}
	if have := get[[]deployment](t, s.URL+"/repos/acme/shop/deployments/1000/statuses", http.StatusOK); fmt.Sprint(have) != "[{production inactive} {production success} {production in_progress}]" {
		t.Errorf("statuses %v", have)
	}
}

func TestReleasesComeFromTags(t *testing.T) {
	c := History(t, Shapes()...)
	r := c.Served("acme", "shop")
	r.Releases = []Release{{Tag: "v9.9.0"}}
	s := New(t, r, WithToken("writer", Access{Login: "planted", Permissions: map[string]string{"contents": "write"}}))
	type release struct {
		Tag        string `json:"tag_name"`
		Published  string `json:"published_at"`
		Created    string `json:"created_at"`
		Prerelease bool
		Draft      bool
	}
	tags := func(headers ...string) string {
		var out []string
		for _, v := range get[[]release](t, s.URL+"/repos/acme/shop/releases", http.StatusOK, headers...) {
			out = append(out, v.Tag+" "+strconv.FormatBool(v.Prerelease)+" "+strconv.FormatBool(v.Draft))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	if have, want := tags(), "v1.0.0 false false, v1.0.1 false false, v1.1.0-rc.1 true false"; have != want {
		t.Errorf("releases %s, want %s", have, want)
	}
	if have := tags("Authorization: token writer"); !strings.Contains(have, "v9.9.0 false true") {
		t.Errorf("who may write sees %s", have)
	}
	v := get[release](t, s.URL+"/repos/acme/shop/releases/tags/v1.0.0", http.StatusOK)
	if want := git(t, c.Dir, "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd", "v1.0.0"); v.Created != want || v.Published <= want {
		t.Errorf("created %s, published %s; the commit is of %s, the tag later", v.Created, v.Published, want)
	}
	ref := get[struct {
		Object struct{ Type, SHA string }
	}](t, s.URL+"/repos/acme/shop/git/ref/tags/v1.0.0", http.StatusOK)
	if ref.Object.Type != "tag" || get[struct{ Object sha }](t, s.URL+"/repos/acme/shop/git/tags/"+ref.Object.SHA, http.StatusOK).Object.SHA != c.SHA("after") {
		t.Errorf("the tag leads to %+v", ref)
	}
}

func TestRepositoriesMoveAndAreEmpty(t *testing.T) {
	c := History(t, Linear(40)...)
	r := c.Served("acme", "shop")
	r.FormerNames = []string{"before/store"}
	s := New(t, r)
	s.Add(Repository{Dir: History(t).Dir, Owner: "acme", Name: "empty"})
	moved := ask(t, http.MethodGet, s.URL+"/repos/before/store/commits?per_page=2&page=2")
	at := moved.Header.Get("Location")
	if moved.StatusCode != http.StatusMovedPermanently || !strings.HasPrefix(at, s.URL+"/repositories/") || !strings.HasSuffix(at, "/commits?per_page=2&page=2") {
		t.Fatalf("%s to %s", moved.Status, at)
	}
	if have := shas(get[[]sha](t, at, http.StatusOK)); have != git(t, c.Dir, "rev-list", "--skip=2", "-2", "main") {
		t.Errorf("there are %s", have)
	}
	if name := get[obj](t, strings.TrimSuffix(at, "/commits?per_page=2&page=2"), http.StatusOK)["full_name"]; name != "acme/shop" {
		t.Errorf("it is %v now", name)
	}
	if have := list[sha](t, s.URL+"/repos/acme/shop/commits"); len(have) != 40 {
		t.Errorf("by the links, which have its number: %d", len(have))
	}
	get[obj](t, s.URL+"/repositories/1/commits", http.StatusNotFound)
	if words := get[obj](t, s.URL+"/repos/acme/empty/commits", http.StatusConflict)["message"]; words != "Git Repository is empty." {
		t.Errorf("an empty one says %v", words)
	}
	s.Remove("acme", "shop")
	get[obj](t, s.URL+"/repos/acme/shop", http.StatusNotFound)
}

func TestAForcePushLeavesTheOldCommitsByTheirSHA(t *testing.T) {
	c := History(t, Commit{Name: "base"}, Commit{Name: "old"}, Commit{Branch: "refs/pull/1/head", Parents: []string{"base"}, Name: "new"})
	s := New(t, c.Served("acme", "shop"))
	s.Update("acme", "shop", func(r *Repository) { r.Branches = map[string]string{"main": c.SHA("new"), "gone": ""} })
	if have := shas(list[sha](t, s.URL+"/repos/acme/shop/commits")); have != c.SHA("new")+"\n"+c.SHA("base") {
		t.Errorf("after the push: %s", have)
	}
	get[obj](t, s.URL+"/repos/acme/shop/commits/"+c.SHA("old"), http.StatusOK)
	if have := get[comparison](t, s.URL+"/repos/acme/shop/compare/"+c.SHA("old")+"...main", http.StatusOK); have.Status != "diverged" || have.Ahead != 1 || have.Behind != 1 {
		t.Errorf("from the old head: %+v", have)
	}
	c.Add(Commit{Name: "next", Parents: []string{"new"}})
	s.Update("acme", "shop", func(r *Repository) { r.Branches = nil })
	if have := get[sha](t, s.URL+"/repos/acme/shop/commits/main", http.StatusOK).SHA; have != c.SHA("next") {
		t.Errorf("what was added to the clone is not served: %s", have)
	}
}
