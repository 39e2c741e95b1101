package record

import "time"

// Streams of the github connector.
const (
	StreamCommits      = "commits"       // of the default branch and of those that the config names
	StreamPullRequests = "pull_requests" // merged ones
	StreamReleases     = "releases"      // published releases
	StreamDeployments  = "deployments"   // deployments with their statuses
	StreamWorkflowRuns = "workflow_runs" // runs that failed, and those that deployed
)

// Person is who did something, already as a pseudonym: a name or an address never
// gets this far.
type Person struct {
	// Pseudonym is empty when it is not known who it was, or not to be written.
	Pseudonym string `json:"pseudonym,omitempty"`
	// Bot says that the source, or the form of the login, calls it a program.
	Bot bool `json:"bot,omitempty"`
}

// Verification is what the source says of a commit's signature.
type Verification string

// The verifications.
const (
	VerificationUnknown  Verification = ""
	VerificationValid    Verification = "valid"
	VerificationUnsigned Verification = "unsigned"
	VerificationInvalid  Verification = "invalid" // signed, and the source could not verify it
)

// Category is what kind of file a path is.
type Category string

// The categories.
const (
	CategoryMigration      Category = "migration"
	CategoryInfrastructure Category = "infrastructure"
	CategoryDependency     Category = "dependency"
	CategoryConfiguration  Category = "configuration"
	CategoryCode           Category = "code"
	CategoryTest           Category = "test"
	CategoryDocumentation  Category = "documentation"
	CategoryOther          Category = "other"
)

// CategoryCount is how many files of one category were touched.
type CategoryCount struct {
	Category Category `json:"category"`
	Files    int32    `json:"files"`
}

// Risk is a mark on a commit that says where to look first.
type Risk string

// The risks.
const (
	RiskMigrationWithCode Risk = "migration_with_code"
	RiskLockFileOnly      Risk = "lock_file_only"
	RiskCIChanged         Risk = "ci_changed"
	RiskLarge             Risk = "large"
	RiskRevert            Risk = "revert"
	RiskSensitivePath     Risk = "sensitive_path"
	RiskBreaking          Risk = "breaking"
)

