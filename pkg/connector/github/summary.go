package github

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	maxParents = 64
	// filesPage and maxFiles are GitHub's: how many files of a commit or comparison a
	// page has, and how many there are at most.
	filesPage = 300
	maxFiles  = 3000
)

var (
	shaForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	// wordForm is what GitHub's own words are like: states, events, conclusions.
	wordForm = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	// environmentForm is one word, such as production or eu-1. It leaves out names with
	// a slash, a space or an @, as many previews of branches have. It recognises no
	// people: an environment named after a login is told like any other.
	environmentForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,62}$`)
	// tagForm is a version with a word before and one behind it: v1.2.3,
	// api/v2.0.0-rc.1, release-2031.04.
	tagForm = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9.-]{0,31}[/-])?[A-Za-z]{0,3}[0-9]{1,14}(?:\.[0-9]{1,9}){0,3}(?:[-+.][0-9A-Za-z]{1,16}){0,4}$`)
)

func fullSHA(s string) bool { return shaForm.MatchString(s) }

func ifFits(form *regexp.Regexp, s string) string {
	if form.MatchString(s) {
		return s
	}
	return ""
}

// stamp is a time as GitHub writes it. What is none is the zero time: a date that a
// person forged into a commit is no reason to lose the page.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(text []byte) error {
	var word string
	s.Time = time.Time{}
	if json.Unmarshal(text, &word) != nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339, word)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	s.Time = t.UTC()
	return nil
}

// commitJSON is what is decoded of a commit. The patch of a file, which is in the
// answer too, is skipped by the decoder.
type commitJSON struct {
	SHA    string `json:"sha"`
	Commit struct {
		Author       signatureJSON `json:"author"`
		Committer    signatureJSON `json:"committer"`
		Message      string        `json:"message"`
		Verification *struct {
			Verified bool   `json:"verified"`
			Reason   string `json:"reason"`
		} `json:"verification"`
	} `json:"commit"`
	Author    *userJSON `json:"author"`
	Committer *userJSON `json:"committer"`
	Parents   []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
	Stats *struct {
		Additions int64 `json:"additions"`
		Deletions int64 `json:"deletions"`
	} `json:"stats"`
	Files []fileJSON `json:"files"`
}

type fileJSON struct {
	Filename string `json:"filename"`
	Previous string `json:"previous_filename"`
}

// summarizer makes summaries. It is not changed once made.
type summarizer struct {
	sorter *sorter
	people people
	scrub  func(string) string
}

// text gives what may be kept of a subject or title.
func (z *summarizer) text(s string) string {
	if z.scrub == nil {
		return ""
	}
	return z.scrub(s)
}

// commit makes the summary of a commit. files are all that were told of; nil when
// nobody was asked. more says that there are more.
func (z *summarizer) commit(repository string, c *commitJSON, files []fileJSON, more bool) record.Commit {
	m := readMessage(c.Commit.Message)
	out := record.Commit{
		Repository: repository, SHA: c.SHA,
		Authored: c.Commit.Author.Date.Time, Committed: c.Commit.Committer.Date.Time,
		Author:       z.people.person(c.Author, c.Commit.Author.Email),
		Committer:    z.people.person(c.Committer, c.Commit.Committer.Email),
		Conventional: m.conventional, PullRequests: m.pulls, Issues: m.issues, Reverts: m.reverts,
	}
	for _, p := range c.Parents {
		if fullSHA(p.SHA) && len(out.Parents) < maxParents {
			out.Parents = append(out.Parents, p.SHA)
		}
	}
	if v := c.Commit.Verification; v != nil {
		out.Verification = verification(v.Verified, v.Reason)
	}
	subject, _, _ := strings.Cut(c.Commit.Message, "\n")
	out.Subject = z.text(strings.TrimSpace(subject))
	scope := out.Conventional.Scope
	out.Conventional.Scope = ""
	if c.Stats == nil {
		out.Risks = risks(out, m, nil)
		return out
	}
	counted := z.sorter.counting()
	for _, f := range files {
		counted.add(f.Filename, f.Previous)
		if out.Conventional.Scope == "" && knownScope(scope, f.Filename) {
			out.Conventional.Scope = scope
		}
	}
	out.Detailed = true
	out.Additions, out.Deletions = max(c.Stats.Additions, 0), max(c.Stats.Deletions, 0)
	out.Files, out.FilesTruncated = counted.files, more
	out.Categories = counted.categories()
	out.Risks = risks(out, m, counted)
	return out
}

// verification sorts what GitHub says of a signature. That it could not look is not
// that it is bad.
func verification(verified bool, reason string) record.Verification {
	switch {
	case verified:
		return record.VerificationValid
	case reason == "unsigned":
		return record.VerificationUnsigned
	case reason == "" || strings.HasPrefix(reason, "gpgverify_"):
		return record.VerificationUnknown
	}
	return record.VerificationInvalid
}

// storeKey is under what a summary is kept. Rules of the config that change what a
// summary says are part of it.
func (z *summarizer) storeKey(r *repository, sha string) string {
	return "commit/" + r.storeName() + "/" + sha + "/" + z.sorter.digest
}

// readSummary reads what the store kept; false for what is not a whole summary of
// that commit.
func readSummary(text []byte, repository, sha string) (record.Commit, bool) {
	var c record.Commit
	if json.Unmarshal(text, &c) != nil || c.Repository != repository || c.SHA != sha || !c.Detailed {
		return record.Commit{}, false
	}
	return c, true
}

// pullNumbers gives the numbers, sorted and each once.
func pullNumbers(lists ...[]int64) []int64 {
	all := slices.Concat(lists...)
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}
