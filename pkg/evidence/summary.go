package evidence

// Summarize makes the one sentence of an event from its fields and nothing else.
// Called on a redacted event it shows what redaction left. It never says that
// something caused something.
func Summarize(e Event) string {
	name := e.Source.Object.Kind + " " + e.Source.Object.Name
	switch {
	case e.Deployment != nil:
		return summarizeDeployment(name, e.Deployment) + beside(e) + e.Deployment.noCommit()
	case e.ConfigChange != nil:
		return summarizeConfigChange(name, e.ConfigChange, beside(e))
	case e.Node != nil:
		return summarizeNode(name, e.Node)
	case e.Commit != nil:
		return summarizeCommit(e.Commit)
	case e.PullRequest != nil:
		return summarizePullRequest(e.PullRequest)
	case e.Release != nil:
		return summarizeRelease(e.Release)
	case e.Pipeline != nil:
		return summarizePipeline(e.Pipeline)
	case e.Signal != nil:
		return summarizeSignal(name, e.Signal)
	}
	return name
}
