package github

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Commit is one commit for History to make. What is left out has a default.
type Commit struct {
	// Name is by which later commits name it as a parent, and the test its SHA.
	Name string
	// Branch is where it is made: main. One that begins with refs/ is the full name
	// of a reference: refs/pull/7/head is no branch, and yet keeps its commits.
	Branch string
	// Parents are names; nil is the head of the branch, or of main for a new one.
	Parents []string
	// Orphan says that it has no parent at all.
	Orphan bool
	// Author and Committer are "Name <address>".
	Author, Committer string
	// Committed is a minute after the commit before; Authored is as Committed.
	Committed, Authored time.Time
	Message             string
	// Files are contents by path, Removed paths. A commit with neither writes one
	// file of its own.
	Files   map[string]string
	Removed []string
	Renamed map[string]string // from one path to another
	Links   map[string]string // symbolic links: a path, and what it leads to
	// Empty says that it changes nothing.
	Empty bool
	// Tag is the name of a tag on it; Annotated makes it one with a tagger.
	Tag       string
	Annotated bool
}

// Clone is a repository that History made.
type Clone struct {
	Dir string

	t     testing.TB
	marks map[string]int // of names
	heads map[string]int // of branches
	last  int
	at    time.Time
}

// Start is when the first commit of a history is made, unless it says so.
func Start() time.Time { return time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC) }

// somebody is who makes commits, unless they say so.
const somebody = "Planted Person <planted@example.test>"

// History makes a repository of commits, parents before children. It takes some
// seconds for fifty thousand.
func History(t testing.TB, commits ...Commit) *Clone {
	t.Helper()
	c := &Clone{Dir: t.TempDir(), t: t, marks: map[string]int{}, heads: map[string]int{}, at: Start().Add(-time.Minute)}
	c.Git("init", "--quiet", "--bare", "--initial-branch=main", ".")
	c.Add(commits...)
	return c
}

