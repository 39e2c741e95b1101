package correlate

import (
	"math/bits"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// Scores are counted in hundredths: whole numbers add up to the same wherever and
// in whatever order they are added.
const (
	scoreHigh   = 85
	scoreMedium = 50
	scoreMost   = 99
	scoreTime   = 30 // the most that closeness in time is worth

	capped          = 30 // what is known to be wrong, or to be of another image
	cappedAmbiguous = 20
	cappedUnknown   = 45 // of which no commit or no repository is known
)

// rungs are the methods, best first, with the score that each begins with.
// docs/correlation.md is held to them.
func rungs() []rung {
	return []rung{
		{evidence.MethodSignedProvenance, 97},
		{evidence.MethodProvenance, 90},
		{evidence.MethodImageLabel, 90},
		{evidence.MethodDeliveryTool, 80},
		{evidence.MethodAnnotation, 80},
		{evidence.MethodTagSHA, 75},
		{evidence.MethodGitHubDeployment, 70},
		{evidence.MethodShortSHA, 60},
		{evidence.MethodVersionTag, 50},
		{evidence.MethodTime, scoreTime},
		{evidence.MethodNone, 0},
	}
}

type rung struct {
	method evidence.Method
	base   int
}

// rungOf says which of the rungs a method is: smaller is better.
type rungOf uint8

// The rungs, in the order of the list.
const (
	onSigned rungOf = iota
	onProvenance
	onLabel
	onTool
	onAnnotation
	onTagSHA
	onDeployment
	onShort
	onVersion
	onTime
	onNone
)

// scoreRival is the base from which a rung can contradict another one.
const scoreRival = 60

// Times that are compared are of different clocks.
const (
	skewAllowed = 5 * time.Minute
	// beforeRollout is how long before a rollout it may have been asked for by GitHub
	// or a delivery tool.
	beforeRollout = 30 * time.Minute
	// openRollout is how long a rollout without an end is taken to last.
	openRollout = 10 * time.Minute
	// beforeByTime is how long before a rollout the nearest pull request is looked for.
	beforeByTime = 24 * time.Hour
)

// code is a circumstance; its place in the list is its place among the reasons.
type code uint8

// The circumstances: what speaks for a mapping, what lowers it by a number, what
// bounds it, and what says why nothing better is known.
const (
	fullSHA code = iota
	shortSHA
	gitTag
	signed
	agreement
	repositoryConfirmed
	commitExists
	onDefaultBranch

	notVerified
	repositoryNotConfirmed
	repositoryUnreadable
	dirty
	offDefaultBranch
	forcedAway
	byTag
	placesDisagree
	severalImages
	conflict

	repositoryUnknown
	commitNotFound
	ambiguous
	sourceMismatch
	baseImage
	sharedLabel
	implausibleTime
	severalDeployments
	temporalOnly

	noClaim
	imageUnread
	imageUnreadable
	noTemplate
	configurationOnly

	codes // how many there are
)

// circumstance is what a code is called and what it does to a score: it adds Delta,
// and then, where Cap is not zero, the score is at most that.
type circumstance struct {
	name  string
	delta int
	cap   int
}

// circumstances is indexed by code. docs/correlation.md is held to it.
func circumstances() [codes]circumstance {
	return [codes]circumstance{
		fullSHA:             {name: "full_sha"},
		shortSHA:            {name: "short_sha"},
		gitTag:              {name: "git_tag"},
		signed:              {name: "signed"},
		agreement:           {name: "agreement", delta: +3},
		repositoryConfirmed: {name: "repository_confirmed"},
		commitExists:        {name: "commit_exists"},
		onDefaultBranch:     {name: "on_default_branch"},

		notVerified:            {name: "not_verified", delta: -10},
		repositoryNotConfirmed: {name: "repository_not_confirmed", delta: -10},
		repositoryUnreadable:   {name: "repository_unreadable", delta: -10},
		dirty:                  {name: "dirty", delta: -20},
		offDefaultBranch:       {name: "off_default_branch", delta: -15},
		forcedAway:             {name: "forced_away", delta: -30},
		byTag:                  {name: "by_tag", delta: -15},
		placesDisagree:         {name: "places_disagree", delta: -30},
		severalImages:          {name: "several_images", delta: -10},
		conflict:               {name: "conflict", delta: -30},

		repositoryUnknown:  {name: "repository_unknown", cap: cappedUnknown},
		commitNotFound:     {name: "commit_not_found", cap: capped},
		ambiguous:          {name: "ambiguous", cap: cappedAmbiguous},
		sourceMismatch:     {name: "source_mismatch", cap: capped},
		baseImage:          {name: "base_image", cap: capped},
		sharedLabel:        {name: "shared_label", cap: capped},
		implausibleTime:    {name: "implausible_time", cap: capped},
		severalDeployments: {name: "several_deployments", cap: capped},
		temporalOnly:       {name: "temporal_only", cap: scoreTime},

		noClaim:           {name: "no_claim"},
		imageUnread:       {name: "image_unread"},
		imageUnreadable:   {name: "image_unreadable"},
		noTemplate:        {name: "no_template"},
		configurationOnly: {name: "configuration_only"},
	}
}

// set is a set of codes.
type set uint64

func (s *set) add(c code)     { *s |= 1 << c }
func (s set) has(c code) bool { return s&(1<<c) != 0 }
func (s set) size() int       { return bits.OnesCount64(uint64(s)) }

// ladder holds the tables of a call.
type ladder struct {
	rungs         []rung
	circumstances [codes]circumstance
}

func newLadder() *ladder {
	return &ladder{rungs: rungs(), circumstances: circumstances()}
}

// score applies circumstances to the base of a rung, in their order. What has no
// full commit names none, whatever its rung is.
func (l *ladder) score(on rungOf, why set, named bool) int {
	score, _ := l.apply(on, why, named, nil)
	return score
}

// apply gives the score and, into reasons, by how much each circumstance moved it:
// base and deltas add up to the score.
func (l *ladder) apply(on rungOf, why set, named bool, reasons []evidence.Reason) (int, []evidence.Reason) {
	score := l.rungs[on].base
	for c := range codes {
		if !why.has(c) {
			continue
		}
		before, k := score, &l.circumstances[c]
		score = max(0, min(score+k.delta, scoreMost))
		if k.cap > 0 {
			score = min(score, k.cap)
		}
		if (c == notVerified || c == repositoryUnreadable) && !named {
			score = min(score, cappedUnknown)
		}
		if reasons != nil {
			reasons = append(reasons, evidence.Reason{Code: k.name, Delta: hundredths(score - before)})
		}
	}
	return score, reasons
}

func confidence(score int) evidence.Confidence {
	switch {
	case score >= scoreHigh:
		return evidence.ConfidenceHigh
	case score >= scoreMedium:
		return evidence.ConfidenceMedium
	}
	return evidence.ConfidenceLow
}

// hundredths leaves the whole numbers, at the very end.
func hundredths(n int) float64 { return float64(n) / 100 }
