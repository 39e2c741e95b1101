package evidence

// Confidence says how sure a mapping is.
type Confidence string

// The confidences, by score: high from 0.85, medium from 0.5.
const (
	ConfidenceHigh   Confidence = "high"
	ConfidenceMedium Confidence = "medium"
	ConfidenceLow    Confidence = "low"
)

// Method says what tied a deployment to a commit, best first.
type Method string

// The methods.
const (
	MethodSignedProvenance Method = "signed_provenance" // of the image, by a key that the config names
	MethodProvenance       Method = "provenance"        // of the image, not signed
	MethodImageLabel       Method = "image_label"       // or an annotation of the image
	MethodDeliveryTool     Method = "delivery_tool"     // Argo CD or Flux applied that commit of the source repository
	MethodAnnotation       Method = "annotation"        // or a label of the workload or its pod template
	MethodTagSHA           Method = "tag_sha"           // the image's tag is a full commit
	MethodGitHubDeployment Method = "github_deployment" // GitHub was told of a deployment
	MethodShortSHA         Method = "short_sha"         // the beginning of a commit, in a tag or a claim
	MethodVersionTag       Method = "version_tag"       // a version that is a tag of the repository
	MethodTime             Method = "temporal_only"     // nothing but time
	MethodNone             Method = "none"              // nothing at all
)

// Mapping says which commit a deployment runs, how sure that is and why. With
// confidence low nothing is attributed: there is no revision.
type Mapping struct {
	Confidence Confidence `json:"confidence"`
	// Score is from 0 to 1 in steps of 0.01.
	Score  float64 `json:"score"`
	Method Method  `json:"method"`
	// Reasons are in a fixed order: what speaks for it, then what lowered it.
	Reasons []Reason `json:"reasons"`
	// Repository is that of the revision; RepositoryBasis says how the service is
	// known to come from it.
	Repository      string `json:"repository,omitempty"`
	RepositoryBasis string `json:"repository_basis,omitempty"`
	// Path is the folder of the service in the repository, by the config.
	Path string `json:"path,omitempty"`
	// Container and Digest are those of the image that decided.
	Container string `json:"container,omitempty"`
	Digest    string `json:"digest,omitempty"`
}

// Reason is one thing that speaks for or against a mapping.
type Reason struct {
	// Code is the circumstance, Delta by how much it moved the score, negative when
	// it lowered it.
	Code  string  `json:"code"`
	Delta float64 `json:"delta,omitempty"`
}

// The codes of the reasons that only the history of the repository gives.
const (
	ReasonCommitExists   = "commit_exists"
	ReasonCommitNotFound = "commit_not_found"
	ReasonAmbiguous      = "ambiguous"
)

// The bases of a repository.
const (
	RepositoryFromConfig     = "config"            // services: in the config
	RepositoryFromImage      = "image_source"      // the image's source label or provenance
	RepositoryFromClaim      = "claim"             // an annotation or label of the workload
	RepositoryFromDeployment = "github_deployment" // GitHub was told of a deployment of it
	RepositoryFromCommit     = "commit"            // it has the commit, and no other that may be meant has
)

// RangeUnknown is the status of a ChangeRange that nobody could tell.
const RangeUnknown = "unknown"

// ChangeRange is what lies between the revision of a deployment and the one before.
type ChangeRange struct {
	Repository string `json:"repository"`
	// Base is what ran before, Head what runs now.
	Base string `json:"base"`
	Head string `json:"head"`
	// Status is identical, ahead, behind or diverged, or unknown when nobody could
	// tell. Rollback says that it is behind: the commits were taken back.
	Status   string `json:"status"`
	Rollback bool   `json:"rollback,omitempty"`
	Ahead    int32  `json:"ahead"`
	Behind   int32  `json:"behind"`
	// Commits are oldest first; CommitsMore counts those that are not listed. Of a
	// range that is behind they are those that were taken back.
	Commits      []string `json:"commits,omitempty"`
	CommitsMore  int32    `json:"commits_more,omitempty"`
	PullRequests []int64  `json:"pull_requests,omitempty"`
	// Authors are the pseudonyms of the commits' authors without bots, sorted.
	Authors []string `json:"authors,omitempty"`
	// Files and Categories are of the difference as a whole; absent when not known.
	Files          *int32     `json:"files,omitempty"`
	FilesTruncated bool       `json:"files_truncated,omitempty"`
	Categories     []Category `json:"categories,omitempty"`
	// Risks are those of the commits, sorted.
	Risks []string `json:"risks,omitempty"`
	// Reason says why something of this is not known.
	Reason string `json:"reason,omitempty"`
}

// RangeNotAsked is the Reason of a ChangeRange where there was nobody to ask.
const RangeNotAsked = "not_asked"

// Claim is what a pod template or workload says of its source code.
type Claim struct {
	Kind  string `json:"kind"` // revision, source or version
	Key   string `json:"key"`
	Value string `json:"value"`
}
