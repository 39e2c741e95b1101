package record

import "time"

// Node is a node of the cluster: what it is and how it is.
type Node struct {
	Object  Object
	Created time.Time
	// Deleted and Vanished are those of Workload.
	Deleted  time.Time
	Vanished *Vanished
	// Facts are those of now, or of the last look for a node that vanished.
	Facts NodeFacts
	// Cordoned is when the cluster tainted the node because it was made
	// unschedulable; zero where that is not told, or it is not cordoned.
	Cordoned time.Time
	// Before are the facts of the last look, After and Until the times of the
	// two looks as in Vanished; nil when there was none or they are equal.
	Before       *NodeFacts
	After, Until time.Time
	// Conditions that hurt now: Ready that is not true, a pressure that is not
	// false; and those that did at the last look, with their end.
	Conditions []NodeCondition
	// Contrasts set the nodes that hurt against the others; only for a node that
	// hurts, and when all nodes were read.
	Contrasts []NodeContrast
}

// Stream implements Record.
func (Node) Stream() string { return StreamNodes }

// FactForgotten stands in NodeFacts of an earlier look for a value that was
// another one and is not known any more.
const FactForgotten = "(not kept)"

// NodeFacts are what is compared between two looks.
type NodeFacts struct {
	// BootID changes with each boot. It is a digest: only whether it is the same is
	// told.
	BootID string
	// Kubelet, Runtime, Kernel and OSImage are versions as the node reports them.
	Kubelet, Runtime, Kernel, OSImage string
	// Unschedulable is spec.unschedulable: the node is cordoned.
	Unschedulable bool
	// Taints are the keys of taints with their effects ("key:NoSchedule"), sorted,
	// without those that only repeat a condition or a cordon.
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
	// Ended is when it was over; zero while it stands.
	Ended time.Time
}

// NodeContrast says how many of the nodes with the same value of an attribute as
// this one hurt, and how many of the others.
type NodeContrast struct {
	// Attribute is kubelet, container_runtime, kernel, os_image, pool, zone or
	// instance_type.
	Attribute, Value string
	// SickWith of With nodes with the value hurt, SickWithout of Without others.
	SickWith, With, SickWithout, Without int
}
