package manifest

import (
	"cmp"
	"context"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/internal/filelock"
	"github.com/rcactl/rcactl/pkg/run"
)

const (
	headVersion = 1
	maxHead     = 1 << 20
)

// ErrNoHead says that runs exist and the state that says where their ledger stands is
// gone, or cannot be read.
var ErrNoHead = errors.New("the ledger's head is missing")

// Head is the newest run of a ledger, as kept in <state>/ledger/head.json.
// Sequence 0, or an empty digest, means that no run was made yet.
type Head struct {
	Version  int      `json:"version"`  // of this file's format: 1
	ID       string   `json:"id"`       // the ledger
	Sequence Number   `json:"sequence"` // of the newest run
	Name     string   `json:"name"`     // its directory
	Digest   string   `json:"digest"`   // hex SHA-256 of its manifest.json
	Replaces []string `json:"replaces,omitempty"`
	// Runs is the folder of the ledger's runs, absolute, as only the head file
	// tells it.
	Runs string `json:"runs,omitempty"`
}

// String is the line to keep somewhere else: "ledger head 7 sha256:91c0…".
func (h Head) String() string {
	return fmt.Sprintf("ledger head %d sha256:%s", h.Sequence, h.Digest)
}

func headOf(st Statement, payload []byte) Head {
	return Head{
		Version: headVersion, ID: st.Predicate.Ledger.ID, Sequence: st.Predicate.Ledger.Sequence,
		Name: st.Predicate.Run.Name, Digest: sha256Hex(payload),
	}
}

// LedgerOptions steer [OpenLedger].
type LedgerOptions struct {
	// Init starts a new ledger although runs exist, when the head is missing or
	// damaged. With a good head it changes nothing, so it may be left on.
	Init bool
	// Keys are our own public keys, the present one and earlier ones. A run that
	// a crash left without its head is adopted only when one of them signed it;
	// without keys (unsigned mode) its link to the head must do.
	Keys []crypto.PublicKey
	// Random makes the id of a new ledger; 16 bytes are read.
	Random io.Reader
	// Waiting is called, once, when another process (0: not known which) holds
	// the lock and is waited for. May be nil.
	Waiting func(pid int)
}

// Ledger is the open, locked ledger of one state directory. Use it from one
// goroutine, and keep it open from before the run's directory is made until
// after [Ledger.Advance]: two runs at once would fork the chain, and
// [Ledger.RemoveStale] takes every unfinished directory for abandoned. The runs
// directory is locked with it, since other states may be given the same one.
type Ledger struct {
	head    Head
	file    string
	runsDir string
	lock    *filelock.Lock
	claimed *filelock.Lock // of runsDir
	genesis bool
	adopted []string
}

// OpenLedger locks and reads the ledger under stateDir/ledger, making it if
// there is neither a head nor a run in runsDir (which need not exist). It waits
// for the lock until ctx ends; the error then wraps a filelock.HeldError that
// names the other process.
//
// A run that was renamed into place without the head having been written is
// adopted. So is a runs folder that was moved as a whole. Errors: [ErrNoHead]
// when runs exist without a head; a head that is damaged, or written by a newer
// version; a run that does not continue the head; a ledger whose runs are in
// another folder. Each says what to do.
func OpenLedger(ctx context.Context, stateDir, runsDir string, o LedgerOptions) (_ *Ledger, err error) {
	dir := filepath.Join(stateDir, "ledger")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the ledger's folder: %w; make it writable, or choose another folder with --state", err)
	}
	lock, err := acquire(ctx, filepath.Join(dir, "lock"), "--state", o.Waiting)
	if err != nil {
		return nil, err
	}
	l := &Ledger{file: filepath.Join(dir, "head.json"), runsDir: runsDir, lock: lock}
	defer func() {
		if err != nil {
			_ = l.Close()
		}
	}()
	if l.head, err = readHead(l.file); err == nil {
		if err = l.settle(); err != nil && (!o.Init || !errors.Is(err, errElsewhere)) {
			return nil, err
		}
	}
	// Not before it is known to be the right folder: claiming makes it.
	if err := l.claim(ctx, o.Waiting); err != nil {
		return nil, err
	}
	runs, listErr := runDirs(runsDir)
	if listErr != nil {
		return nil, fmt.Errorf("look for runs: %w; make the folder readable, or choose another with --out", listErr)
	}
	switch {
	case errors.Is(err, errElsewhere):
		return l, l.start(runs, o.Random)
	case err == nil:
		if err := l.foreign(runs); err != nil {
			return nil, err
		}
		return l, l.adopt(ctx, runs, o.Keys)
	case errors.Is(err, fs.ErrNotExist) && (len(runs) == 0 || o.Init), errors.Is(err, ErrMalformed) && o.Init:
		return l, l.start(runs, o.Random)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s does not exist, but %s holds %s; restore it (the state directory must outlive the process: a volume, not an emptyDir), or start a new ledger with --ledger-init; if the runs are of another state: %s",
			ErrNoHead, l.file, runsDir, plural(len(runs), "run"), oneState)
	}
	return nil, fmt.Errorf("open ledger: %w", err)
}

