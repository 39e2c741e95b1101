package correlate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// index finds what was collected. It points into the input and changes nothing
// there.
type index struct {
	in       *Input
	repos    map[string]*repository
	answers  map[record.HistoryQuestion]*record.HistoryAnswer
	byDigest map[string]*Image
	byTag    map[string]*Image
	services map[serviceName][]*Service
	// applied are the applies of delivery tools, by their object, oldest first.
	applied map[toolObject][]int32
	// deployed says of a commit to which repository a deployment of it belongs that
	// GitHub was told of; empty when to several.
	deployed map[string]string
	// labels says of a revision label what the services are of whose images have it.
	labels map[string]use
	// toolOrigins say where the services come from that a tool's object manages.
	toolOrigins map[toolObject][]origin
	// configured are the repositories that a source of history was configured to read.
	configured map[string]bool
	known      []string // names of repos and configured, sorted
}

type serviceName struct{ namespace, name string }

// toolObject is an object of a delivery tool.
type toolObject struct{ cluster, kind, namespace, name string }

// use is how a revision label is used: by images of one repository, or of several.
type use struct {
	repository string
	shared     bool
}

// repository is what is known of one.
type repository struct {
	name    string
	commits map[string]int32 // into nodes
	nodes   []node
	tags    map[string]string // of releases, to commits
	// told are the deployments that GitHub was told of, merged the pull requests into
	// the default branch; both oldest first.
	told, merged []int32
	pulls        map[string][]int32 // by merge commit
	pullNumbers  map[int64][]int32
	pullEvents   map[int32]int64 // their numbers, by event
	forced       map[string]bool // heads that a branch lost
	ranges       map[pair]*span
	order        []string // the commits, sorted; made when it is needed
}

// node is a commit: of an event, of an answer, or of both.
type node struct {
	sha       string
	event     int32 // -1 when no event tells of it
	first     int32 // the first parent: its place and one; 0 when not looked up, -1 when not known
	next      int32 // a further event of the same commit, in more; -1 at the end
	committed time.Time
	body      *evidence.Commit
	answer    *record.Commit
	onDefault bool // it was met on the default branch
	onBranch  bool // or on another one that the config names
}

type pair struct{ base, head string }

func newIndex(in *Input) *index {
	x := &index{
		in:          in,
		repos:       map[string]*repository{},
		answers:     make(map[record.HistoryQuestion]*record.HistoryAnswer, len(in.Answers)),
		byDigest:    make(map[string]*Image, len(in.Images)),
		byTag:       map[string]*Image{},
		services:    make(map[serviceName][]*Service, len(in.Services)),
		applied:     map[toolObject][]int32{},
		deployed:    map[string]string{},
		labels:      map[string]use{},
		toolOrigins: map[toolObject][]origin{},
		configured:  make(map[string]bool, len(in.Repositories)),
	}
	for _, r := range in.Repositories {
		x.configured[r] = true
	}
	for i := range in.Services {
		s := &in.Services[i]
		n := serviceName{s.Namespace, s.Name}
		x.services[n] = append(x.services[n], s)
	}
	for i := range in.Images {
		x.addImage(&in.Images[i])
	}
	x.addEvents()
	x.addAnswers()
	x.known = x.names()
	return x
}

