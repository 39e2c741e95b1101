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
	// Images are what was found out about the images of the events, in any order. An
	// image that is not among them was not read.
	Images []Image
	// Services are the repositories of services, by the config.
	Services []Service
	// Repositories are those that a source of history was configured to read, in the
	// form of record.RepositoryName. What it reads only because an image or a workload
	// names it is not one of them: it would confirm itself.
	Repositories []string
	// Asked says that there is a source of history to answer questions.
	Asked bool
	// Answers are to the questions of all earlier calls, in any order.
	Answers []record.HistoryAnswer
}

// Image is what is known of one image of a pod template.
type Image struct {
	// Reference and Digest are those of the evidence.Image: the reference as it stands
	// in the template, and the digest that ran, empty when no pod told.
	Reference, Digest string
	// Metadata is what the image says of itself; nil when it was not read. Failed says
	// that it was asked for and could not be read.
	Metadata *record.ImageMetadata
	Failed   bool
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
	// Events are those of the input in their order.
	Events []evidence.Event
	// Commits are those that answers tell and of which Input.Events has no
	// CommitEvent: what lies in the change ranges, and what runs. Whoever wants them
	// written makes CommitEvents of them, adds those to Input.Events and calls again:
	// they then list the deployments that carried them, and nothing else changes.
	// By repository, then oldest first; each once.
	Commits []record.Commit
	// Questions are what more would have to be known; none when nothing would.
	// Sorted, each once, never one that was answered. At most 2,000 of them are put in
	// all calls together.
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