// start writes the head of an empty ledger before the first run, so that a
// crash in the first run is told from a lost head.
func (l *Ledger) start(runs []runDir, random io.Reader) error {
	id := make([]byte, 16)
	if random == nil {
		return errors.New("start ledger: no source of randomness given")
	}
	if _, err := io.ReadFull(random, id); err != nil {
		return fmt.Errorf("start ledger: %w", err)
	}
	here, err := canonical(l.runsDir)
	if err != nil {
		return fmt.Errorf("start ledger: %w", err)
	}
	l.head = Head{Version: headVersion, ID: hex.EncodeToString(id), Runs: here}
	for _, r := range runs {
		// Counting on keeps names sorted and unique.
		l.head.Sequence = max(l.head.Sequence, r.sequence)
		old, _, err := Read(filepath.Join(l.runsDir, r.name))
		if err != nil {
			continue // it belongs to no ledger that could be named; verify reports it
		}
		if id := old.Predicate.Ledger.ID; !slices.Contains(l.head.Replaces, id) {
			l.head.Replaces = append(l.head.Replaces, id)
		}
	}
	if l.head.Sequence > 0 && len(l.head.Replaces) == 0 {
		return fmt.Errorf("start ledger: none of the runs in %s (%d) has a readable manifest; move them away first", l.runsDir, len(runs))
	}
	l.genesis = true
	return l.write()
}

// acquire takes the lock; flag names its folder. Only a lock that somebody holds
// is another run.
func acquire(ctx context.Context, path, flag string, waiting func(pid int)) (*filelock.Lock, error) {
	once, stop := context.WithCancel(ctx)
	stop() // one try, to know whether there is somebody to wait for
	lock, err := filelock.Acquire(once, path)
	var held *filelock.HeldError
	if errors.As(err, &held) {
		if waiting != nil {
			waiting(held.PID)
		}
		lock, err = filelock.Acquire(ctx, path)
	}
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &held):
		return nil, fmt.Errorf("another run is under way: %w; wait for it, or raise the timeout", err)
	}
	return nil, fmt.Errorf("lock the ledger: %w; make the folder writable, or choose another with %s", err, flag)
}

// errElsewhere says that the runs of the ledger are in another folder.
var errElsewhere = errors.New("the ledger's runs are in another folder")

// settle checks that the ledger belongs to this folder of runs: two folders
// under one head would each have gaps. A folder that was moved is followed.
func (l *Ledger) settle() error {
	here, err := canonical(l.runsDir)
	if err != nil {
		return fmt.Errorf("find the folder of runs: %w", err)
	}
	there := l.head.Runs
	if there == here {
		return nil
	}
	if there != "" {
		// The recorded folder may be reached by another way now.
		if now, err := canonical(there); err != nil || now != here {
			if err := l.moved(there, here); err != nil {
				return err
			}
		}
	}
	l.head.Runs = here
	return l.write()
}

// moved is nil when the ledger's folder was moved to here.
func (l *Ledger) moved(there, here string) error {
	const advice = "use that one with --out, another state folder with --state, or start a new ledger here with --ledger-init"
	if l.head.Digest == "" {
		return nil // it has no run yet
	}
	if info, err := os.Stat(there); err == nil && info.IsDir() {
		return fmt.Errorf("%w: those of the ledger in %s are in %s, not in %s; %s", errElsewhere, filepath.Dir(l.file), there, here, advice)
	}
	_, payload, err := Read(filepath.Join(l.runsDir, l.head.Name))
	if err != nil || sha256Hex(payload) != l.head.Digest {
		return fmt.Errorf("%w: those of the ledger in %s were in %s, which is gone, and its newest run (%s) is not in %s; restore them, or start a new ledger here with --ledger-init",
			errElsewhere, filepath.Dir(l.file), there, l.head.Name, here)
	}
	return nil
}

