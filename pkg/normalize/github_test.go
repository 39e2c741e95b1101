package normalize_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
)

// A fact has one id, however it was met: on the default branch, on another one, or
// only between two revisions.
func TestACommitHasOneID(t *testing.T) {
	c := record.Commit{Repository: "github.com/acme/shop", SHA: "9be01d7c5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d", Committed: time.Unix(1e9, 0)}
	other := c
	other.Repository = "github.com/acme/shop2"
	ids := map[string]int{}
	for _, r := range []record.Record{
		record.BranchCommit{Commit: c, DefaultBranch: true},
		record.BranchCommit{Commit: c, Branch: "release"},
		record.BranchCommit{Commit: c},
		record.BranchCommit{Commit: other},
	} {
		events, err := normalize.Record("github", r)
		if err != nil || len(events) != 1 {
			t.Fatalf("%v: %v, %v", r, events, err)
		}
		ids[events[0].ID]++
	}
	if len(ids) != 2 {
		t.Errorf("four records of two commits gave the ids %v", ids)
	}
}

// What an event is changed to later does not reach the record, which is kept.
func TestEventsDoNotShareSlicesWithRecords(t *testing.T) {
	c := record.Commit{Repository: "github.com/acme/shop", Committed: time.Unix(1e9, 0), Parents: []string{"a"}, PullRequests: []int64{1}, Issues: []int64{2}}
	events, err := normalize.Record("github", record.BranchCommit{Commit: c})
	if err != nil {
		t.Fatal(err)
	}
	body := events[0].Commit
	body.Parents[0], body.PullRequests[0], body.Issues[0] = "x", 9, 9
	if diff := cmp.Diff(record.Commit{Repository: "github.com/acme/shop", Committed: time.Unix(1e9, 0), Parents: []string{"a"}, PullRequests: []int64{1}, Issues: []int64{2}}, c); diff != "" {
		t.Error(diff)
	}
}

// FuzzGitHub gives records with any content: no panic, and nothing that cannot be
// written down.
func FuzzGitHub(f *testing.F) {
	files, err := filepath.Glob("testdata/github-*.input.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			f.Fatal(err)
		}
		for _, one := range list {
			f.Add([]byte(one))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in input
		if json.Unmarshal(data, &in) != nil || in.record() == nil || in.Workload != nil || in.Signal != nil || in.Setting != nil || in.Node != nil || in.Delivery != nil {
			t.Skip()
		}
		events, err := normalize.Record("github", in.record())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
			if evidence.Summarize(e) == "" || e.ID == "" || e.Time.IsZero() {
				t.Fatalf("not as every event should be: %+v", e)
			}
			if d := e.Deployment; d != nil && (d.Revision == "" && d.PreviousRevision != "" || d.Mapping != nil) {
				t.Fatalf("it says more than is known: %+v", d)
			}
		}
	})
}
