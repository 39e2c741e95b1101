// Package connector says what a source of evidence is, and keeps the list of
// the types that this build has.
//
// A connector is one configured source. It reads, it never writes; it emits
// small records that are already cut down to what root-cause analysis needs;
// and it states for each of its streams which window it could really answer
// for. Evidence is made from records elsewhere (package normalize), so that a
// connector knows one source and nothing of its siblings.
package connector

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
	"github.com/rcactl/rcactl/pkg/window"
)

// Connector is one configured source. A Connector is used by one goroutine at
// a time. Further powers are further small interfaces, found by type assertion.
type Connector interface {
	// HealthCheck asks whether the source can be reached and used. It is cheap
	// and collects nothing.
	HealthCheck(ctx context.Context) Health
	// Capabilities says what the connector can read and what that needs. It
	// asks nobody and always answers the same.
	Capabilities() Capabilities
	// Collect reads what the request asks for and hands each record to emit.
	//
	// emit is called from one goroutine at a time. Its first error stops the
	// collection, and Collect returns that error. Collect returns soon after
	// ctx is done. The Result is meaningful beside an error: it says how far
	// the streams came. A stream that failed alone is coverage, not an error:
	// Collect returns an error only when the source as a whole gave nothing
	// that can be relied on. Collecting the same unchanged source twice with
	// the same request emits equal records in the same order.
	Collect(ctx context.Context, req Request, emit func(record.Record) error) (Result, error)
}

// Identifier is a Connector that can say which target it reads (the cluster,
// the database system), so that a cursor is never used against another one. It
// is asked once, before Collect.
type Identifier interface {
	Identity(ctx context.Context) (Identity, error)
}

// Identity is what a source says of itself.
type Identity struct {
	// Target is a stable, printable name of what is read, without credentials. It
	// is what the source is, whatever the config calls it.
	Target string
	// Aliases are other names under which the same target was known, or will be
	// when the credential may see less. A cursor is of the same target when its
	// target is Target or an alias of this Identity, or when Target is an alias
	// that was written down beside the cursor's target. Aliases are weaker names:
	// that two have one in common does not make them equal.
	Aliases []string
	// Version is the source's own version, for example v1.37.1.
	Version string
	// Skew is how far the source's clock was ahead of ours.
	Skew Skew
	// AsOf says that the source is a recording, of which the present is this time:
	// nothing later can be asked of it. Zero for a source that is live.
	AsOf time.Time
}

// Config is the decoded configuration of one instance, and its constructor.
type Config interface {
	// Validate checks what the schema cannot say. It is pure: no network, no
	// files, no clock. It returns a *FieldError, several joined by errors.Join,
	// or nil.
	Validate() error
	// Connect makes the connector. It may read files and resolve credentials;
	// it sends nothing.
	Connect(ctx context.Context, env Env) (Connector, error)
}

// Setter is a Config of which single keys can be set from the command line, by
// flags that people know from other tools (--context, --namespace).
type Setter interface {
	// Set sets a key of the config and reports whether there is such a key.
	Set(key string, values ...string) bool
}

// Describer is a Config that can say what it will read, as it stands: after the
// config file, the flags and the defaults of the environment.
type Describer interface {
	// Describe gives half a line for people: "current context prod · namespace
	// shop". It may read files and sends nothing. Its error says why the config
	// cannot be used here.
	Describe(env Env) (string, error)
}

// Pinner is a Config that can write what it found in the environment into
// itself, so that the config, written down, keeps meaning the same source.
type Pinner interface {
	// Pin may read files and sends nothing.
	Pin(env Env) error
}

// Offline is a Config that may read a recording, and then asks nobody.
type Offline interface {
	// Offline reports whether it does.
	Offline() bool
}

// Follower is a Config that may learn from the other sources what to read.
type Follower interface {
	// Follows reports whether it does. Its connector is then asked after those that
	// do not follow, with Scope.Repositories filled in.
	Follows() bool
}

// RepositoryNamer is a Config that names repositories of source code to read.
type RepositoryNamer interface {
	// RepositoryNames gives them in the form of record.RepositoryName; none when the
	// config names none.
	RepositoryNames() []string
}

