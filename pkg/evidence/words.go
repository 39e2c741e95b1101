package evidence

import (
	"fmt"
	"strings"
)

// ShortCommit cuts a full commit to the seven digits that people read; what is no
// full commit stays as it is.
func ShortCommit(s string) string {
	const sha1, sha256, short = 40, 64, 7
	if len(s) != sha1 && len(s) != sha256 || strings.Trim(s, "0123456789abcdef") != "" {
		return s
	}
	return s[:short]
}

// ReasonWords says a reason's code for people, in a few words without a verb's
// tense or a name: for the terminal and for summaries. It is empty for a code that
// is none.
func ReasonWords(code string) string {
	switch code {
	case "full_sha":
		return "a full commit is named"
	case "short_sha":
		return "the beginning of a commit is named"
	case "git_tag":
		return "a tag of the repository is named"
	case "signed":
		return "the provenance is signed"
	case "agreement":
		return "another source names the same commit"
	case "repository_confirmed":
		return "the repository is the service's"
	case "commit_exists":
		return "the repository has the commit"
	case "on_default_branch":
		return "the default branch has the commit"
	case "not_verified":
		return "nobody could be asked whether the commit exists"
	case "repository_not_confirmed":
		return "nothing else ties the service to the repository"
	case "repository_unknown":
		return "the repository is not known"
	case "repository_unreadable":
		return "the repository could not be read"
	case "commit_not_found":
		return "the repository has no such commit"
	case "ambiguous":
		return "several commits begin like this"
	case "dirty":
		return "built with changes that are in no commit"
	case "source_mismatch":
		return "the image names another repository"
	case "base_image":
		return "the label is that of the base image"
	case "shared_label":
		return "images of unrelated services have the same label"
	case "implausible_time":
		return "the commit is younger than the image"
	case "off_default_branch":
		return "the default branch does not have the commit"
	case "forced_away":
		return "the branch was rewritten without the commit"
	case "conflict":
		return "another source names another commit"
	case "by_tag":
		return "the tag was asked, which may have moved"
	case "several_images":
		return "several images name commits"
	case "places_disagree":
		return "labels and annotations of the image disagree"
	case "several_deployments":
		return "several deployments on GitHub fit"
	case "no_claim":
		return "neither image nor workload names one"
	case "image_unread":
		return "the labels of the image were not read"
	case "image_unreadable":
		return "the labels of the image could not be read"
	case "no_template":
		return "it is not known which images ran"
	case "configuration_only":
		return "only a commit of the configuration is named"
	case "temporal_only":
		return "nothing but time points to one"
	}
	return ""
}

// Decisive is the reason that lowered a mapping most, the first of equals; where
// none lowered it, the last that there is. Its Code is empty where there is none.
func (m *Mapping) Decisive() Reason {
	var worst Reason
	for _, r := range m.Reasons {
		if r.Delta < worst.Delta {
			worst = r
		}
	}
	if worst.Code == "" && len(m.Reasons) > 0 {
		return m.Reasons[len(m.Reasons)-1]
	}
	return worst
}

// attributed reports whether the mapping names a commit.
func (d *Deployment) attributed() bool {
	return d.Mapping != nil && d.Mapping.Confidence != ConfidenceLow && d.Revision+d.PreviousRevision != ""
}

// noCommit says why the commit is not known; empty where it is, where nobody looked,
// and where the change brought no other image, so that nobody asks.
func (d *Deployment) noCommit() string {
	if d.Mapping == nil || d.attributed() {
		return ""
	}
	switch d.Change {
	case ChangeCreate, ChangeRollout, ChangeRollback:
	default:
		return ""
	}
	if words := ReasonWords(d.Mapping.Decisive().Code); words != "" {
		return "; its commit is not known: " + words
	}
	return "; its commit is not known"
}

// commits says which commit a deployment runs, and what lies between it and the one
// before: ", from commit 4f2a91c to 9be01d7 (high, 3 commits, 1 pull request)".
func (d *Deployment) commits() string {
	if !d.attributed() {
		return ""
	}
	m := d.Mapping
	switch {
	case d.Revision == "":
		return fmt.Sprintf(", which ran commit %s (%s)", ShortCommit(d.PreviousRevision), m.Confidence)
	case d.PreviousRevision == d.Revision:
		return fmt.Sprintf(", still at commit %s (%s)", ShortCommit(d.Revision), m.Confidence)
	case d.PreviousRevision == "":
		return fmt.Sprintf(", at commit %s (%s)", ShortCommit(d.Revision), m.Confidence)
	}
	back := ""
	if d.ChangeRange != nil && d.ChangeRange.Rollback && d.Change != ChangeRollback {
		back = "back "
	}
	return fmt.Sprintf(", %sfrom commit %s to %s (%s%s)",
		back, ShortCommit(d.PreviousRevision), ShortCommit(d.Revision), m.Confidence, d.ChangeRange.say())
}

// say gives ", 3 commits, 1 pull request", empty where that is not known.
func (c *ChangeRange) say() string {
	if c == nil {
		return ""
	}
	text := ""
	switch c.Status {
	case "ahead":
		text = ", " + count(c.Ahead, "commit")
	case "behind":
		text = ", " + count(c.Behind, "commit") + " taken back"
	case "diverged":
		text = fmt.Sprintf(", %s and %d taken back", count(c.Ahead, "commit"), c.Behind)
	default:
		return ""
	}
	if n := len(c.PullRequests); n > 0 {
		text += ", " + count(n, "pull request")
	}
	return text
}

