package normalize_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// input is one record of an input file. Exactly one field is set.
type input struct {
	Workload *record.Workload
	Signal   *record.Signal
	Setting  *record.Setting
	Node     *record.Node
	Delivery *record.Delivery

	Commit         *record.BranchCommit
	PullRequest    *record.PullRequest
	Release        *record.Release
	CodeDeployment *record.CodeDeployment
	WorkflowRun    *record.WorkflowRun
}

func (in input) record() record.Record {
	switch {
	case in.Workload != nil:
		return *in.Workload
	case in.Signal != nil:
		return *in.Signal
	case in.Setting != nil:
		return *in.Setting
	case in.Node != nil:
		return *in.Node
	case in.Delivery != nil:
		return *in.Delivery
	case in.Commit != nil:
		return *in.Commit
	case in.PullRequest != nil:
		return *in.PullRequest
	case in.Release != nil:
		return *in.Release
	case in.CodeDeployment != nil:
		return *in.CodeDeployment
	case in.WorkflowRun != nil:
		return *in.WorkflowRun
	}
	return nil
}

// TestGolden holds each testdata/<case>.input.json to <case>.golden.jsonl.
// "go test ./pkg/normalize -update" writes the latter.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.input.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".input.json"), func(t *testing.T) {
			got := lines(t, events(t, file))
			golden := strings.TrimSuffix(file, ".input.json") + ".golden.jsonl"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s\nif this is right: go test ./pkg/normalize -update", diff)
			}
		})
	}
}

func events(t *testing.T, file string) []evidence.Event {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var inputs []input
	if err := dec.Decode(&inputs); err != nil {
		t.Fatal(err)
	}
	source := "kubernetes"
	if strings.HasPrefix(filepath.Base(file), "github-") {
		source = "github"
	}
	var out []evidence.Event
	for _, in := range inputs {
		more, err := normalize.Record(source, in.record())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, more...)
	}
	return out
}

func lines(t *testing.T, events []evidence.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	ids := map[string]bool{}
	for _, e := range events {
		if ids[e.ID] {
			t.Errorf("the id %s comes twice", e.ID)
		}
		ids[e.ID] = true
		if e.Time.IsZero() || e.Summary != "" || e.Schema != evidence.Schema || e.Time.Location().String() != "UTC" {
			t.Errorf("not as every event should be: %+v", e)
		}
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

type strange struct{}

func (strange) Stream() string { return "strange" }

func TestAnUnknownRecordIsAnError(t *testing.T) {
	for _, r := range []record.Record{strange{}, nil} {
		if events, err := normalize.Record("x", r); err == nil || events != nil {
			t.Errorf("%v: %v, %v", r, events, err)
		}
	}
}