// canonical is the absolute path without links of a folder, of which the last
// parts need not exist yet.
func canonical(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
		return resolved, err
	}
	parent, err := canonical(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(dir)), nil
}

// adopt follows runs that continue the head: the rename was done and the head
// was not written.
func (l *Ledger) adopt(ctx context.Context, runs []runDir, keys []crypto.PublicKey) error {
	for _, r := range runs {
		if r.sequence <= l.head.Sequence {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := filepath.Join(l.runsDir, r.name)
		const advice = "verify it, then move it away"
		m, err := readRun(l.runsDir, r.name, keys)
		if err != nil {
			return fmt.Errorf("run %s is newer than the ledger's head and cannot be read: %w; %s", dir, err, advice)
		}
		link := m.statement.Predicate.Ledger
		if name := m.statement.Predicate.Run.Name; name != r.name {
			return fmt.Errorf("run %s is newer than the ledger's head and was renamed: its manifest says %s; %s", dir, name, advice)
		}
		if link.ID != l.head.ID {
			return fmt.Errorf("run %s is newer than the ledger's head and belongs to another ledger (%s, not %s): %s", dir, link.ID, l.head.ID, oneState)
		}
		if !follows(l.head, link) {
			return fmt.Errorf("run %s does not continue the ledger's head (%d, sha256:%s); a run between them is missing, or the head was restored from elsewhere; %s",
				dir, l.head.Sequence, l.head.Digest, advice)
		}
		if len(keys) > 0 && m.keyErr != nil {
			return fmt.Errorf("run %s continues the ledger but is not signed by our key: %w; %s", dir, m.keyErr, advice)
		}
		l.moveTo(headOf(m.statement, m.payload))
		l.adopted = append(l.adopted, r.name)
	}
	if len(l.adopted) == 0 {
		return nil
	}
	return l.write()
}

func follows(h Head, link Link) bool {
	if link.Sequence != h.Sequence+1 {
		return false
	}
	if link.Previous == nil {
		return h.Digest == ""
	}
	return link.Previous.Digest.SHA256 == h.Digest
}

// Genesis reports whether this call started the ledger. Worth telling people:
// a ledger that starts at every run proves nothing.
func (l *Ledger) Genesis() bool { return l.genesis }

// Adopted names the runs that a crash had left without their head.
func (l *Ledger) Adopted() []string { return slices.Clone(l.adopted) }

// Next is the place of the run to be made now.
func (l *Ledger) Next() Link {
	next := Link{ID: l.head.ID, Sequence: l.head.Sequence + 1}
	if l.head.Digest == "" {
		next.Replaces = slices.Clone(l.head.Replaces)
	} else {
		next.Previous = &Previous{Name: l.head.Name, Digest: Digest{SHA256: l.head.Digest}}
	}
	return next
}

// Advance makes head, as [Seal] returned it, the newest run. Call it after the
// rename of the run directory; it is on disk when Advance returns.
func (l *Ledger) Advance(head Head) error {
	if l.lock == nil {
		return errors.New("advance ledger: it is closed")
	}
	if head.ID != l.head.ID || head.Sequence != l.head.Sequence+1 {
		return fmt.Errorf("advance ledger: run %d of ledger %s does not follow run %d of ledger %s",
			head.Sequence, head.ID, l.head.Sequence, l.head.ID)
	}
	l.moveTo(head)
	return l.write()
}

// moveTo makes head the newest run of the ledger, which stays where it is.
func (l *Ledger) moveTo(head Head) {
	head.Runs = l.head.Runs
	l.head = head
}

func (l *Ledger) write() error {
	text, err := json.MarshalIndent(l.head, "", "  ")
	if err != nil {
		return fmt.Errorf("write ledger head: %w", err)
	}
	if err := atomicfile.Write(l.file, 0o600, append(text, '\n')); err != nil {
		return fmt.Errorf("write ledger head: %w; make its folder writable, or choose another with --state", err)
	}
	return nil
}

// RemoveStale deletes the unfinished run directories that killed runs left in
// the runs directory and returns their names.
func (l *Ledger) RemoveStale() ([]string, error) {
	if l.lock == nil {
		return nil, errors.New("remove stale runs: the ledger is closed")
	}
	entries, err := readDir(l.runsDir)
	if err != nil {
		return nil, fmt.Errorf("remove stale runs: %w", err)
	}
	var removed []string
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), run.PartialPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.runsDir, e.Name())); err != nil {
			return removed, fmt.Errorf("remove stale run: %w", err)
		}
		removed = append(removed, e.Name())
	}
	return removed, nil
}

