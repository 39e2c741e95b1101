package evidence

import "time"

// Person is who did something, as a pseudonym that was made where it was read.
type Person struct {
	Pseudonym string `json:"pseudonym,omitempty"`
	Bot       bool   `json:"bot,omitempty"`
}

// Category is how many files of one kind were touched.
type Category struct {
	// Category is migration, infrastructure, dependency, configuration, code, test,
	// documentation or other.
	Category string `json:"category"`
	Files    int32  `json:"files"`
}

// Commit is the body of a CommitEvent: a summary that was made from the commit and
// from the rules of the config alone.
type Commit struct {
	Repository string   `json:"repository"`
	SHA        string   `json:"sha"`
	Parents    []string `json:"parents,omitempty"`
	// Branch is a branch that the config names; DefaultBranch says that it was met on
	// the default one. Neither is there for a commit that was only met between two
	// revisions.
	Branch        string `json:"branch,omitempty"`
	DefaultBranch bool   `json:"default_branch,omitempty"`
	// Forced says that the branch was rewritten: PreviousHead, which it had before,
	// is not an ancestor of this commit.
	Forced       bool   `json:"forced,omitempty"`
	PreviousHead string `json:"previous_head,omitempty"`
	// NotBefore and NotAfter bound when the branch got a commit that is older.
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	Authored  *time.Time `json:"authored,omitempty"`
	Author    *Person    `json:"author,omitempty"`
	Committer *Person    `json:"committer,omitempty"`
	// Verification is valid, unsigned or invalid; absent when it is not known.
	Verification string `json:"verification,omitempty"`
	Type         string `json:"type,omitempty"`
	Scope        string `json:"scope,omitempty"`
	Breaking     bool   `json:"breaking,omitempty"`
	// Size is absent when it is not known.
	Size         *Size    `json:"size,omitempty"`
	Risks        []string `json:"risks,omitempty"`
	PullRequests []int64  `json:"pull_requests,omitempty"`
	Issues       []int64  `json:"issues,omitempty"`
	Reverts      string   `json:"reverts,omitempty"`
	// Subject is there only when the policy asks for text.
	Subject string `json:"subject,omitempty"`
	// Deployments are the DeploymentEvents of this run that carried the commit,
	// oldest first. DeploymentsMore counts those that were left out.
	Deployments     []CarriedBy `json:"deployments,omitempty"`
	DeploymentsMore int32       `json:"deployments_more,omitempty"`
}

// Size is how much a commit, or all between two revisions, changed.
type Size struct {
	Additions int64 `json:"additions"`
	Deletions int64 `json:"deletions"`
	Files     int32 `json:"files"`
	// Truncated says that there are more files than the source tells.
	Truncated  bool       `json:"truncated,omitempty"`
	Categories []Category `json:"categories,omitempty"`
}

// CarriedBy names a DeploymentEvent that brought a commit, or took it back.
type CarriedBy struct {
	// ID is the id of the event, Time its time.
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	ServiceKey string    `json:"service_key,omitempty"`
	// TakenBack says that the deployment went back behind the commit.
	TakenBack bool `json:"taken_back,omitempty"`
}

// PullRequest is the body of a PullRequestEvent: one that was merged.
type PullRequest struct {
	Repository    string     `json:"repository"`
	Number        int64      `json:"number"`
	Created       *time.Time `json:"created,omitempty"`
	MergeCommit   string     `json:"merge_commit,omitempty"`
	Head          string     `json:"head,omitempty"`
	Branch        string     `json:"branch,omitempty"`
	DefaultBranch bool       `json:"default_branch,omitempty"`
	Author        *Person    `json:"author,omitempty"`
	Type          string     `json:"type,omitempty"`
	Scope         string     `json:"scope,omitempty"`
	Breaking      bool       `json:"breaking,omitempty"`
	// Title is there only when the policy asks for text.
	Title string `json:"title,omitempty"`
	// Deployments are as those of a Commit.
	Deployments     []CarriedBy `json:"deployments,omitempty"`
	DeploymentsMore int32       `json:"deployments_more,omitempty"`
}

// Release is the body of a ReleaseEvent.
type Release struct {
	Repository string  `json:"repository"`
	Number     int64   `json:"number"`
	Tag        string  `json:"tag,omitempty"`
	Commit     string  `json:"commit,omitempty"`
	Prerelease bool    `json:"prerelease,omitempty"`
	Author     *Person `json:"author,omitempty"`
}

// Pipeline is the body of a PipelineEvent: a run of a workflow.
type Pipeline struct {
	Repository string `json:"repository"`
	Number     int64  `json:"number"`
	Attempt    int32  `json:"attempt,omitempty"`
	// Workflow is the base name of its file.
	Workflow string `json:"workflow,omitempty"`
	Trigger  string `json:"trigger,omitempty"`
	Commit   string `json:"commit,omitempty"`
	// Status is that of a run, Conclusion how it ended, in GitHub's words.
	Status     string     `json:"status"`
	Conclusion string     `json:"conclusion,omitempty"`
	Finished   *time.Time `json:"finished,omitempty"`
	// Deployed says that the run deployed.
	Deployed bool    `json:"deployed,omitempty"`
	Author   *Person `json:"author,omitempty"`
}