// RangeResolver is a Connector that knows the history of source code.
type RangeResolver interface {
	// Resolve answers questions after Collect has ended, one answer a question and in
	// their order. What could not be asked, for a limit or a failure, is answered
	// with record.Unanswered and a reason; an error says that nothing more can be
	// asked. It counts against the same bounds as Collect.
	Resolve(ctx context.Context, questions []record.HistoryQuestion) ([]record.HistoryAnswer, error)
	// Resolved gives the Actions of all Resolve together, and Notes about them.
	Resolved() (actions []Action, notes []string)
}

// PullSecretReader is a Connector that can read the credentials with which a
// cluster pulls its images.
type PullSecretReader interface {
	// PullSecrets gives the docker configs (the JSON of .dockerconfigjson) that the
	// workloads of the last Collect name. It is called only when a config asks for
	// it. What could not be read is said in Notes; Actions are what was asked.
	PullSecrets(ctx context.Context) (configs []secret.Value, actions []Action, notes []string, err error)
}

// Store keeps what never changes, such as the summary of a commit, from run to
// run. What is put there is already redacted: no name, address, text or path.
type Store interface {
	// Get gives the value of a key, or false.
	Get(key string) ([]byte, bool)
	// Put keeps a value, of at most 64 KiB. A value that cannot be kept is lost, and
	// that is said elsewhere: it can be asked for again.
	Put(key string, value []byte)
}

// Env is what a connector gets from the outside. Connectors have no other way
// to the environment, the clock or the log.
type Env struct {
	// Transport carries HTTP requests; nil means a default one.
	Transport http.RoundTripper
	// Secrets resolves the references of the config.
	Secrets secret.Resolver
	// LookupEnv reads an environment variable; nil means that there is none.
	LookupEnv func(name string) (string, bool)
	// Fingerprints gives what digests parts under a key that stays the same from run
	// to run and that connectors do not see, apart for each domain; nil when there is
	// no key.
	Fingerprints func(domain string) func(parts ...[]byte) [32]byte
	// Pseudonym gives what stands for a person from now on: domain is user or email.
	// It is empty when the policy leaves people out. Nil when there is no key.
	Pseudonym func(domain, value string) string
	// Scrub gives what may be kept of a text: nothing by default, else the text
	// without what looks like a secret or a person, cut to a bound. Nil means nothing.
	Scrub func(text string) string
	// Store keeps what never changes; apart for each connector instance and for each
	// way to redact. Nil means that there is none.
	Store Store
	// WorkDir is the folder that the program was started in, for finding the
	// repository that a person works on. Empty means not to look.
	WorkDir string
	// Repositories are those of Scope.Repositories, for a Follower: what it will be
	// asked for, so that Identity need not ask for anything else.
	Repositories []string
	// Now reads the clock.
	Now func() time.Time
	// UserAgent is what to call ourselves: rcactl/<version>.
	UserAgent string
	// Log takes what is said with -v. It never gets text from the source.
	Log *slog.Logger
}

// Request is what one run asks of a connector.
type Request struct {
	// Window is the window of every stream that Streams does not name. All
	// windows of a request are in the time of the source's own clock.
	Window window.Window
	// Streams holds the windows of streams whose cursor stands elsewhere, by
	// stream name. They exclude the overlap for late data, which the connector
	// subtracts itself when Incremental is set.
	Streams map[string]window.Window
	// Incremental says that the run continues from a cursor: what an earlier
	// run emitted may be emitted again, since known evidence is left out later.
	// Without it the window is exactly the one that a person named.
	Incremental bool
	// Scope narrows what is read; its zero value narrows nothing.
	Scope Scope
	// State is the Result.State of the run before; nil when there is none.
	State []byte
}

// WindowOf returns the window that is asked of a stream.
func (r Request) WindowOf(stream string) window.Window {
	if w, ok := r.Streams[stream]; ok {
		return w
	}
	return r.Window
}

// Scope narrows a run from the command line.
type Scope struct {
	// Services holds "namespace/service" pairs; empty means all.
	Services []string
	// Repositories are those that other sources named, in the form of
	// record.RepositoryName, what is named most first. Only a Follower gets them.
	Repositories []string
}

