package collect

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/window"
)

// Defaults of Options.
const (
	DefaultSince   = time.Hour
	DefaultTimeout = 2 * time.Minute
)

// Options is one run, decided in full before it starts.
type Options struct {
	// Sources are asked side by side; the manifest lists them in this order.
	// Names are unique.
	Sources []Source
	// Env is what every connector gets. Env.Log may be nil.
	Env connector.Env

	// Window is exactly what to ask for; cursors are then read for the
	// connectors' state and not moved. One that cannot be read is a note, not a
	// failure. Nil takes each stream from where its cursor stands, and moves the
	// cursors.
	Window *window.Window
	// Relative says that Window was named as reaching back from now. A source that
	// is a recording is then asked for a window as long as that, which ends when it
	// was made.
	Relative bool
	// Since is how far back a stream without a cursor is read when Window is
	// nil; zero means DefaultSince.
	Since time.Duration
	// Scope narrows the run. A narrowed run moves no cursor.
	Scope connector.Scope
	// Timeout bounds the whole run, waiting for another one included; zero means
	// DefaultTimeout. The connectors get a little less, so that what they found
	// can still be signed.
	Timeout time.Duration
	// Limits bounds what one source may write.
	Limits Limits
	// Images says which registries may be asked what images say of their source code.
	Images Images
	// Services are the repositories of services, by the config.
	Services []correlate.Service

	// StateDir holds the cursors, RunsDir the runs and the ledger. Both are
	// made if needed.
	StateDir, RunsDir string
	// LedgerInit starts a new ledger where one is expected and missing.
	LedgerInit bool

	// Redactor makes events fit to be written. What it counts goes into the
	// manifest, so it serves one run only.
	Redactor *redact.Redactor
	// Signer signs the manifest; nil leaves it unsigned.
	Signer dsse.Signer
	// Keys are our own earlier public keys. A run signed by one of them that a
	// crash left without its place in the ledger is given it.
	Keys []crypto.PublicKey
	// Collector says in the manifest which program ran, with which config.
	Collector manifest.Collector

	// Now reads the clock. Rand gives the run id.
	Now  func() time.Time
	Rand io.Reader

	// Waiting is told, once, that another process (0: not known which) holds the
	// ledger, and that this run waits for it. It must return at once. May be nil.
	Waiting func(pid int)
	// Observe is told when a source starts and ends. It is called from one
	// goroutine at a time and must return at once. May be nil.
	Observe func(Progress)
	// Evidence gets each event as it was written, after redaction. It is called
	// from one goroutine at a time and must return at once. May be nil.
	Evidence func(evidence.Event)
}

// Source is one connector instance of a run.
type Source struct {
	// Name is the key in the config (postgres/orders), Type its first part.
	Name, Type string
	// Config makes the connector. It is not used when Skip is set.
	Config connector.Config
	// ConfigDigest is what ConfigDigest gives for Config.
	ConfigDigest string
	// Skip says in our own words why the source is known and not asked. It is
	// then in the manifest as skipped.
	Skip string
	// Narrowed says that the command line changed what this source reads in this
	// run alone (--namespace, --context). Without a Window it is then read as at
	// a first look, over Since, and its cursor is neither used nor moved.
	Narrowed bool
}

// Images says which registries may be asked what images say of their source code,
// and as whom. Only the images of deployments that are to be told are asked for,
// and what they say is kept in StateDir by digest.
type Images struct {
	// Off asks none.
	Off bool
	// DockerConfig is the path of docker's config.json, of which logins and
	// credential helpers are used; empty means none.
	DockerConfig string
	// Registries may be asked: a host, the beginning of a repository
	// (ghcr.io/acme), or "*". None means those that there is a login for.
	Registries []string
	// Keys verify provenance attestations.
	Keys []crypto.PublicKey
	// PullSecrets asks sources for the credentials with which workloads pull their
	// images.
	PullSecrets bool
	// MaxImages bounds how many images are asked for in a run, Timeout each of them;
	// zero means the defaults of package oci.
	MaxImages int
	Timeout   time.Duration
}

// Limits bounds what one source may write in a run. What is beyond is not
// collected, and the source is partial. Zero means the default.
type Limits struct {
	// Events counts lines; the default is 1,000,000.
	Events int
	// Bytes counts bytes of JSONL; the default is 1 GiB.
	Bytes int64
}

func (l Limits) orDefaults() Limits {
	if l.Events <= 0 {
		l.Events = 1_000_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 1 << 30
	}
	return l
}

// Progress says that a source started, or, with a Status, how it ended.
type Progress struct {
	// Source is the instance's key.
	Source string
	// Status is empty when the source starts.
	Status connector.Status
	// Class and Error say why it is not complete, or skipped, in our own words.
	Class connector.Class
	Error string
	// Nothing says, in a sentence, that nothing was read of a source that did not
	// fail, and why; empty of one that was not asked.
	Nothing string
	// Version is what the source says of itself; may be empty.
	Version string
	// Records counts what was read, Events what was written or waits to be
	// correlated, Requests what was asked.
	Records, Events, Requests int
	// Recorded says that a recording was read and nobody was asked.
	Recorded bool
	// Took is how long it took.
	Took time.Duration
	// Skew is how far the source's clock is ahead of ours (negative: behind); zero
	// when it was not measured, or is less than what moves a window (2 s).
	Skew time.Duration
}

// Outcome is a run that was put in place. It may be partial or failed; then it
// says why, and what there is is good.
type Outcome struct {
	// Dir is the run directory.
	Dir string
	// Head is the ledger's new head; keep it elsewhere to detect that the
	// newest runs were removed.
	Head manifest.Head
	// Genesis says that this run started the ledger.
	Genesis bool
	// Window spans the windows of all sources that gave something; when none
	// did, those that they were asked for.
	Window window.Window
	// Events counts the lines of evidence; Repeated what was found and left out,
	// because an earlier run has it.
	Events, Repeated int
	// Statement is what was signed: status, sources, coverage, counts.
	Statement manifest.Statement
	// Routine are those notes of the sources in Statement that hold of every run
	// like this one.
	Routine []string
}

// ConfigDigest is the hex SHA-256 of what a config says about what is read. A
// field that does not change what is read (a timeout, a credential) is marked
// json:"-" in the connector's config type.
func ConfigDigest(cfg connector.Config) (string, error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return "", fmt.Errorf("digest of the config: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