// Git runs git in the repository and gives what it printed, without the last newline.
func (c *Clone) Git(args ...string) string {
	c.t.Helper()
	out, err := runGit(c.Dir, nil, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// SHA is the SHA of a named commit.
func (c *Clone) SHA(name string) string {
	c.t.Helper()
	mark, known := c.marks[name]
	if !known {
		c.t.Fatalf("no commit is named %s", name)
	}
	for line := range strings.Lines(c.readMarks()) {
		if sha, found := strings.CutPrefix(line, fmt.Sprintf(":%d ", mark)); found {
			return strings.TrimSpace(sha)
		}
	}
	c.t.Fatalf("git made no commit %s", name)
	return ""
}

// Served is the repository under a name.
func (c *Clone) Served(owner, name string) Repository {
	return Repository{Dir: c.Dir, Owner: owner, Name: name}
}

// Add makes more commits.
func (c *Clone) Add(commits ...Commit) {
	c.t.Helper()
	if len(commits) == 0 {
		return
	}
	var in bytes.Buffer
	for _, m := range commits {
		c.write(&in, m)
	}
	in.WriteString("done\n")
	marks := c.marksFile()
	if _, err := runGit(c.Dir, &in, "-c", "core.compression=0", "fast-import", "--quiet", "--done", "--force", "--import-marks-if-exists="+marks, "--export-marks="+marks); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Clone) marksFile() string { return filepath.Join(c.Dir, "rcactl-marks") }

func (c *Clone) readMarks() string {
	b, err := os.ReadFile(c.marksFile())
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// Sign puts a commit with a signature, which nobody can verify, on top of main, and
// gives its SHA.
func (c *Clone) Sign(message string) string {
	c.t.Helper()
	c.at = c.at.Add(time.Minute)
	head := c.Git("rev-parse", "main")
	who := fmt.Sprintf("%s %d +0000", somebody, c.at.Unix())
	object := "tree " + c.Git("rev-parse", "main^{tree}") + "\nparent " + head + "\nauthor " + who + "\ncommitter " + who +
		"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n planted\n -----END PGP SIGNATURE-----\n\n" + message + "\n"
	out, err := runGit(c.Dir, strings.NewReader(object), "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		c.t.Fatal(err)
	}
	sha := strings.TrimSpace(string(out))
	c.Git("update-ref", "refs/heads/main", sha, head)
	c.last++
	marks := c.readMarks() + fmt.Sprintf(":%d %s\n", c.last, sha)
	if err := os.WriteFile(c.marksFile(), []byte(marks), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.heads["refs/heads/main"] = c.last
	return sha
}

// write writes a commit for git fast-import.
func (c *Clone) write(out *bytes.Buffer, m Commit) {
	c.t.Helper()
	c.last++
	branch := m.Branch
	if branch == "" {
		branch = "main"
	}
	if !strings.HasPrefix(branch, "refs/") {
		branch = "refs/heads/" + branch
	}
	c.at = c.at.Add(time.Minute)
	if !m.Committed.IsZero() {
		c.at = m.Committed
	}
	authored := m.Authored
	if authored.IsZero() {
		authored = c.at
	}
	author, committer := orSomebody(m.Author), orSomebody(m.Committer)
	message := m.Message
	if message == "" {
		message = fmt.Sprintf("change %d", c.last)
	}
	parents := c.parents(branch, m)
	if len(parents) == 0 { // otherwise the branch would go on where it is
		fmt.Fprintf(out, "reset %s\n", branch)
	}
	fmt.Fprintf(out, "commit %s\nmark :%d\n", branch, c.last)
	fmt.Fprintf(out, "author %s %d +0000\ncommitter %s %d +0000\n", author, authored.Unix(), committer, c.at.Unix())
	writeData(out, message)
	for i, p := range parents {
		fmt.Fprintf(out, "%s :%d\n", [...]string{"from", "merge"}[min(i, 1)], p)
	}
	c.writeFiles(out, m)
	if m.Tag != "" {
		c.writeTag(out, m, committer)
	}
	if m.Name != "" {
		c.marks[m.Name] = c.last
	}
	c.heads[branch] = c.last
}

func orSomebody(who string) string {
	if who == "" {
		return somebody
	}
	return who
}

// parents are the marks of the parents.
func (c *Clone) parents(branch string, m Commit) []int {
	c.t.Helper()
	if m.Orphan {
		return nil
	}
	var out []int
	for _, name := range m.Parents {
		mark, known := c.marks[name]
		if !known {
			c.t.Fatalf("commit %q has the parent %q, which was not made before", m.Name, name)
		}
		out = append(out, mark)
	}
	if len(out) > 0 {
		return out
	}
	for _, b := range []string{branch, "refs/heads/main"} {
		if head, known := c.heads[b]; known {
			return []int{head}
		}
	}
	return nil
}

func (c *Clone) writeFiles(out *bytes.Buffer, m Commit) {
	for _, from := range slices.Sorted(maps.Keys(m.Renamed)) {
		fmt.Fprintf(out, "R %s %s\n", quotePath(from), quotePath(m.Renamed[from]))
	}
	for _, path := range m.Removed {
		fmt.Fprintf(out, "D %s\n", quotePath(path))
	}
	files := m.Files
	if len(files)+len(m.Removed)+len(m.Renamed)+len(m.Links) == 0 && !m.Empty {
		files = map[string]string{fmt.Sprintf("src/%d/%d.go", c.last%32, c.last%1024): fmt.Sprintf("package src // %d\n", c.last)}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(out, "M 100644 inline %s\n", quotePath(path))
		writeData(out, files[path])
	}
	for _, path := range slices.Sorted(maps.Keys(m.Links)) {
		fmt.Fprintf(out, "M 120000 inline %s\n", quotePath(path))
		writeData(out, m.Links[path])
	}
}

func (c *Clone) writeTag(out *bytes.Buffer, m Commit, tagger string) {
	if !m.Annotated {
		fmt.Fprintf(out, "reset refs/tags/%s\nfrom :%d\n\n", m.Tag, c.last)
		return
	}
	fmt.Fprintf(out, "tag %s\nfrom :%d\ntagger %s %d +0000\n", m.Tag, c.last, tagger, c.at.Add(time.Minute).Unix())
	writeData(out, "release "+m.Tag+"\n")
}

func writeData(out *bytes.Buffer, s string) { fmt.Fprintf(out, "data %d\n%s\n", len(s), s) }

func quotePath(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

// Linear are n commits one after the other.
func Linear(n int) []Commit { return make([]Commit, n) }

// Hollow are n commits one after the other that change nothing, for histories whose
// length alone matters: they are made five times as fast.
func Hollow(n int) []Commit {
	out := Linear(n)
	for i := range out {
		out[i].Empty = true
	}
	return out
}

// Merged are the commits of a pull request and the commit that merges it.
func Merged(number int, branch string, commits ...Commit) []Commit {
	ref := "refs/pull/" + strconv.Itoa(number) + "/head"
	var out []Commit
	for i, m := range commits {
		m.Branch = ref
		if i == len(commits)-1 {
			m.Name = ref
		}
		out = append(out, m)
	}
	base := Commit{Name: ref + "/base", Message: fmt.Sprintf("before #%d", number)}
	merge := Commit{
		Parents: []string{base.Name, ref}, Empty: true,
		Message: fmt.Sprintf("Merge pull request #%d from acme/%s\n\nThe title of %d", number, branch, number),
	}
	return append(append([]Commit{base}, out...), merge)
}

// Squashed is the one commit of a pull request that was squashed.
func Squashed(number int, title string) Commit {
	return Commit{Message: fmt.Sprintf("%s (#%d)\n\nThe body of %d.", title, number, number)}
}

// Plants are texts that stand in the commits of Shapes where people leave them: in
// messages, names, addresses, branches, tags and paths. None may come out anywhere.
func Plants() map[string]string {
	return map[string]string{
		"name":       "Plantella Plantsdottir",
		"address":    "plantella.plantsdottir@example.test",
		"token":      "ghp_" + strings.Repeat("Pl4nt", 7) + "9",
		"subject":    "plantedsubject",
		"body":       "plantedbody",
		"branch":     "plantedbranch",
		"folder":     "plantedfolder",
		"patch text": "plantedcontent",
		"title":      "plantedtitle",
		"cloud key":  "AKIA" + "PLANTEDPLANTED77",
	}
}

// Shapes are commits of every shape that a client can fall over: merges of two and
// of three, pull requests merged, squashed and rebased, reverts, migrations, lock
// files, binary files, renames, removed files, links, no change at all, dates out of order,
// authors that are programs, tags, a second branch, an orphan branch,
// and Plants.
func Shapes() []Commit {
	plant := Plants()
	who := plant["name"] + " <" + plant["address"] + ">"
	day := func(n int) time.Time { return Start().Add(time.Duration(n) * 24 * time.Hour) }
	out := []Commit{
		{Name: "root", Message: "Initial commit", Files: map[string]string{"README.md": "# shop\n", "go.mod": "module example.test/shop\n", "cmd/shop/main.go": "package main\n\nfunc main() {}\n"}},
		{Name: "feature", Message: "feat(checkout): take orders\n\nCloses #3", Files: map[string]string{"pkg/checkout/order.go": strings.Repeat("// order\n", 40)}},
		{Name: "migration", Message: "feat(db)!: one more column", Files: map[string]string{"db/migrations/0001_orders.sql": "ALTER TABLE orders ADD note text;\n", "pkg/checkout/order.go": strings.Repeat("// order\n", 42)}},
		{Name: "lock", Message: "chore(deps): bump things", Author: "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", Files: map[string]string{"go.sum": "sum\n"}},
		{Name: "ci", Message: "ci: deploy on push", Files: map[string]string{".github/workflows/deploy.yml": "on: push\n"}},
		{
			Name: "planted", Author: who, Committer: who, Message: "fix: " + plant["subject"] + " " + plant["token"] + "\n\n" + plant["body"] + " " + plant["cloud key"] + "\n\nSigned-off-by: " + who,
			Files: map[string]string{plant["folder"] + "/" + plant["address"] + "/" + plant["token"] + ".go": plant["patch text"] + "\n"},
		},
		{Name: "binary", Message: "docs: a picture", Files: map[string]string{"docs/picture.png": "\x89PNG\x00\x01\x02" + strings.Repeat("\x00\xff", 50)}},
		{Name: "renamed", Message: "refactor: move order", Renamed: map[string]string{"pkg/checkout/order.go": "pkg/order/order.go"}},
		{Name: "removed", Message: "remove a picture", Removed: []string{"docs/picture.png"}},
		{Name: "link", Message: "a file becomes a link", Links: map[string]string{"go.sum": "go.mod"}, Files: map[string]string{"z.txt": "z\n"}},
		{Name: "nothing", Message: "nothing changed", Empty: true},
		{Name: "odd", Message: "path of another kind", Files: map[string]string{"odd/ä b\"c%2F#?.txt": "odd\n", "odd/tab\there": "tab\n"}},
	}
	out = append(out, Merged(7, plant["branch"], Commit{Author: who, Message: plant["subject"]}, Commit{Message: "second of seven"})...)
	out = append(out, Squashed(8, "fix(order): "+plant["title"]))
	out = append(out, Merged(12, "of-two", Squashed(13, "merged into another branch first"), Commit{Message: "more of twelve"})...)
	out = append(out, Merged(9, "late", // written long ago, merged now
		Commit{Message: "old work", Authored: day(-200), Committed: day(-180)}, Commit{Message: "older work", Authored: day(-300), Committed: day(-250)})...)
	out[len(out)-1].Committed = day(1)
	return append(out,
		Commit{Name: "wrong", Message: "feat: what was wrong"},
		Commit{Name: "revert", Message: "Revert \"feat: what was wrong\"\n\nThis reverts commit 0123456789abcdef0123456789abcdef01234567."},
		Commit{Name: "left", Branch: "refs/pull/10/head", Message: "left", Committed: day(1).Add(time.Hour)},
		Commit{Name: "right", Branch: "refs/pull/11/head", Message: "right", Committed: day(1).Add(time.Hour)}, // at the same time
		Commit{Name: "octopus", Parents: []string{"revert", "left", "right"}, Message: "Merge branches of three"},
		Commit{Name: "rebased", Message: "rebased", Authored: day(-30), Committed: day(2)},
		Commit{Name: "skewed", Message: "from a machine whose clock is slow", Committed: day(-10)},
		Commit{Name: "after", Message: "after it", Committed: day(3), Tag: "v1.0.0", Annotated: true},
		Commit{Name: "release", Message: "chore: release", Tag: "v1.1.0-rc.1"},
		Commit{Name: "hotfix", Branch: "release/1.0", Parents: []string{"after"}, Message: "fix: hot", Tag: "v1.0.1"},
		Commit{Name: "planted branch", Branch: "feature/" + plant["branch"], Message: "on a branch"},
		Commit{Name: "orphan", Branch: "pages", Orphan: true, Message: "pages", Files: map[string]string{"index.html": "<p>\n"}},
		Commit{Name: "head", Message: "feat(api): the last one", Tag: "not-a-version"},
	)
}
