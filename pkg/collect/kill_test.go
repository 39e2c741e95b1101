package collect_test

import (
	"crypto"
	"crypto/rand"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/redact"
)

// victimEnv names the folder in which the child process makes a run, victimNow
// what its clock shows.
const (
	victimEnv = "COLLECT_TEST_DIR"
	victimNow = "COLLECT_TEST_NOW"
	// each is how far the clock moves from run to run.
	each = time.Minute
)

// world is what the source of the child process holds: one record a second,
// the same in every process.
func world() []record.Signal { return connectortest.Signals(3*3600, start(), time.Second) }

// furnish puts the keys where the child process finds them.
func (h *house) furnish() {
	h.t.Helper()
	private, err := dsse.GenerateKey(dsse.P256, rand.Reader)
	check(h.t, err)
	pem, err := dsse.MarshalPrivate(private)
	check(h.t, err)
	material, err := redact.GenerateKey(rand.Reader)
	check(h.t, err)
	check(h.t, os.WriteFile(filepath.Join(h.dir, "signing.pem"), pem, 0o600))
	check(h.t, os.WriteFile(filepath.Join(h.dir, "redaction.key"), material, 0o600))
	h.takeKeys()
}

func (h *house) takeKeys() {
	h.t.Helper()
	pem, err := os.ReadFile(filepath.Join(h.dir, "signing.pem"))
	check(h.t, err)
	private, err := dsse.ParsePrivate(pem, nil)
	check(h.t, err)
	h.signer, err = dsse.NewSigner(private, rand.Reader)
	check(h.t, err)
	h.public = private.Public()
	material, err := os.ReadFile(filepath.Join(h.dir, "redaction.key"))
	check(h.t, err)
	h.key, err = redact.NewKey(material)
	check(h.t, err)
}

// TestVictim is the body of the child process; alone it does nothing.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimEnv)
	if dir == "" {
		return // only the parent test sets it, in a child process
	}
	now, err := time.Parse(time.RFC3339, os.Getenv(victimNow))
	check(t, err)
	h := &house{t: t, dir: dir, now: now}
	h.takeKeys()
	_, err = collect.Run(t.Context(), h.options(memory(t, "memory", &connectortest.Memory{Records: world()})))
	check(t, err)
}

func (h *house) victim() *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.count=1")
	cmd.Env = append(os.Environ(), victimEnv+"="+h.dir, victimNow+"="+h.now.Format(time.RFC3339))
	return cmd
}

// A process that is killed leaves what was there before whole, and the runs
// after it lose nothing.
func TestKilledAtAnyMoment(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	var usual time.Duration
	for range 2 { // the first has more to read
		began := time.Now()
		if out, err := h.victim().CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		usual = time.Since(began)
		h.now = h.now.Add(each)
	}
	killed, made := 0, 0
	for killed < 20 {
		if made++; made > 100 {
			t.Fatalf("only %d of %d processes were killed in time; the test showed little", killed, made)
		}
		h.now = h.now.Add(each)
		delay, err := rand.Int(rand.Reader, big.NewInt(int64(usual)))
		check(t, err)
		cmd := h.victim()
		check(t, cmd.Start())
		time.Sleep(time.Duration(delay.Int64()))
		_ = cmd.Process.Kill() // SIGKILL; it may have ended already
		if cmd.Wait() != nil {
			killed++
		}
		h.inspect()
	}
	t.Logf("%d of %d were killed before they had ended, within %v", killed, made, usual)
	h.now = h.now.Add(each)
	out := h.run(h.options(memory(t, "memory", &connectortest.Memory{Records: world()})))
	if out.Statement.Predicate.Outcome != "complete" {
		t.Errorf("the run afterwards is %s", out.Statement.Predicate.Outcome)
	}
	told := map[string]bool{}
	for _, dir := range h.inspect() {
		for _, name := range names(t, dir, "memory") {
			told[name] = true
		}
	}
	for _, r := range world() {
		if r.Last.Before(h.now) && !told[r.Object.Name] {
			t.Fatalf("%s of %v is lost", r.Object.Name, r.Last)
		}
	}
	if left, err := filepath.Glob(filepath.Join(h.runs(), ".partial-*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// inspect verifies every run and reads the cursor; it returns the runs.
func (h *house) inspect() []string {
	h.t.Helper()
	dirs := h.inspectRuns()
	if _, _, _, err := (cursor.Store{Dir: filepath.Join(h.state(), "cursors")}).Load("memory", "memory"); err != nil {
		h.t.Fatal(err)
	}
	return dirs
}

// inspectRuns verifies every run and returns them, oldest first.
func (h *house) inspectRuns() []string {
	h.t.Helper()
	entries, err := os.ReadDir(h.runs())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		dirs = append(dirs, filepath.Join(h.runs(), e.Name()))
	}
	slices.Sort(dirs)
	if len(dirs) > 0 {
		newest, keys := dirs[len(dirs)-1], []crypto.PublicKey{h.public}
		if _, report, err := manifest.Verify(h.t.Context(), newest, manifest.Options{Keys: keys, Runs: true}); err != nil {
			h.t.Fatalf("%v\n%+v", err, report)
		}
	}
	return dirs
}
