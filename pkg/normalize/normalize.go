// Package normalize makes evidence from records. It is pure: the same record
// gives the same events, whenever and wherever it is called.
//
// There is one file for each source. An event is complete but for its summary,
// which is written after redaction. A time that no source states is left out; an
// event of which no time at all can be stated is not made.
package normalize

import (
	"fmt"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// Record returns the events that a record tells of. connectorName is the key of
// the connector in the config. A type that is not known is an error: it would
// otherwise be lost in silence.
func Record(connectorName string, r record.Record) ([]evidence.Event, error) {
	switch r := r.(type) {
	case record.Workload:
		return managed(workload(connectorName, r), r.ManagedBy), nil
	case record.Node:
		return node(connectorName, r), nil
	case record.Signal:
		return signal(connectorName, r), nil
	case record.Setting:
		return managed(setting(connectorName, r), r.ManagedBy), nil
	case record.Delivery:
		return delivery(connectorName, r), nil
	case record.BranchCommit:
		return commit(connectorName, r), nil
	case record.PullRequest:
		return pullRequest(connectorName, r), nil
	case record.Release:
		return release(connectorName, r), nil
	case record.CodeDeployment:
		return codeDeployment(connectorName, r), nil
	case record.WorkflowRun:
		return workflowRun(connectorName, r), nil
	}
	return nil, fmt.Errorf("no evidence is made of a record of type %T (stream %s)", r, streamOf(r))
}

func streamOf(r record.Record) string {
	if r == nil {
		return "none"
	}
	return r.Stream()
}
