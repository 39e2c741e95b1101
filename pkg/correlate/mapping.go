package correlate

import (
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// epoch is the year before which no image was made: builds that are to be the same
// each time write 1970, 1980 or nothing.
const epoch = 2000

// candidate is one thing that names a commit, and what is known against it.
type candidate struct {
	on    rungOf
	named named
	// group keeps apart who says so: what one image says in several places is one
	// voice.
	group group
	why   set
	// found is what history says; score is of this candidate alone.
	found fact
	asked bool
	score int
	// byTime says that nothing but time ties it to this deployment: it may agree, and
	// contradicts nothing.
	byTime bool
}

type group uint8

const (
	voiceImage group = iota
	voiceTool
	voiceWorkload
	voiceTag
	voiceGitHub
)

// side is one of the two templates of a deployment.
type side struct {
	template *evidence.Template
	image    *evidence.Image // the one that decides; nil when there is none
	known    *Image          // what is known of it
	several  bool            // others may as well decide
	current  bool            // it is what runs after the change
}

// origin says where a service comes from, and how that is known.
type origin struct {
	repository, basis, path string
	// mismatch says that the image names another repository.
	mismatch bool
	// owned says that the image lies under the repository's owner; trusted that the
	// config, or who signed for a key of the config, says where it comes from.
	owned, trusted bool
}

// result is a mapping before it is written down.
type result struct {
	on     rungOf
	why    set
	named  bool
	score  int
	sha    string // empty when nothing is attributed
	origin origin
	side   side
	link   int32 // a pull request that is near in time; -1 when none is
}

// solver maps deployments. Its slices are used again for each.
type solver struct {
	*history
	ladder *ladder
	found  []candidate
}

// solve maps one side of a deployment.
func (s *solver) solve(e *evidence.Event, sd side, svc *Service) result {
	o := s.origin(sd, svc)
	s.found = s.found[:0]
	s.claims(e, sd, &o)
	if o.repository == "" {
		o = s.homeOf(sd, o)
	}
	s.told(e, sd, &o)
	s.weigh(e, sd, &o)
	r := s.best(o)
	r.side, r.origin, r.link = sd, o, -1
	switch {
	case len(s.found) == 0:
		s.nothing(e, sd, &r)
	case sd.unread() != 0:
		r.why.add(sd.unread())
	}
	return r
}

// unread says why nothing is known of the image; zero when it was read, or when
// there is none.
func (sd side) unread() code {
	switch {
	case sd.image == nil, sd.known != nil && sd.known.Metadata != nil:
		return 0
	case sd.known != nil && sd.known.Failed:
		return imageUnreadable
	}
	return imageUnread
}

// origin says which repository a service comes from: the config says so, else its
// image, else the workload. Where the image and the workload differ the workload is
// believed, since an image may have the label of the image that it was built from.
func (s *solver) origin(sd side, svc *Service) origin {
	source, isSigned := imageSource(sd.known)
	claimed := claimOf(sd.template, string(record.ClaimSource))
	var o origin
	switch {
	case svc != nil:
		o = origin{repository: svc.Repository, basis: evidence.RepositoryFromConfig, path: svc.Path, trusted: true}
		o.mismatch = source != "" && source != svc.Repository
	case source != "" && (claimed == "" || claimed == source || isSigned):
		o = origin{repository: source, basis: evidence.RepositoryFromImage, trusted: isSigned}
	case claimed != "":
		o = origin{repository: claimed, basis: evidence.RepositoryFromClaim, mismatch: source != ""}
	}
	if o.repository != "" && sd.image != nil {
		image, _, _ := splitReference(sd.image.Image)
		o.owned = ownedAlike(o.repository, image)
	}
	return o
}

// places are where an image says something, what is worth most first: a label may
// be that of the image that it was built from, an annotation never is.
func places() []record.ImagePlace {
	return []record.ImagePlace{record.PlaceProvenance, record.PlaceManifest, record.PlaceIndex, record.PlaceLabel}
}

// imageSource is the repository that an image names; what is signed says it best.
func imageSource(m *Image) (source string, isSigned bool) {
	if m == nil || m.Metadata == nil {
		return "", false
	}
	best := len(places())
	for _, c := range m.Metadata.Claims {
		rank := slices.Index(places(), c.Place)
		switch {
		case c.Source == "":
		case c.Signed:
			return c.Source, true
		case rank >= 0 && rank < best:
			source, best = c.Source, rank
		}
	}
	return source, false
}

// claimOf is the first claim of a kind; claims are in a fixed order.
func claimOf(t *evidence.Template, kind string) string {
	if t != nil {
		for i := range t.Claims {
			if t.Claims[i].Kind == kind {
				return t.Claims[i].Value
			}
		}
	}
	return ""
}

// homeOf finds the repository by the commit, where nothing names it: GitHub was told
// of a deployment of that commit, or one of the known repositories has it.
func (s *solver) homeOf(sd side, o origin) origin {
	if sd.image == nil {
		return o
	}
	image, _, _ := splitReference(sd.image.Image)
	for i := range s.found {
		c := &s.found[i]
		if c.named.form != formFull {
			continue
		}
		if home := s.deployed[c.named.value]; home != "" {
			return origin{repository: home, basis: evidence.RepositoryFromDeployment, owned: ownedAlike(home, image)}
		}
		if home := s.homes(c.named.value, image); home != "" {
			return origin{repository: home, basis: evidence.RepositoryFromCommit, owned: ownedAlike(home, image)}
		}
	}
	return o
}

// claims gathers what the image and the workload say, best first.
func (s *solver) claims(e *evidence.Event, sd side, o *origin) {
	s.imageClaims(sd, o)
	s.toolClaim(e, sd, o)
	if sd.template != nil {
		for i := range sd.template.Claims {
			c := &sd.template.Claims[i]
			switch c.Kind {
			case string(record.ClaimRevision):
				s.add(candidate{on: onAnnotation, named: readRevision(c.Value), group: voiceWorkload})
			case string(record.ClaimVersion):
				s.add(candidate{on: onAnnotation, named: readVersion(c.Value), group: voiceWorkload})
			}
		}
	}
	if sd.image != nil {
		_, tag, _ := splitReference(sd.image.Image)
		s.add(candidate{on: onTagSHA, named: readVersion(tag), group: voiceTag})
	}
}

// add keeps a candidate, on the rung of what it turned out to name.
func (s *solver) add(c candidate) {
	switch c.named.form {
	case formNone:
		return
	case formFull:
		c.why.add(fullSHA)
	case formShort:
		c.on = onShort
		c.why.add(shortSHA)
	case formName:
		c.on = onVersion
		c.why.add(gitTag)
	}
	if c.named.dirty {
		c.why.add(dirty)
	}
	s.found = append(s.found, c)
}

// imageClaims gathers what the image says. Of labels and annotations that differ
// an annotation counts first: it is never the base image's.
func (s *solver) imageClaims(sd side, o *origin) {
	if sd.known == nil || sd.known.Metadata == nil {
		return
	}
	m := sd.known.Metadata
	var common set
	if m.ByTag {
		common.add(byTag)
	}
	var first named
	for _, place := range places() {
		for i := range m.Claims {
			c := &m.Claims[i]
			if c.Place != place {
				continue
			}
			n := readRevision(c.Revision)
			one := candidate{on: onLabel, named: n, group: voiceImage, why: common}
			switch {
			case place == record.PlaceProvenance && c.Signed:
				one.on = onSigned
				one.why.add(signed)
			case place == record.PlaceProvenance:
				one.on = onProvenance
			case n.form == formNone:
			case first.form == formNone:
				first = n
			case first.form == n.form && !sameCommit(first.value, n.value):
				s.mark(placesDisagree)
				continue
			case first.form == n.form:
				continue // the same again
			}
			if c.Source != "" && o.repository != "" && c.Source != o.repository {
				one.why.add(sourceMismatch) // another place of the image, or the config, says where it comes from
			}
			if s.inherited(m, c.Revision, n) || olderThanImage(m, c) {
				one.why.add(baseImage)
			}
			if s.labels[n.value].shared && n.form != formName {
				one.why.add(sharedLabel)
			}
			s.add(one)
			if n.form == formNone && c.Version != "" {
				s.add(candidate{on: onLabel, named: readVersion(c.Version), group: voiceImage, why: common})
			}
		}
	}
	slices.SortStableFunc(s.found, func(a, b candidate) int { return int(a.on) - int(b.on) })
}

// mark adds a circumstance to what labels and annotations say.
func (s *solver) mark(c code) {
	for i := range s.found {
		if s.found[i].on >= onLabel && s.found[i].group == voiceImage {
			s.found[i].why.add(c)
		}
	}
}

// sameCommit reports whether two commits, of which one may be short, can be the same.
func sameCommit(a, b string) bool {
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// inherited reports whether the image that this one names as its base was read and
// says the same.
func (s *solver) inherited(m *record.ImageMetadata, revision string, n named) bool {
	if m.Base == "" || n.form == formNone || m.Base == m.Digest {
		return false
	}
	base := s.byDigest[m.Base]
	if base == nil || base.Metadata == nil {
		return false
	}
	return slices.ContainsFunc(base.Metadata.Claims, func(c record.ImageClaim) bool { return c.Revision == revision })
}

// aDay is how long building an image may take after its labels were decided.
const aDay = 24 * time.Hour

// olderThanImage reports whether a label says that it is of an image which was made
// long before this one: labels are inherited from the base image, and with them the
// time at which that was made.
func olderThanImage(m *record.ImageMetadata, c *record.ImageClaim) bool {
	return c.Place == record.PlaceLabel && m.Created.Sub(c.Created) > aDay && c.Created.Year() >= epoch
}

// toolClaim is the commit that a delivery tool applied of the repository that the
// service comes from. Another repository's is of the configuration.
func (s *solver) toolClaim(e *evidence.Event, sd side, o *origin) {
	if o.repository == "" {
		return
	}
	source := s.appliedSource(e, o.repository)
	if source == nil {
		return
	}
	revision := source.ConfigRevision
	if !sd.current {
		revision = source.PreviousConfigRevision
	}
	if n := readRevision(revision); n.form == formFull {
		s.add(candidate{on: onTool, named: n, group: voiceTool, byTime: true})
	}
}

// appliedSource finds what the tool that manages a workload applied of a repository
// shortly before the workload was rolled out.
func (s *solver) appliedSource(e *evidence.Event, repo string) *evidence.ConfigSource {
	a := s.lastApply(e)
	if a == nil {
		return nil
	}
	for i := range a.Sources {
		if a.Sources[i].ConfigRepository == repo && a.Sources[i].Chart == "" {
			return &a.Sources[i]
		}
	}
	return nil
}

func (s *solver) lastApply(e *evidence.Event) *evidence.Applied {
	tool, ok := managerOf(e)
	if !ok || !rolledOut(e.Deployment) {
		return nil
	}
	list := s.applied[tool]
	for i := s.before(list, begun(e).Add(time.Minute)); i > 0; i-- {
		a := &s.in.Events[list[i-1]]
		if begun(e).Sub(a.Time) > beforeRollout {
			return nil
		}
		if a.Deployment.Status != evidence.StatusFailed && a.Deployment.Applied != nil {
			return a.Deployment.Applied
		}
	}
	return nil
}

// before says how many of the events, oldest first, are not after a time.
func (x *index) before(list []int32, t time.Time) int {
	n, _ := slices.BinarySearchFunc(list, t, func(i int32, t time.Time) int {
		if x.in.Events[i].Time.After(t) {
			return 1
		}
		return -1
	})
	return n
}

// rolledOut reports whether a change brought another template.
func rolledOut(d *evidence.Deployment) bool {
	switch d.Change {
	case evidence.ChangeCreate, evidence.ChangeRollout, evidence.ChangeRollback:
		return true
	}
	return false
}

// begun is when a change began, as well as it is known.
func begun(e *evidence.Event) time.Time {
	if e.Deployment.Started != nil {
		return *e.Deployment.Started
	}
	return e.Time
}

// latest is the latest time at which a change can have begun: what ran before it or
// since was made by then.
func latest(e *evidence.Event) time.Time {
	if t := e.Deployment.NotAfter; t != nil && t.After(begun(e)) {
		return *t
	}
	return begun(e)
}

// ended is when a change ended, or may have.
func ended(e *evidence.Event) time.Time {
	if f := e.Deployment.Finished; f != nil && f.After(begun(e)) {
		return *f
	}
	return begun(e).Add(openRollout)
}

// told adds the deployment that GitHub was told of shortly before the rollout, when
// it is one.
func (s *solver) told(e *evidence.Event, sd side, o *origin) {
	r := s.repos[o.repository]
	if r == nil || !sd.current || !rolledOut(e.Deployment) {
		return
	}
	sha, several := "", false
	for i := s.before(r.told, ended(e)); i > 0; i-- {
		d := &s.in.Events[r.told[i-1]]
		if begun(e).Sub(d.Time) > beforeRollout {
			break
		}
		if !succeeds(d.Deployment) || !isFull(d.Deployment.Revision) {
			continue
		}
		several = several || sha != "" && sha != d.Deployment.Revision
		sha = d.Deployment.Revision
	}
	if sha == "" {
		return
	}
	c := candidate{on: onDeployment, named: named{form: formFull, value: sha}, group: voiceGitHub, byTime: true}
	if several {
		c.named = named{form: formFull}
		c.why.add(severalDeployments)
	}
	s.add(c)
	if several {
		at := &s.found[len(s.found)-1]
		at.why &^= 1 << fullSHA
		at.asked = true
	}
}

// succeeds reports whether a deployment that GitHub was told of went well, or is
// still on its way.
func succeeds(d *evidence.Deployment) bool {
	switch d.Environment.State {
	case "success", "in_progress":
		return true
	}
	return d.Status == evidence.StatusComplete
}

// weigh looks up what has to be known: the best candidate, those that could
// contradict it, and the next one where the best turns out to be none.
func (s *solver) weigh(e *evidence.Event, sd side, o *origin) {
	slices.SortStableFunc(s.found, func(a, b candidate) int { return int(a.on) - int(b.on) })
	best := -1
	for i := range s.found {
		c := &s.found[i]
		if sd.several {
			c.why.add(severalImages)
		}
		if o.mismatch && c.group == voiceImage {
			c.why.add(sourceMismatch)
		}
		settled := best >= 0 && c.settle(&s.found[best]) // it agrees, which needs no question
		rival := s.ladder.rungs[c.on].base >= scoreRival && !c.byTime
		if best >= 0 && !settled && !rival {
			continue
		}
		s.verify(e, sd, c, o, settled)
		if best < 0 && (c.score >= scoreMedium || c.found.pending && s.hopeful(c, o)) {
			best = i
		}
	}
}

// hopeful reports whether an answer may still make a commit known by a candidate.
func (s *solver) hopeful(c *candidate, o *origin) bool {
	why := c.why &^ (1 << notVerified)
	if o.owned || s.configured[o.repository] {
		why &^= 1 << repositoryNotConfirmed
	}
	return s.ladder.score(c.on, why, true) >= scoreMedium
}

// settle takes over what is known of another candidate that names the same commit,
// and reports whether it does.
func (c *candidate) settle(other *candidate) bool {
	sha := other.found.sha
	switch {
	case sha == "" || c.asked:
		return false
	case c.named.form == formFull && c.named.value != sha, c.named.form == formShort && !strings.HasPrefix(sha, c.named.value),
		c.named.form == formName:
		return false
	}
	c.found = other.found
	c.found.pending = false
	return true
}

// verify looks a candidate up, unless that is settled, and scores it.
func (s *solver) verify(e *evidence.Event, sd side, c *candidate, o *origin, settled bool) {
	switch {
	case c.asked: // it names nothing that could be looked up
	case o.repository == "":
		c.why.add(repositoryUnknown)
		if c.named.form == formFull {
			c.found.sha = c.named.value
		}
	default:
		if !settled {
			c.found = s.look(o.repository, c.named)
		}
		s.judge(e, sd, c, o)
	}
	c.asked = true
	c.score = s.ladder.score(c.on, c.why, c.known())
}

// known reports whether a candidate names a full commit that may be told.
func (c *candidate) known() bool {
	return c.found.sha != "" && (!c.named.doubtful || c.found.state == stateFound)
}

// judge turns what history says into circumstances.
func (s *solver) judge(e *evidence.Event, sd side, c *candidate, o *origin) {
	verified := c.found.state == stateFound
	switch c.found.state {
	case stateOpen:
		c.why.add(notVerified)
	case stateUnreadable:
		c.why.add(repositoryUnreadable)
	case stateMissing:
		c.why.add(commitNotFound)
	case stateAmbiguous:
		c.why.add(ambiguous)
	case stateFound:
		c.why.add(commitExists)
	}
	if o.trusted || verified && (o.owned || s.configured[o.repository]) {
		c.why.add(repositoryConfirmed)
	} else {
		c.why.add(repositoryNotConfirmed)
	}
	switch c.found.reach {
	case record.ReachOn:
		c.why.add(onDefaultBranch)
	case record.ReachOff:
		c.why.add(offDefaultBranch)
	case record.ReachForced:
		c.why.add(forcedAway)
	}
	if !verified || c.found.committed.IsZero() {
		return
	}
	limit := c.found.committed.Add(-skewAllowed)
	if m := sd.known; m != nil && m.Metadata != nil && m.Metadata.Created.Year() >= epoch && m.Metadata.Created.Before(limit) {
		c.why.add(implausibleTime)
	}
	if latest(e).Before(limit) {
		c.why.add(implausibleTime)
	}
}

// best takes the candidate with the highest score, of equal ones the one on the
// higher rung, after those that contradict it lowered it.
func (s *solver) best(o origin) result {
	r := result{on: onNone}
	for i := range s.found {
		c := &s.found[i]
		if !c.asked {
			continue
		}
		for k := range s.found {
			if other := &s.found[k]; k != i {
				s.compare(c, other)
			}
		}
		if score := s.ladder.score(c.on, c.why, c.known()); r.on == onNone || score > r.score {
			r.on, r.why, r.named, r.score, r.sha = c.on, c.why, c.known(), score, c.found.sha
		}
	}
	if r.score < scoreMedium || o.repository == "" {
		r.sha = ""
	}
	return r
}

// compare says of a candidate what another one means for it.
func (s *solver) compare(c, other *candidate) {
	if !other.asked || !c.known() || !other.known() {
		return
	}
	switch {
	case c.found.sha == other.found.sha:
		if c.group != other.group {
			c.why.add(agreement)
		}
	case other.byTime || s.ladder.rungs[other.on].base < scoreRival || other.score < scoreMedium:
	default:
		c.why.add(conflict)
	}
}

// nothing says why no commit is named, and looks for what is near in time.
func (s *solver) nothing(e *evidence.Event, sd side, r *result) {
	switch why := sd.unread(); {
	case sd.image == nil:
		r.why.add(noTemplate)
	case why != 0:
		r.why.add(why)
	default:
		r.why.add(noClaim)
	}
	if s.lastApply(e) != nil {
		r.why.add(configurationOnly)
	}
	if !sd.current || !rolledOut(e.Deployment) {
		return
	}
	if r.link = s.nearest(e, r.origin.repository); r.link < 0 {
		return
	}
	r.on = onTime
	r.why.add(temporalOnly)
	if !r.origin.trusted && !r.origin.owned && !s.configured[r.origin.repository] {
		r.why.add(repositoryNotConfirmed)
	}
	r.score = s.ladder.score(onTime, r.why, false)
}

// nearest finds the last pull request that was merged into the default branch before
// a rollout; -1 when none was in the time that counts.
func (s *solver) nearest(e *evidence.Event, repo string) int32 {
	r := s.repos[repo]
	if r == nil {
		return -1
	}
	n := s.before(r.merged, begun(e))
	if n == 0 || begun(e).Sub(s.in.Events[r.merged[n-1]].Time) > beforeByTime {
		return -1
	}
	return r.merged[n-1]
}