func summarizeCommit(c *Commit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s of %s", ShortCommit(c.SHA), c.Repository)
	parts := nonEmpty(conventional(c.Type, c.Scope), c.Size.say())
	if c.Breaking {
		parts = append(parts, "breaking")
	}
	if c.Reverts != "" {
		parts = append(parts, "reverts "+ShortCommit(c.Reverts))
	}
	if len(parts) > 0 {
		b.WriteString(": " + strings.Join(parts, ", "))
	}
	if c.Forced {
		b.WriteString("; the branch was rewritten")
		if c.PreviousHead != "" {
			fmt.Fprintf(&b, " and had commit %s before", ShortCommit(c.PreviousHead))
		}
	}
	b.WriteString(carried(c.Deployments, c.DeploymentsMore))
	return b.String()
}

// conventional gives "fix(checkout)".
func conventional(kind, scope string) string {
	switch {
	case kind == "":
		return ""
	case scope == "":
		return kind
	}
	return kind + "(" + scope + ")"
}

// say gives "3 files (1 migration, 2 code)".
func (s *Size) say() string {
	if s == nil {
		return ""
	}
	text := count(s.Files, "file")
	if s.Truncated {
		text = "more than " + text
	}
	if list := sayCategories(s.Categories); list != "" {
		text += " (" + list + ")"
	}
	return text
}

func sayCategories(list []Category) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%d %s", c.Files, c.Category))
	}
	return strings.Join(parts, ", ")
}

// carried gives "; carried by 2 deployments, taken back by 1".
func carried(list []CarriedBy, more int32) string {
	forth, back := int(more), 0
	for _, d := range list {
		if d.TakenBack {
			back++
		} else {
			forth++
		}
	}
	switch {
	case forth > 0 && back > 0:
		return fmt.Sprintf("; carried by %s, taken back by %d", count(forth, "deployment"), back)
	case forth > 0:
		return "; carried by " + count(forth, "deployment")
	case back > 0:
		return "; taken back by " + count(back, "deployment")
	}
	return ""
}

func summarizePullRequest(p *PullRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Pull request #%d of %s was merged", p.Number, p.Repository)
	if p.MergeCommit != "" {
		fmt.Fprintf(&b, " as commit %s", ShortCommit(p.MergeCommit))
	}
	parts := nonEmpty(conventional(p.Type, p.Scope))
	if p.Breaking {
		parts = append(parts, "breaking")
	}
	if len(parts) > 0 {
		b.WriteString(": " + strings.Join(parts, ", "))
	}
	b.WriteString(carried(p.Deployments, p.DeploymentsMore))
	return b.String()
}

func summarizeRelease(r *Release) string {
	var b strings.Builder
	b.WriteString("Release ")
	if r.Prerelease {
		b.Reset()
		b.WriteString("Pre-release ")
	}
	if r.Tag != "" {
		b.WriteString(r.Tag + " ")
	}
	fmt.Fprintf(&b, "of %s was published", r.Repository)
	if r.Commit != "" {
		fmt.Fprintf(&b, " at commit %s", ShortCommit(r.Commit))
	}
	return b.String()
}

func summarizePipeline(p *Pipeline) string {
	var b strings.Builder
	b.WriteString("A workflow")
	if p.Workflow != "" {
		b.Reset()
		b.WriteString("Workflow " + p.Workflow)
	}
	fmt.Fprintf(&b, " of %s %s", p.Repository, p.outcome())
	if p.Commit != "" {
		fmt.Fprintf(&b, " on commit %s", ShortCommit(p.Commit))
	}
	if p.Attempt > 1 {
		fmt.Fprintf(&b, ", attempt %d", p.Attempt)
	}
	if p.Deployed {
		b.WriteString("; it deploys")
	}
	return b.String()
}

// outcome says how far a run came.
func (p *Pipeline) outcome() string {
	switch p.Conclusion {
	case "success":
		return "succeeded"
	case "failure":
		return "failed"
	case "timed_out":
		return "timed out"
	case "cancelled":
		return "was cancelled"
	case "skipped":
		return "was skipped"
	case "startup_failure":
		return "could not start"
	case "action_required":
		return "waits for somebody"
	case "":
	default:
		return "ended as " + p.Conclusion
	}
	switch p.Status {
	case "in_progress":
		return "was running"
	case "completed":
		return "ended"
	}
	return "was " + p.Status
}

// summarizeEnvironment tells of a deployment that GitHub was told of.
func summarizeEnvironment(name string, d *Deployment) string {
	verb := "was deployed to"
	switch d.Status {
	case StatusFailed:
		verb = "could not be deployed to"
	case StatusProgressing:
		verb = "is being deployed to"
	case StatusUnknown:
		verb = "was asked to be deployed to"
	}
	return fmt.Sprintf("%s of %s %s", name, d.Environment.Repository, verb)
}

// count gives "1 commit", "3 commits".
func count[N int | int32](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func nonEmpty(list ...string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