// Result says what a collection was.
type Result struct {
	// State is handed back as Request.State in the next run, when the cursor
	// moves. Its format is the connector's own business; at most MaxState bytes.
	State []byte
	// Coverage has one entry a stream, in the order of Capabilities.
	Coverage []Coverage
	// Actions says what was asked of the source, in a stable order.
	Actions []Action
	// Scope says in words what was read: "namespace shop".
	Scope string
	// Notes are sentences of ours for the manifest: what this source cannot
	// know, what was read beyond the default.
	Notes []string
	// Routine are notes that hold of every run like this one, whatever it found.
	// The manifest has them after the others; a summary may leave them out.
	Routine []string
}

// MaxState bounds Result.State: 32 MiB.
const MaxState = 32 << 20

// Skew is the offset of a source's clock.
type Skew struct {
	// Measured is false when the source gave no clock reading.
	Measured bool
	// Offset is the source's clock minus ours.
	Offset time.Duration
}

// Status says how a source or a stream ended.
type Status string

// The four ways to end.
const (
	Complete Status = "complete" // everything that was asked for was answered
	Partial  Status = "partial"  // some of it, and what is missing is stated
	Failed   Status = "failed"   // nothing that can be relied on
	Skipped  Status = "skipped"  // not asked, by choice
)

// Coverage says what a stream could really answer for.
type Coverage struct {
	Stream string
	Status Status
	// Asked is the window of the request; Answered is the part of it that the
	// source still knew. They differ for a Reason.
	Asked, Answered window.Window
	// Reason is a sentence of ours, never text from the source.
	Reason string
	// Class is the class of the error that ended the stream, if one did.
	Class Class
	// Missing names the grants that were refused.
	Missing []Grant
	// Truncated says that a bound (max_objects, a page limit) cut the answer.
	Truncated bool
}

// Grant is a permission in the words of the source.
type Grant struct {
	Verb     string `json:"verb"`
	Group    string `json:"group,omitempty"`
	Resource string `json:"resource"`
	// Namespace is empty for a cluster-wide grant or a source without namespaces.
	Namespace string `json:"namespace,omitempty"`
	// Rule is how to give it: one line that can be pasted, such as an RBAC rule.
	Rule string `json:"rule,omitempty"`
}

// Action is what was asked of a source: not when, and not what came back. Equal
// requests (the pages of one list) are one action with a count.
type Action struct {
	Stream string `json:"stream"`
	// Method is the verb in the words of the source: GET, POST, SELECT.
	Method string `json:"method"`
	// Target is what was asked for: a path without its query, a statement's name.
	Target string `json:"target"`
	// Purpose says why, in a few words of ours.
	Purpose string `json:"purpose,omitempty"`
	// Requests counts them, retries included.
	Requests int `json:"requests"`
}

// Capabilities says what a connector can read.
type Capabilities struct {
	Streams []Stream
	// Identity lists the grants of what is asked before any stream: who the source
	// is, its version and its clock. The connector works without them, and says in
	// its Notes what suffers.
	Identity []Grant
	// NeverReads lists in words what the connector never asks for.
	NeverReads []string
}

// Stream is one kind of thing that a connector reads.
type Stream struct {
	Name string `json:"name"`
	// Needs lists the grants, one for each namespace that the config means;
	// Namespace is empty for all of them at once.
	Needs []Grant `json:"needs"`
	// Optional says that the stream is read where the credential may, and that a
	// run without it is complete.
	Optional bool `json:"optional,omitempty"`
	// Incremental says whether the stream continues from a cursor.
	Incremental bool `json:"incremental"`
	// Overlap is how far back an incremental run looks for late data, in
	// nanoseconds.
	Overlap time.Duration `json:"overlap"`
}

// Health is what a HealthCheck found.
type Health struct {
	Reachable, Authenticated bool
	// Version is the source's own version, for example v1.37.1.
	Version string
	Skew    Skew
	// Missing lists grants that the config needs and the credential lacks, Optional
	// those without which an optional stream is left out; Excess lists grants that
	// it has and nobody needs.
	Missing, Optional, Excess []Grant
	// Err says why the source is not usable; nil when it is.
	Err error
}
