package connectortest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/record"
)

// breakEnv names the way in which the child process breaks its connector.
const breakEnv = "CONNECTORTEST_BREAK"

// broken is a Memory that breaks one sentence of the contract.
type broken struct {
	*connectortest.Memory
	how   string
	calls *int // of Capabilities, since New
	runs  *int // of Collect, by all that New made
}

func ways() map[string]string {
	return map[string]string{
		"sick":             "HealthCheck is cheap",
		"moody":            "Capabilities always answers the same",
		"credentials":      "Identity is stable and holds no credentials",
		"parallel":         "emit is called from one goroutine at a time",
		"swallows":         "The first error of emit stops the collection, and Collect returns it",
		"deaf":             "Collect returns soon after ctx is done",
		"forgets coverage": "The Result is meaningful beside an error",
		"shuffles":         "Collecting twice emits equal records in the same order",
		"undeclared":       "A record belongs to a stream of Capabilities",
		"reverses":         "Coverage has one entry a stream, in the order of Capabilities",
		"boasts":           "Answered is the part of Asked that the source still knew",
		"silent":           "What is not complete has a reason",
		"amnesia":          "State is bounded and is taken back",
		"writes":           "Actions only read",
		"leaks":            "Nothing planted comes out",
	}
}

func (b broken) HealthCheck(ctx context.Context) connector.Health {
	h := b.Memory.HealthCheck(ctx)
	if b.how == "sick" {
		h.Reachable = false
	}
	return h
}

func (b broken) Identity(ctx context.Context) (connector.Identity, error) {
	id, err := b.Memory.Identity(ctx)
	if b.how == "credentials" {
		id.Target = "user:pw@host"
	}
	return id, err
}

func (b broken) Capabilities() connector.Capabilities {
	c := b.Memory.Capabilities()
	if *b.calls++; b.how == "moody" && *b.calls > 1 {
		c.NeverReads = nil
	}
	return c
}

func (b broken) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	switch b.how {
	case "amnesia":
		if req.State != nil {
			req.State = []byte("not mine")
		}
	case "deaf":
		ctx = context.WithoutCancel(ctx)
	case "shuffles":
		m := *b.Memory
		m.Records = slices.Clone(m.Records)
		if *b.runs++; *b.runs%2 == 0 {
			m.Records[0], m.Records[2] = m.Records[2], m.Records[0]
		}
		b.Memory = &m
	}
	result, err := b.Memory.Collect(ctx, req, func(r record.Record) error {
		s := r.(record.Signal) // a Memory emits nothing else
		switch b.how {
		case "parallel":
			wg.Go(func() { _ = emit(r) })
			return nil
		case "swallows":
			_ = emit(r)
			return nil
		case "deaf":
			time.Sleep(100 * time.Millisecond)
		case "undeclared":
			s.From = "elsewhere"
		case "leaks":
			s.Reason = connectortest.Planted
		}
		return emit(s)
	})
	switch b.how {
	case "forgets coverage":
		if err != nil {
			result.Coverage = nil
		}
	case "reverses":
		slices.Reverse(result.Coverage)
	case "boasts":
		result.Coverage[0].Answered.Start = result.Coverage[0].Asked.Start.Add(-time.Hour)
	case "silent":
		result.Coverage[0].Status, result.Coverage[0].Reason = connector.Partial, ""
	case "writes":
		result.Actions[0].Method = "DELETE"
	}
	return result, err
}

// TestBroken is the body of the child process; alone it does nothing.
func TestBroken(t *testing.T) {
	how := os.Getenv(breakEnv)
	if how == "" {
		return // only the parent test sets it, in a child process
	}
	runs := 0
	connectortest.Suite{
		New: func(*testing.T) connector.Connector {
			memory := &connectortest.Memory{Records: connectortest.Signals(20, start(), time.Minute)}
			return broken{Memory: memory, how: how, calls: new(int), runs: &runs}
		},
		Request: request(),
		Planted: []string{connectortest.Planted},
		Prompt:  time.Second,
	}.Run(t)
}

// A suite that nothing fails proves nothing: each broken connector must fail
// the subtest that is named after the sentence it breaks.
func TestTheSuiteCatches(t *testing.T) {
	for how, sentence := range ways() {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(sentence, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestBroken$/^"+name+"$")
			cmd.Env = append(os.Environ(), breakEnv+"="+how)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBroken/"+name) {
				t.Errorf("%q was not caught by %q:\n%s", how, sentence, out)
			}
		})
	}
}