// Conventional is what a subject in the form of Conventional Commits says. Type is
// one of the well-known ones, or empty; Scope is kept only where it names a folder
// or file that the commit touches, or a service that the config names.
type Conventional struct {
	Type     string `json:"type,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Breaking bool   `json:"breaking,omitempty"`
}

// Commit is a summary of a commit. It is immutable: all of it follows from the
// commit and from the rules in the config. No name, address, message or path is in
// it, and it is what the store keeps.
type Commit struct {
	// Repository is "github.com/acme/shop": host and path in lower case.
	Repository string    `json:"repository"`
	SHA        string    `json:"sha"`
	Parents    []string  `json:"parents,omitempty"`
	Authored   time.Time `json:"authored,omitzero"`
	Committed  time.Time `json:"committed,omitzero"`
	Author     Person    `json:"author,omitzero"`
	Committer  Person    `json:"committer,omitzero"`

	Verification Verification `json:"verification,omitempty"`
	Conventional Conventional `json:"conventional,omitzero"`

	// Detailed says that sizes, categories and those risks that need them are known.
	Detailed       bool            `json:"detailed,omitempty"`
	Additions      int64           `json:"additions,omitempty"`
	Deletions      int64           `json:"deletions,omitempty"`
	Files          int32           `json:"files,omitempty"`
	FilesTruncated bool            `json:"files_truncated,omitempty"`
	Categories     []CategoryCount `json:"categories,omitempty"` // by category, in the order of the constants
	Risks          []Risk          `json:"risks,omitempty"`      // sorted

	// PullRequests are numbers that the message names as the merged pull request,
	// Issues other numbers of this repository that it names; sorted.
	PullRequests []int64 `json:"pull_requests,omitempty"`
	Issues       []int64 `json:"issues,omitempty"`
	// Reverts is the commit that the message says it reverts.
	Reverts string `json:"reverts,omitempty"`
	// Subject is scrubbed text, empty unless the policy asks for text.
	Subject string `json:"subject,omitempty"`
}

// BranchCommit is a commit that was met on a branch.
type BranchCommit struct {
	Commit
	// DefaultBranch says that it was met on the default branch; Branch is the name of
	// another one that the config names. Both are empty for a commit that was only
	// met between two revisions.
	DefaultBranch bool
	Branch        string
	// Forced says that the branch had another head before, which is not an ancestor
	// of this commit, its present head: history was rewritten. Before is that head.
	Forced bool
	Before string
	// NotBefore and NotAfter bound when the branch got it, for a commit whose own
	// date does not tell: a branch that is merged late brings old commits. Both are
	// zero for any other.
	NotBefore, NotAfter time.Time
}

// Stream implements Record.
func (BranchCommit) Stream() string { return StreamCommits }

// PullRequest is a merged pull request.
type PullRequest struct {
	Repository string
	Number     int64
	Created    time.Time
	Merged     time.Time
	// MergeCommit is the commit that merging made: what the base branch has. Head is
	// the last commit of the branch that was merged, which a squash does not keep.
	MergeCommit, Head string
	// DefaultBranch says that it was merged into the default branch; Branch is the
	// name of another one that the config names.
	DefaultBranch bool
	Branch        string
	Author        Person
	Conventional  Conventional
	// Title is scrubbed text, empty unless the policy asks for text.
	Title string
}

// Stream implements Record.
func (PullRequest) Stream() string { return StreamPullRequests }

// Release is a published release. Drafts are left out.
type Release struct {
	Repository string
	ID         int64
	// Tag is the name of the tag; empty when it is not like a version.
	Tag string
	// Commit is what the tag points to; empty when it is not known.
	Commit     string
	Published  time.Time
	Prerelease bool
	Author     Person
}

// Stream implements Record.
func (Release) Stream() string { return StreamReleases }

// DeploymentState is the state of a deployment, in the words of GitHub.
type DeploymentState string

// DeploymentStatus is one status of a deployment.
type DeploymentStatus struct {
	State DeploymentState // error, failure, inactive, in_progress, queued, pending, success
	Time  time.Time
}

// CodeDeployment is a deployment that GitHub was told of.
type CodeDeployment struct {
	Repository string
	ID         int64
	Commit     string
	// Previous is the commit of the last successful deployment of the same
	// environment before this one; empty when it is not known.
	Previous    string
	Environment string // empty when it is not like a name
	Production  bool
	Created     time.Time
	Creator     Person
	// Statuses are oldest first.
	Statuses []DeploymentStatus
}

// Stream implements Record.
func (CodeDeployment) Stream() string { return StreamDeployments }

// WorkflowRun is a run of a workflow, in the words of GitHub.
type WorkflowRun struct {
	Repository string
	ID         int64
	Attempt    int32
	// Workflow is the base name of its file, such as deploy.yml; empty when it is
	// not like one.
	Workflow string
	// Event is push, schedule, workflow_dispatch and so on.
	Event  string
	Commit string
	// Status is queued, in_progress, completed and so on; Conclusion is empty until
	// it is completed.
	Status, Conclusion string
	Started, Updated   time.Time
	Actor              Person
	// Deployed says that it is of a workflow that the config names as deploying, or
	// that a deployment was made for its commit while it ran.
	Deployed bool
}

// Stream implements Record.
func (WorkflowRun) Stream() string { return StreamWorkflowRuns }

// RunFailed reports whether a conclusion of a run is one that nobody wants. That
// somebody cancelled it is no failure.
func RunFailed(conclusion string) bool {
	switch conclusion {
	case "failure", "timed_out", "startup_failure":
		return true
	}
	return false
}
