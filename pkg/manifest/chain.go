package manifest

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

// chain is what is kept of every run beside the one that is verified.
type chain struct {
	links  []chained       // of the same ledger, by sequence
	broken map[Number]bool // directories of a sequence whose manifest is unreadable
	// ignored are other directories beside the runs.
	ignored []string
}

type chained struct {
	name   string // directory
	link   Link
	digest string // of manifest.json
	key    crypto.PublicKey
	next   string // hex digest of the announced key
	prunes []Pruned
}

func (c chained) previous() string {
	if c.link.Previous == nil {
		return ""
	}
	return c.link.Previous.Digest.SHA256
}

// read collects the runs beside the verified one.
func (c *chain) read(v *verifier, st Statement, payload []byte) error {
	c.broken = map[Number]bool{}
	if v.o.Alone {
		c.links = []chained{{name: v.report.Run, link: st.Predicate.Ledger, digest: sha256Hex(payload)}}
		return nil
	}
	runsDir := filepath.Dir(v.report.Dir)
	entries, err := os.ReadDir(runsDir)
	if err != nil {
		return err
	}
	id := st.Predicate.Ledger.ID
	others := map[string][]chained{}
	for _, e := range entries {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		link, ok := c.sibling(v, runsDir, e)
		switch {
		case !ok:
		case link.link.ID == id:
			c.links = append(c.links, link)
		default:
			others[link.link.ID] = append(others[link.link.ID], link)
		}
	}
	if !slices.ContainsFunc(c.links, func(l chained) bool { return l.name == v.report.Run && l.digest == sha256Hex(payload) }) {
		return errors.New("the manifest changed while it was being verified")
	}
	slices.SortStableFunc(c.links, func(a, b chained) int { return cmp.Compare(a.link.Sequence, b.link.Sequence) })
	c.others(v, id, others)
	if n := len(c.ignored); n > 0 {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s beside the run ignored, being no run: %s",
			map[bool]string{true: "1 directory was", false: fmt.Sprintf("%d directories were", n)}[n == 1], examples(c.ignored, 2)))
	}
	return nil
}

// examples lists the first n.
func examples(all []string, n int) string {
	if len(all) <= n {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:n], ", ") + ", ..."
}

// sibling reads one entry of the runs directory; ok is false when it is none,
// or has no manifest that can be read.
func (c *chain) sibling(v *verifier, runsDir string, e fs.DirEntry) (_ chained, ok bool) {
	name := e.Name()
	if strings.HasPrefix(name, run.PartialPrefix) {
		v.report.Interrupted = append(v.report.Interrupted, name)
		return chained{}, false
	}
	seq, named := sequenceOf(name)
	self := name == v.report.Run
	if !named && !self {
		// Not ours by name: only a manifest in it makes it a run.
		if _, err := os.Lstat(filepath.Join(runsDir, name, run.ManifestFile)); err != nil || !e.IsDir() {
			if e.IsDir() {
				c.ignored = append(c.ignored, name)
			}
			return chained{}, false
		}
	}
	m, err := readRun(runsDir, name, v.o.Keys)
	if err != nil {
		c.broken[seq] = true
		code, file := CodeManifest, "../"+name+"/"+run.ManifestFile
		if errors.Is(err, fs.ErrNotExist) {
			code, err = CodeInterrupted, errors.New("is not there: an interrupted run, or its manifest was removed")
		}
		v.find(code, file, "%v", err)
		return chained{}, false
	}
	p := m.statement.Predicate
	if !self { // for the run itself this was said already
		if errors.Is(m.keyErr, errNoKey) {
			v.report.Notes = append(v.report.Notes, fmt.Sprintf("signature of run %s not checked: no public key given", name))
		} else if f := signatureFinding(m.statement, m.bundle, m.keyErr, v.o.AllowUnsigned, "../"+name+"/"+run.BundleFile); f != nil {
			v.find(f.Code, f.File, "%s", f.Message)
		}
		if p.Run.Name != name {
			v.find(CodeRunName, "../"+name, "the directory holds the manifest of run %q", p.Run.Name)
		}
	}
	link := chained{name: name, link: p.Ledger, digest: sha256Hex(m.payload)}
	if p.Signing != nil {
		link.next = p.Signing.NextPublicKeySHA256
	}
	if m.keyErr == nil {
		link.key = v.o.Keys[m.key]
	}
	// What nobody signed cannot excuse a missing file, unless nothing is signed.
	if m.keyErr == nil || v.o.AllowUnsigned && !m.bundle {
		link.prunes = p.Pruned
	}
	return link, true
}

// others takes runs of other ledgers only where a first run says that one
// ledger was started in place of the other.
func (c *chain) others(v *verifier, id string, others map[string][]chained) {
	var replaced []string
	for _, l := range c.links {
		replaced = append(replaced, l.link.Replaces...)
	}
	for _, other := range slices.Sorted(maps.Keys(others)) {
		links := others[other]
		ours := slices.ContainsFunc(links, func(l chained) bool { return slices.Contains(l.link.Replaces, id) })
		if ours || slices.Contains(replaced, other) {
			v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s here of ledger %s, which was restarted by hand: not checked as a chain", plural(len(links), "run"), other))
			continue
		}
		for _, l := range links {
			v.find(CodeLedgerOther, "../"+l.name, "the run belongs to ledger %.80s, not to %.80s", other, id)
		}
	}
}

