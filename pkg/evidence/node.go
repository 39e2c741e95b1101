package evidence

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NodeChange says what happened to a node.
type NodeChange string

// The changes of nodes.
const (
	NodeAdded              NodeChange = "added"
	NodeRemoved            NodeChange = "removed"
	NodeRebooted           NodeChange = "rebooted"
	NodeCordoned           NodeChange = "cordoned"
	NodeUncordoned         NodeChange = "uncordoned"
	NodeUpgraded           NodeChange = "upgraded"
	NodeTaintsChanged      NodeChange = "taints_changed"
	NodeLabelChanged       NodeChange = "label_changed"
	NodeAllocatableChanged NodeChange = "allocatable_changed"
)

// Node is the body of a NodeEvent.
type Node struct {
	Change NodeChange `json:"change"`
	// TimeBasis says how the time is known; with snapshot it happened between
	// NotBefore and NotAfter, of which the latter may be absent.
	TimeBasis TimeBasis  `json:"time_basis"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	// Versions are those of the node when it was read.
	Versions     *NodeVersions `json:"versions,omitempty"`
	Pool         string        `json:"pool,omitempty"`
	Zone         string        `json:"zone,omitempty"`
	InstanceType string        `json:"instance_type,omitempty"`
	// One of these says what changed, where that is more than the word.
	Upgraded      []VersionChange  `json:"upgraded,omitempty"`
	TaintsAdded   []string         `json:"taints_added,omitempty"`
	TaintsRemoved []string         `json:"taints_removed,omitempty"`
	Labels        []LabelChange    `json:"labels,omitempty"`
	Allocatable   []QuantityChange `json:"allocatable,omitempty"`
}

// NodeVersions are the versions that a node reports.
type NodeVersions struct {
	Kubelet          string `json:"kubelet,omitempty"`
	ContainerRuntime string `json:"container_runtime,omitempty"`
	Kernel           string `json:"kernel,omitempty"`
	OSImage          string `json:"os_image,omitempty"`
}

// VersionChange is a component of a node that has another version. From is absent
// when it is not known any more.
type VersionChange struct {
	// Component is kubelet, container_runtime, kernel or os_image.
	Component string `json:"component"`
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
}

// LabelChange is a well-known label with another value. From or To is absent
// when the label was not there, From also when it is not known any more.
type LabelChange struct {
	// Label is pool, zone or instance_type.
	Label string `json:"label"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// QuantityChange is a resource of which a node has more or less to give.
type QuantityChange struct {
	// Resource is cpu_millis, memory_bytes or pods.
	Resource string `json:"resource"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
}

// NodeContrast sets nodes that are not well against the others: of the nodes with
// the same value as this one, and of those with another.
type NodeContrast struct {
	// Attribute is kubelet, container_runtime, kernel, os_image, pool, zone or
	// instance_type.
	Attribute   string `json:"attribute"`
	Value       string `json:"value"`
	SickWith    int32  `json:"sick_with"`
	With        int32  `json:"with"`
	SickWithout int32  `json:"sick_without"`
	Without     int32  `json:"without"`
}

func summarizeNode(name string, n *Node) string {
	var b strings.Builder
	b.WriteString(name)
	switch n.Change {
	case NodeUpgraded:
		for i, v := range n.Upgraded {
			became(&b, i, v.Component, v.From, v.To)
		}
	case NodeTaintsChanged:
		if len(n.TaintsAdded)+len(n.TaintsRemoved) == 0 {
			b.WriteString(" has other taints")
			break
		}
		if len(n.TaintsAdded) > 0 {
			b.WriteString(" got the taint " + Some(n.TaintsAdded))
		}
		if len(n.TaintsAdded) > 0 && len(n.TaintsRemoved) > 0 {
			b.WriteString(" and")
		}
		if len(n.TaintsRemoved) > 0 {
			b.WriteString(" lost the taint " + Some(n.TaintsRemoved))
		}
	case NodeLabelChanged:
		for i, l := range n.Labels {
			became(&b, i, l.Label, l.From, l.To)
		}
	case NodeAllocatableChanged:
		for i, q := range n.Allocatable {
			became(&b, i, "allocatable "+q.Resource, strconv.FormatInt(q.From, 10), strconv.FormatInt(q.To, 10))
		}
	case NodeAdded, NodeRemoved, NodeRebooted, NodeCordoned, NodeUncordoned:
		fmt.Fprintf(&b, " was %s", n.Change)
	}
	return b.String()
}

// became tells the ith thing of a node that is other than before.
func became(b *strings.Builder, i int, what, from, to string) {
	if i > 0 {
		b.WriteString(" and")
	} else {
		b.WriteString(":")
	}
	what = strings.ReplaceAll(what, "_", " ")
	switch {
	case from != "" && to != "":
		fmt.Fprintf(b, " %s changed from %s to %s", what, from, to)
	case to != "":
		fmt.Fprintf(b, " %s is now %s", what, to)
	default:
		fmt.Fprintf(b, " %s %s is gone", what, from)
	}
}

// summarizeContrasts tells the one in which the shares differ most, where more
// than one node is not well.
func summarizeContrasts(list []NodeContrast) string {
	var most *NodeContrast
	apart := func(c *NodeContrast) float64 {
		return float64(c.SickWith)/float64(max(c.With, 1)) - float64(c.SickWithout)/float64(max(c.Without, 1))
	}
	for i := range list {
		if c := &list[i]; c.SickWith > 1 && (most == nil || apart(c) > apart(most)) {
			most = c
		}
	}
	if most == nil {
		return ""
	}
	return fmt.Sprintf("like %d of %d nodes with %s %s and %d of %d others",
		most.SickWith, most.With, strings.ReplaceAll(most.Attribute, "_", " "), most.Value, most.SickWithout, most.Without)
}
