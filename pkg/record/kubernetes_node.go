package record

import "time"

// Node is a node of the cluster: what it is and how it is.
type Node struct {
	Object  Object
	Created time.Time
	// Deleted and Vanished are those of Workload.
	Deleted  time.Time
	Vanished *Vanished
	Facts    NodeFacts
	// Before are the facts of the last look, After and Until the times of the
	// two looks as in Vanished; nil when there was none or they are equal.
	Before       *NodeFacts
	After, Until time.Time
	// Conditions that hurt now: Ready that is not true, a pressure that is not
	// false.
	Conditions []NodeCondition
}

// Stream implements Record.
func (Node) Stream() string { return StreamNodes }

// NodeFacts are what is compared between two looks.
type NodeFacts struct {
	// BootID changes with each boot.
	BootID string
	// Kubelet, Runtime, Kernel and OSImage are versions as the node reports them.
	Kubelet, Runtime, Kernel, OSImage string
	// Unschedulable is spec.unschedulable: the node is cordoned.
	Unschedulable bool
	// Taints are the keys of taints with their effects ("key:NoSchedule"), sorted.
	Taints []string
	// Pool, Zone and InstanceType are well-known labels; empty when not labelled.
	Pool, Zone, InstanceType string
	// CPU (milli), Memory (bytes) and Pods are allocatable.
	CPU, Memory, Pods int64
}

// NodeCondition is a condition of a node that hurts.
type NodeCondition struct {
	// Type is the API's: Ready, MemoryPressure, DiskPressure, PIDPressure,
	// NetworkUnavailable. Status is True, False or Unknown.
	Type, Status string
	// Reason is a CamelCase word.
	Reason string
	Since  time.Time
}
