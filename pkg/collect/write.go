package collect

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/run"
)

// LeakError says that the leak check found what looks like a credential in
// what was written. Nothing was signed, and neither the ledger nor a cursor was
// moved.
type LeakError struct {
	// Dir is where the run was put aside.
	Dir string
	// Leaks says where to look; it never holds what was found.
	Leaks []run.Leak
}

// Error names the directory and the first finding.
func (e *LeakError) Error() string {
	first := e.Leaks[0]
	return fmt.Sprintf("the leak check found what looks like a credential in %s, the first in %s line %d (%s); the run was put aside in %s",
		plural(len(e.Leaks), "line"), first.File, first.Line, first.Detector, e.Dir)
}

func (r *session) openLedger(ctx context.Context) error {
	// Another run of this state may be under way. It is worth waiting for, as
	// long as there is time left to ask the sources.
	keys := r.Keys
	if r.Signer != nil {
		keys = append([]crypto.PublicKey{r.Signer.Public()}, keys...)
	}
	var err error
	r.ledger, err = manifest.OpenLedger(ctx, r.StateDir, r.RunsDir, manifest.LedgerOptions{Init: r.LedgerInit, Keys: keys, Random: r.Rand, Waiting: r.Waiting})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("no time is left to ask a source: %w; raise --timeout (%s)", err, r.Timeout)
	}
	r.log.Debug("the ledger is open", "sequence", int64(r.ledger.Next().Sequence), "new", r.ledger.Genesis())
	for _, name := range r.ledger.Adopted() {
		r.log.Info("a run that was interrupted after it was in place now counts", "run", name)
	}
	removed, err := r.ledger.RemoveStale()
	for _, name := range removed {
		r.log.Info("an unfinished run was removed", "run", name)
	}
	return err
}

// recall reads the cursors. One that cannot be used is its source's failure,
// unless a person named the window: the answer does not depend on it then.
func (r *session) recall(context.Context) error {
	for _, s := range r.sources {
		if s.Skip != "" {
			continue
		}
		s.memory, s.err = recall(r.store, s.Source)
		if s.err != nil && r.Window != nil {
			s.memory, s.err = s.memory.forget(s.err), nil
		}
		r.log.Debug("cursor", "source", s.Name, "known", s.memory.known, "reset", s.memory.reset != "",
			"narrowed", s.Narrowed, "class", connector.ClassOf(s.err))
	}
	return nil
}

func (r *session) create(context.Context) (err error) {
	r.writer, err = run.Create(r.RunsDir, manifest.RunName(r.ledger.Next().Sequence, r.id))
	return elsewhere(err, "--out")
}

// elsewhere adds what to do when the operating system does not let us write.
func elsewhere(err error, flag string) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%w; make it writable, or choose another folder with %s", err, flag)
	}
	return err
}

// finish brings the evidence to disk and has it looked through once more.
func (r *session) finish(context.Context) error {
	for _, s := range r.all() {
		actions := make([]run.Action, len(s.result.Actions))
		for i, a := range s.result.Actions {
			actions[i] = run.Action{Stream: a.Stream, Method: a.Method, Target: a.Target, Purpose: a.Purpose, Requests: a.Requests}
		}
		if err := r.writer.Actions(s.Name, actions); err != nil {
			return err
		}
	}
	var err error
	if r.files, err = r.writer.Finish(); err != nil {
		return err
	}
	if r.actions, err = digestActions(filepath.Join(r.writer.Dir(), run.ActionsFile)); err != nil {
		return err
	}
	return r.scan()
}

// scan puts the run aside when it holds what looks like a credential.
func (r *session) scan() error {
	leaks, err := r.writer.Scan()
	if err != nil {
		return err
	}
	return r.quarantine(leaks)
}

// scanStatement looks through what is about to be signed: names from the config
// and sentences of connectors stand in it.
func (r *session) scanStatement(st manifest.Statement) error {
	text, err := manifest.Encode(st)
	if err != nil {
		return err
	}
	found, err := redact.Scan(bytes.NewReader(text))
	if err != nil {
		return err
	}
	leaks := make([]run.Leak, len(found))
	for i, f := range found {
		leaks[i] = run.Leak{File: run.ManifestFile, Finding: f}
	}
	return r.quarantine(leaks)
}

func (r *session) quarantine(leaks []run.Leak) error {
	if len(leaks) == 0 {
		return nil
	}
	dir, err := r.writer.Quarantine()
	return errors.Join(&LeakError{Dir: dir, Leaks: leaks}, err)
}