func (x *index) names() []string {
	names := make([]string, 0, len(x.repos)+len(x.configured))
	for n := range x.repos {
		names = append(names, n)
	}
	for n := range x.configured {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addImage keeps what is known of an image under its digest, which says all, or,
// when that is not known, under its reference. Of two answers the fuller one counts.
func (x *index) addImage(m *Image) {
	at, key := x.byDigest, m.Digest
	if key == "" {
		_, _, key = splitReference(m.Reference)
	}
	if key == "" {
		at, key = x.byTag, m.Reference
	}
	if old := at[key]; old == nil || compareImages(m, old) < 0 {
		at[key] = m
	}
}

func compareImages(a, b *Image) int {
	rank := func(m *Image) int {
		switch {
		case m.Metadata != nil && !m.Metadata.ByTag:
			return 0
		case m.Metadata != nil:
			return 1
		case m.Failed:
			return 2
		}
		return 3
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 || a.Metadata == nil {
		return c
	}
	return cmp.Or(-cmp.Compare(len(a.Metadata.Claims), len(b.Metadata.Claims)),
		slices.CompareFunc(a.Metadata.Claims, b.Metadata.Claims, func(p, q record.ImageClaim) int {
			return cmp.Or(cmp.Compare(p.Place, q.Place), cmp.Compare(p.Revision, q.Revision), cmp.Compare(p.Source, q.Source),
				cmp.Compare(p.Version, q.Version))
		}), a.Metadata.Created.Compare(b.Metadata.Created), cmp.Compare(a.Metadata.Base, b.Metadata.Base))
}

// image finds what is known of the image of a container; nil when nothing is.
func (x *index) image(m *evidence.Image) *Image {
	digest := m.Digest
	if digest == "" && strings.Contains(m.Image, "@") {
		_, _, digest = splitReference(m.Image)
	}
	if digest != "" {
		return x.byDigest[digest]
	}
	return x.byTag[m.Image]
}

func (x *index) repo(name string) *repository {
	r := x.repos[name]
	if r == nil {
		r = &repository{name: name, commits: map[string]int32{}}
		x.repos[name] = r
	}
	return r
}

func (x *index) addEvents() {
	// Counting first spares growing the maps of large histories again and again.
	counts := map[string]int{}
	for i := range x.in.Events {
		if c := x.in.Events[i].Commit; c != nil {
			counts[c.Repository]++
		}
	}
	for name, n := range counts {
		x.repos[name] = &repository{name: name, commits: make(map[string]int32, n), nodes: make([]node, 0, n)}
	}
	for i := range x.in.Events {
		e := &x.in.Events[i]
		switch {
		case e.Commit != nil:
			x.repos[e.Commit.Repository].addCommit(i, e)
		case e.PullRequest != nil:
			x.repo(e.PullRequest.Repository).addPull(i, e.PullRequest)
		case e.Release != nil && e.Release.Tag != "" && isFull(e.Release.Commit):
			x.repo(e.Release.Repository).addTag(e.Release.Tag, e.Release.Commit)
		case e.Deployment != nil:
			x.addDeployment(i, e)
		}
	}
	oldestFirst := func(a, b int32) int { return compareEvents(&x.in.Events[a], &x.in.Events[b]) }
	for _, r := range x.repos {
		slices.SortFunc(r.told, oldestFirst)
		slices.SortFunc(r.merged, oldestFirst)
	}
	for _, list := range x.applied {
		slices.SortFunc(list, oldestFirst)
	}
}

func compareEvents(a, b *evidence.Event) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
}

func (x *index) addDeployment(i int, e *evidence.Event) {
	d := e.Deployment
	switch {
	case d.Environment != nil:
		r := x.repo(d.Environment.Repository)
		r.told = append(r.told, int32(i)) //nolint:gosec // events are bounded far below
		if home, ok := x.deployed[d.Revision]; !ok {
			x.deployed[d.Revision] = r.name
		} else if home != r.name {
			x.deployed[d.Revision] = ""
		}
	case d.Applied != nil:
		o := e.Source.Object
		for _, ns := range []string{o.Namespace, ""} {
			key := toolObject{o.Cluster, o.Kind, ns, o.Name}
			x.applied[key] = append(x.applied[key], int32(i)) //nolint:gosec // events are bounded far below
			if ns == "" {
				break
			}
		}
	}
}

// addCommit keeps the event of a commit. Of several events of one commit, which
// different branches may tell, what is known is joined.
func (r *repository) addCommit(i int, e *evidence.Event) {
	c := e.Commit
	n := node{sha: c.SHA, event: int32(i), next: -1, committed: e.Time, body: c, onDefault: c.DefaultBranch, onBranch: c.Branch != ""} //nolint:gosec // events are bounded far below
	if at, ok := r.commits[c.SHA]; ok {
		old := &r.nodes[at]
		n.next = old.next
		old.onDefault, old.onBranch = old.onDefault || n.onDefault, old.onBranch || n.onBranch
		if fuller(c, old.body) {
			old.body = c
		}
		n.onDefault, n.onBranch = old.onDefault, old.onBranch
		old.next = int32(len(r.nodes)) //nolint:gosec // as above
		r.nodes = append(r.nodes, n)
	} else {
		r.commits[c.SHA] = int32(len(r.nodes)) //nolint:gosec // as above
		r.nodes = append(r.nodes, n)
	}
	if c.Forced && c.PreviousHead != "" {
		if r.forced == nil {
			r.forced = map[string]bool{}
		}
		r.forced[c.PreviousHead] = true
	}
}

// fuller reports whether one telling of a commit says more than another.
func fuller(a, b *evidence.Commit) bool {
	if b == nil || (a.Size != nil) != (b.Size != nil) {
		return b == nil || a.Size != nil
	}
	return cmp.Or(cmp.Compare(len(a.Parents), len(b.Parents)), cmp.Compare(len(a.Risks), len(b.Risks)),
		cmp.Compare(len(a.PullRequests), len(b.PullRequests)), cmp.Compare(authorOf(a), authorOf(b))) > 0
}

func authorOf(c *evidence.Commit) string {
	if c.Author == nil {
		return ""
	}
	return c.Author.Pseudonym
}

func (r *repository) addPull(i int, p *evidence.PullRequest) {
	if r.pulls == nil {
		r.pulls, r.pullNumbers, r.pullEvents = map[string][]int32{}, map[int64][]int32{}, map[int32]int64{}
	}
	at := int32(i) //nolint:gosec // events are bounded far below
	if p.MergeCommit != "" {
		r.pulls[p.MergeCommit] = append(r.pulls[p.MergeCommit], at)
	}
	r.pullEvents[at] = p.Number
	r.pullNumbers[p.Number] = append(r.pullNumbers[p.Number], at)
	if p.DefaultBranch {
		r.merged = append(r.merged, at)
	}
}

// addTag keeps what a tag points to. A tag that was told to point to two commits
// was moved, and names none.
func (r *repository) addTag(tag, commit string) {
	if r.tags == nil {
		r.tags = map[string]string{}
	}
	if old, ok := r.tags[tag]; ok && old != commit {
		commit = ""
	}
	r.tags[tag] = commit
}

// addAnswers keeps one answer a question, whatever their order was.
func (x *index) addAnswers() {
	sorted := make([]*record.HistoryAnswer, len(x.in.Answers))
	for i := range x.in.Answers {
		sorted[i] = &x.in.Answers[i]
	}
	slices.SortFunc(sorted, func(a, b *record.HistoryAnswer) int {
		return cmp.Or(compareQuestions(a.Question, b.Question), compareAnswers(a, b))
	})
	for _, a := range sorted {
		if x.answers[a.Question] == nil {
			x.addAnswer(a)
		}
	}
}

// compareQuestions asks what commits are before what lies between them.
func compareQuestions(a, b record.HistoryQuestion) int {
	return cmp.Or(strings.Compare(a.Base, b.Base), strings.Compare(a.Head, b.Head),
		strings.Compare(a.Repository, b.Repository), strings.Compare(a.Revision, b.Revision))
}

// addAnswer keeps an answer, and the commits that it tells.
func (x *index) addAnswer(a *record.HistoryAnswer) {
	x.answers[a.Question] = a
	if a.Finding != record.Found || a.Question.Repository == "" {
		return
	}
	r := x.repo(a.Question.Repository)
	if a.Question.Revision != "" {
		r.addAnswered(&a.Commit)
	}
	for i := range a.Range.Commits {
		r.addAnswered(&a.Range.Commits[i])
	}
}

// compareAnswers puts the answer first that counts of two to the same question.
func compareAnswers(a, b *record.HistoryAnswer) int {
	rank := []record.Finding{record.Found, record.Ambiguous, record.NotFound, record.Unreadable, record.Unanswered}
	return cmp.Or(cmp.Compare(slices.Index(rank, a.Finding), slices.Index(rank, b.Finding)),
		cmp.Compare(a.Range.More, b.Range.More), -cmp.Compare(len(a.Range.Commits), len(b.Range.Commits)),
		cmp.Compare(a.Range.Status, b.Range.Status), cmp.Compare(a.Commit.SHA, b.Commit.SHA), cmp.Compare(a.ReachOf, b.ReachOf),
		cmp.Compare(a.Reason, b.Reason))
}

func (r *repository) addAnswered(c *record.Commit) {
	if !isFull(c.SHA) {
		return
	}
	if at, ok := r.commits[c.SHA]; ok {
		n := &r.nodes[at]
		if n.answer == nil || c.Detailed && !n.answer.Detailed {
			n.answer = c
		}
		return
	}
	r.commits[c.SHA] = int32(len(r.nodes)) //nolint:gosec // answers are bounded far below
	r.nodes = append(r.nodes, node{sha: c.SHA, event: -1, next: -1, committed: c.Committed, answer: c})
}

func (r *repository) find(sha string) *node {
	if at, ok := r.commits[sha]; ok {
		return &r.nodes[at]
	}
	return nil
}

// parent finds the first parent of a commit; -1 when nothing is known of it.
func (r *repository) parent(n *node) int32 {
	if n.first == 0 {
		n.first = -1
		if at, ok := r.commits[n.parents()[0]]; ok {
			n.first = at + 1
		}
	}
	return max(n.first-1, -1)
}

// parents are those of the commit; none where nothing tells them.
func (n *node) parents() []string {
	if n.body != nil && (len(n.body.Parents) > 0 || n.answer == nil) {
		return n.body.Parents
	}
	if n.answer != nil {
		return n.answer.Parents
	}
	return nil
}

// service finds what the config says of the service of an event: of two entries the
// one that names the cluster.
func (x *index) service(e *evidence.Event) *Service {
	if len(x.services) == 0 {
		return nil
	}
	cluster, name := serviceOf(e)
	var found *Service
	for _, s := range x.services[name] {
		if s.Repository == "" || s.Cluster != "" && s.Cluster != cluster {
			continue
		}
		if found == nil || compareServices(s, found) < 0 {
			found = s
		}
	}
	return found
}

func compareServices(a, b *Service) int {
	return cmp.Or(-cmp.Compare(min(len(a.Cluster), 1), min(len(b.Cluster), 1)),
		strings.Compare(a.Repository, b.Repository), strings.Compare(a.Path, b.Path))
}

// serviceOf parts the service key, of which the cluster may hold slashes.
func serviceOf(e *evidence.Event) (cluster string, name serviceName) {
	key := e.ServiceKey
	if i := strings.LastIndexByte(key, '/'); i > 0 {
		if j := strings.LastIndexByte(key[:i], '/'); j > 0 {
			return key[:j], serviceName{key[j+1 : i], key[i+1:]}
		}
	}
	o := &e.Source.Object
	return o.Cluster, serviceName{o.Namespace, o.Name}
}

func managerOf(e *evidence.Event) (toolObject, bool) {
	by := e.Deployment.ManagedBy
	if by == nil {
		return toolObject{}, false
	}
	return toolObject{e.Source.Object.Cluster, by.Kind, by.Namespace, by.Name}, true
}
