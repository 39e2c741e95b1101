package evidence_test

import (
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

func TestSentencesAboutNodes(t *testing.T) {
	for want, n := range map[string]evidence.Node{
		"Node n was rebooted": {Change: evidence.NodeRebooted},
		"Node n was cordoned": {Change: evidence.NodeCordoned},
		"Node n: kernel changed from 6.1 to 6.2 and os image is now 7": {Change: evidence.NodeUpgraded, Upgraded: []evidence.VersionChange{
			{Component: "kernel", From: "6.1", To: "6.2"}, {Component: "os_image", To: "7"},
		}},
		"Node n has other taints": {Change: evidence.NodeTaintsChanged},
		"Node n got the taint a:NoSchedule and lost the taint b:NoExecute": {Change: evidence.NodeTaintsChanged, TaintsAdded: []string{"a:NoSchedule"}, TaintsRemoved: []string{"b:NoExecute"}},
		"Node n got the taint a:NoSchedule":                                {Change: evidence.NodeTaintsChanged, TaintsAdded: []string{"a:NoSchedule"}},
		"Node n: zone a is gone":                                           {Change: evidence.NodeLabelChanged, Labels: []evidence.LabelChange{{Label: "zone", From: "a"}}},
		"Node n: allocatable pods changed from 9 to 5": {Change: evidence.NodeAllocatableChanged, Allocatable: []evidence.QuantityChange{
			{Resource: "pods", From: 9, To: 5},
		}},
	} {
		e := evidence.Event{Kind: evidence.KindNode, Node: &n, Source: evidence.Source{Object: evidence.Object{Kind: "Node", Name: "n"}}}
		if got := evidence.Summarize(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheSpanOfANodeEvent(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := at.Add(-time.Hour)
	e := evidence.Event{Time: at, Node: &evidence.Node{NotBefore: &before}}
	if s := e.Span(); !s.Ongoing || len(s.Instants) != 2 || !s.Instants[1].Equal(before) {
		t.Errorf("%+v", s)
	}
	e.Node.NotBefore = nil
	if s := e.Span(); s.Ongoing || len(s.Instants) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTheSentenceOfASickNodeTellsWhatItSharesMost(t *testing.T) {
	e := evidence.Event{
		Kind: evidence.KindSignal, Source: evidence.Source{Object: evidence.Object{Kind: "Node", Name: "n"}},
		Signal: &evidence.Signal{Class: "node", Detail: "not_ready", Contrasts: []evidence.NodeContrast{
			{Attribute: "zone", Value: "a", SickWith: 3, With: 6, SickWithout: 1, Without: 6},
			{Attribute: "os_image", Value: "x 1", SickWith: 4, With: 5, SickWithout: 0, Without: 7},
			{Attribute: "pool", Value: "p", SickWith: 1, With: 1, SickWithout: 3, Without: 11},
		}},
	}
	if got, want := evidence.Summarize(e), "Node n: node (not ready), like 4 of 5 nodes with os image x 1 and 0 of 7 others"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.Signal.Contrasts = e.Signal.Contrasts[2:]
	if got, want := evidence.Summarize(e), "Node n: node (not ready)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