// Close gives the locks back. A second call does nothing.
func (l *Ledger) Close() error {
	lock, claimed := l.lock, l.claimed
	l.lock, l.claimed = nil, nil
	return errors.Join(claimed.Release(), lock.Release())
}

func readHead(file string) (Head, error) {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return Head{}, err
	}
	defer root.Close()
	text, err := readBounded(root, filepath.Base(file), maxHead)
	if err != nil {
		return Head{}, err
	}
	const advice = "restore it from a backup, or move it away and start a new ledger with --ledger-init"
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Head{}, fmt.Errorf("%w: %s is damaged; %s", ErrMalformed, file, advice)
	}
	if version.Version > headVersion {
		return Head{}, fmt.Errorf("%s has format version %d, this program knows %d: it was written by a newer rcactl; use that one", file, version.Version, headVersion)
	}
	var h Head
	if err := decodeExact(text, &h, ""); err != nil {
		return Head{}, fmt.Errorf("%w: %s is damaged (%w); %s", ErrMalformed, file, err, advice)
	}
	empty := h.Digest == "" && h.Name == ""
	if h.Version != headVersion || h.ID == "" || h.Sequence < 0 ||
		!empty && (h.Sequence == 0 || !isSHA256(h.Digest) || h.Name == "") {
		return Head{}, fmt.Errorf("%w: %s is damaged; %s", ErrMalformed, file, advice)
	}
	return h, nil
}

// runDir is a directory that is named as a run in place.
type runDir struct {
	name     string
	sequence Number
}

// runDirs lists them by sequence.
func runDirs(runsDir string) ([]runDir, error) {
	entries, err := readDir(runsDir)
	if err != nil {
		return nil, err
	}
	var runs []runDir
	for _, e := range entries {
		if seq, ok := sequenceOf(e.Name()); ok {
			runs = append(runs, runDir{e.Name(), seq})
		}
	}
	slices.SortStableFunc(runs, func(a, b runDir) int { return cmp.Compare(a.sequence, b.sequence) })
	return runs, nil
}

// readDir takes a directory that is not there yet for an empty one.
func readDir(dir string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// sequenceOf reads the number that [RunName] put in front.
func sequenceOf(name string) (Number, bool) {
	digits, _, found := strings.Cut(name, "-")
	if !found || len(digits) < 6 || len(digits) > 18 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || seq == 0 {
		return 0, false
	}
	return Number(seq), true
}

// manifestOnDisk is one run's manifest with what its signature says.
type manifestOnDisk struct {
	statement Statement
	payload   []byte
	bundle    bool // there is one
	key       int  // index of the key that signed it, when keyErr is nil
	keyErr    error
}

// readRun reads the manifest of one run and tries its signature. An error is
// about the manifest itself; what is wrong with the signature is in keyErr.
func readRun(runsDir, name string, keys []crypto.PublicKey) (m manifestOnDisk, err error) {
	info, err := os.Lstat(filepath.Join(runsDir, name))
	if err != nil {
		return m, err
	}
	if !info.IsDir() {
		return m, fmt.Errorf("%s is not a directory", name)
	}
	root, err := os.OpenRoot(filepath.Join(runsDir, name))
	if err != nil {
		return m, err
	}
	defer root.Close()
	if m.payload, err = readBounded(root, run.ManifestFile, MaxManifest); err != nil {
		return m, err
	}
	if m.statement, err = Decode(m.payload); err != nil {
		return m, err
	}
	m.bundle, m.key, m.keyErr = checkBundle(root, m.statement, m.payload, keys)
	return m, nil
}