// digestActions gives for each source the number and the digest of its lines.
func digestActions(path string) (map[string]manifest.Actions, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("digest the actions: %w", err)
	}
	defer func() { _ = f.Close() }()
	hashes := map[string]hash.Hash{}
	all := map[string]manifest.Actions{}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		var action run.Action
		if err == nil {
			err = json.Unmarshal(bytes.TrimSpace(line), &action)
		}
		if err != nil {
			return nil, fmt.Errorf("digest the actions: %w", err)
		}
		if hashes[action.Connector] == nil {
			hashes[action.Connector] = sha256.New()
		}
		_, _ = hashes[action.Connector].Write(line) // a hash never fails
		sum := all[action.Connector]
		sum.Count++
		all[action.Connector] = sum
	}
	for name, h := range hashes {
		sum := all[name]
		sum.Digest.SHA256 = hex.EncodeToString(h.Sum(nil))
		all[name] = sum
	}
	return all, nil
}

// stageCursors encodes the cursors, so that what they will be is signed before
// they are moved. A cursor that cannot be encoded stays where it is.
func (r *session) stageCursors(context.Context) error {
	if !r.movesCursors() {
		return nil
	}
	for _, s := range r.sources {
		// A source that gave nothing leaves its cursor as it was.
		if s.Skip != "" || s.Narrowed || s.status == connector.Failed && s.tallies.found.Len() == 0 {
			continue
		}
		file, note := s.next(r.id, r.until, r.joined.asked)
		if note != "" {
			s.notes = append(s.notes, note)
		}
		staged, err := r.store.Stage(file)
		if err != nil {
			s.notes = append(s.notes, "the cursor was not moved: "+err.Error())
			s.status = connector.Partial
			continue
		}
		s.after = staged.Digest()
		r.staged = append(r.staged, staged)
		r.log.Debug("the cursor will be moved", "source", s.Name, "news", file.Seen.Len(), "facts", file.Told.Len())
	}
	return nil
}

// movesCursors reports whether this run stands for all that the sources read. One
// that was narrowed to some services must not pass over the others.
func (r *session) movesCursors() bool { return r.Window == nil && len(r.Scope.Services) == 0 }

// next is the cursor after the run; asked says whether there was a source of history
// to ask.
func (s *source) next(runID string, now time.Time, asked bool) (file cursor.File, note string) {
	streams, whole := s.memory.next(s.plan, s.coverage)
	seen := s.tallies.found
	if !whole {
		// A stream that failed did not find again what it knows.
		seen = s.memory.file.Seen.Union(seen)
	}
	seen, left := seen.Newest(cursor.MaxSeen)
	if left > 0 {
		note = fmt.Sprintf("%s too many to be remembered; the next run may write them again", plural(left, "event"))
	}
	file = cursor.File{
		Connector: s.Name, Type: s.Type, Target: s.identity.Target, Aliases: s.identity.Aliases, ConfigDigest: s.ConfigDigest,
		Streams: streams, Open: s.memory.open(s.plan, s.coverage, s.tallies.open, asked), Seen: seen, Told: s.memory.file.Told.Followed(s.tallies.told, cursor.MaxTold), State: s.memory.file.State, Run: runID, WrittenAt: now,
	}
	if s.clean {
		file.State = s.result.State
	}
	if file.Target == "" {
		file.Target, file.Aliases = s.memory.file.Target, s.memory.file.Aliases
	}
	return file, note
}

func (r *session) seal(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, finishTime)
	defer stop()
	statement := r.statement()
	if err := r.scanStatement(statement); err != nil {
		return err
	}
	head, err := manifest.Seal(ctx, r.writer.Dir(), statement, r.Signer)
	if err != nil {
		return err
	}
	r.outcome.Head = head
	// Sealing added the key and the order of the files: tell what was signed.
	r.outcome.Statement, _, err = manifest.Read(r.writer.Dir())
	return err
}

func (r *session) commit(context.Context) error {
	dir, err := r.writer.Commit()
	r.outcome.Dir = dir
	return err
}

func (r *session) advance(context.Context) error {
	return r.ledger.Advance(r.outcome.Head)
}

func (r *session) moveCursors(context.Context) error {
	var errs []error
	for _, staged := range r.staged {
		errs = append(errs, elsewhere(staged.Commit(), "--state"))
	}
	return errors.Join(errs...)
}