// check walks the links.
func (c *chain) check(v *verifier) {
	v.report.Runs = len(c.links)
	newest := c.links[len(c.links)-1]
	v.report.Head = &Head{Version: headVersion, ID: newest.link.ID, Sequence: newest.link.Sequence, Name: newest.name, Digest: newest.digest}
	c.keys(v)
	if v.expectHead != "" && !slices.ContainsFunc(c.links, func(l chained) bool { return l.digest == v.expectHead }) {
		v.find(CodeHead, "", "the newest run here is %d with sha256:%s; no run has the expected sha256:%s: newer runs were removed, or runs were rewritten",
			newest.link.Sequence, newest.digest, v.expectHead)
	}
	if v.o.Alone {
		return
	}
	first := c.links[0]
	if p := first.link.Previous; p != nil {
		c.gap(v, 1, first.link.Sequence-1, fmt.Sprintf("; run %d names %.80q as the one before%s", first.link.Sequence, p.Name, c.alone()))
	}
	for i, b := range c.links[1:] {
		a := c.links[i]
		switch {
		case a.link.Sequence == b.link.Sequence:
			v.find(CodeLedgerFork, "../"+b.name, "the run is number %d of the ledger, and so is %s", b.link.Sequence, a.name)
		case a.link.Sequence+1 != b.link.Sequence:
			c.gap(v, a.link.Sequence+1, b.link.Sequence-1, "")
		case b.previous() != a.digest:
			v.find(CodeLedgerPrevious, "../"+a.name, "the run has sha256:%s, and run %s says that the one before it had sha256:%s: one of the two was replaced",
				a.digest, b.name, b.previous())
		case b.link.Previous.Name != a.name:
			v.find(CodeRunName, "../"+a.name, "the run was named %.80q when run %s was made", b.link.Previous.Name, b.name)
		}
	}
}

// alone is what a person may do who looks at a run without its ledger.
func (c *chain) alone() string {
	if len(c.links) > 1 || len(c.broken) > 0 {
		return ""
	}
	return "; if it was copied away from the others on purpose, verify it with --alone"
}

// gap names missing runs; those with an unreadable manifest were named before.
func (c *chain) gap(v *verifier, from, to Number, more string) {
	if from == to && c.broken[from] {
		return
	}
	if from == to {
		v.find(CodeRunMissing, "", "run %d is missing%s", from, more)
		return
	}
	v.find(CodeRunMissing, "", "runs %d to %d are missing%s", from, to, more)
}

func (c *chain) keys(v *verifier) {
	for i, l := range c.links {
		fingerprint, digest := "", ""
		if l.key != nil {
			// The keys were checked when the options were.
			fingerprint, _ = dsse.Fingerprint(l.key)
			digest, _ = dsse.KeyDigest(l.key)
		}
		if n := len(v.report.Keys); n > 0 && v.report.Keys[n-1].Fingerprint == fingerprint {
			v.report.Keys[n-1].Last = l.link.Sequence
			continue
		}
		v.report.Keys = append(v.report.Keys, KeyRange{
			Fingerprint: fingerprint, First: l.link.Sequence, Last: l.link.Sequence,
			Announced: i > 0 && digest != "" && c.links[i-1].next == digest,
		})
	}
}

// pruned tells which files of a run a later run states as removed.
func (c *chain) pruned(name, digest string) func(file string) bool {
	return func(file string) bool {
		for _, l := range c.links {
			for _, p := range l.prunes {
				if p.Name == name && p.Digest.SHA256 == digest && (len(p.Files) == 0 || slices.Contains(p.Files, file)) {
					return true
				}
			}
		}
		return false
	}
}

// files checks the files of every other run of the ledger.
func (c *chain) files(v *verifier) error {
	for _, l := range c.links {
		if l.name == v.report.Run {
			continue
		}
		if err := c.filesOf(v, l); err != nil {
			return fmt.Errorf("run %s: %w", l.name, err)
		}
	}
	return nil
}

func (c *chain) filesOf(v *verifier, l chained) error {
	dir := filepath.Join(filepath.Dir(v.report.Dir), l.name)
	st, payload, err := Read(dir)
	if err != nil {
		return err
	}
	if sha256Hex(payload) != l.digest {
		return errors.New("its manifest changed while it was being verified")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	_, _, findings, err := checkFiles(v.ctx, root, st.Subject, c.pruned(l.name, l.digest))
	if err != nil {
		return err
	}
	for _, f := range findings {
		v.find(f.Code, "../"+l.name+"/"+f.File, "%s", f.Message)
	}
	return nil
}

func (c *chain) status(v *verifier) string {
	if v.o.Alone {
		return CheckSkipped
	}
	return CheckOK
}

func (c *chain) detail(v *verifier) string {
	if v.o.Alone {
		return "verified alone"
	}
	h := v.report.Head
	return fmt.Sprintf("%s, none missing, head %d sha256:%s", plural(len(c.links), "run"), h.Sequence, h.Digest)
}
