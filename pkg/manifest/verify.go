package manifest

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

// Options steer [Verify].
type Options struct {
	// Keys are the public keys that may have signed, several when keys were
	// rotated. Each is a P-256 or Ed25519 key.
	Keys []crypto.PublicKey
	// ExpectHead is the "sha256:<hex>" of a run's manifest.json that was kept
	// elsewhere. It must be that of a run here, normally the newest one.
	ExpectHead string
	// AllowUnsigned takes runs that were made without a key. It never takes a
	// run whose manifest says that it was signed.
	AllowUnsigned bool
	// Alone takes the run out of its ledger: for a run that was copied away
	// from the others.
	Alone bool
	// Runs checks the files of every run of the ledger too, not only of this one.
	Runs bool
}

// Verified is a run that [Verify] found to be what it says it is: a passport
// for everything that reads evidence. The zero value opens nothing.
type Verified struct {
	dir     string
	payload []byte
	signed  bool
	files   map[string]Subject
}

// Signed reports whether one of the keys signed the run. False is possible
// only with Options.AllowUnsigned.
func (v Verified) Signed() bool { return v.signed }

// Digest is the hex SHA-256 of manifest.json: the name of exactly this run.
func (v Verified) Digest() string { return sha256Hex(v.payload) }

// Statement returns the verified statement; the copy belongs to the caller.
// It is zero for a zero Verified.
func (v Verified) Statement() Statement {
	st, err := Decode(v.payload)
	if err != nil {
		return Statement{}
	}
	return st
}

// Open reads one file of the run by its name in the statement. The bytes are
// checked again while they are read: the end of a file that was changed since
// Verify is an error in place of io.EOF, so what was read is good only when EOF
// was seen. Safe for concurrent use; the caller closes.
func (v Verified) Open(name string) (io.ReadCloser, error) {
	subject, ok := v.files[name]
	if !ok {
		return nil, fmt.Errorf("open %q: it is not in the verified run: %w", name, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(v.dir)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	defer root.Close()
	f, err := openRegular(root, name)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	return &checkedFile{file: f, hash: sha256.New(), want: subject, left: int64(subject.Annotations.Bytes)}, nil
}

type checkedFile struct {
	file *os.File
	hash hash.Hash
	want Subject
	left int64
}

func (c *checkedFile) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.hash.Write(p[:n])
	c.left -= int64(n)
	if c.left < 0 || errors.Is(err, io.EOF) && (c.left != 0 || hex.EncodeToString(c.hash.Sum(nil)) != c.want.Digest.SHA256) {
		return 0, fmt.Errorf("%w: %q was changed after it was verified", ErrNotVerified, c.want.Name)
	}
	return n, err
}

func (c *checkedFile) Close() error { return c.file.Close() }

// Verify checks the run in dir and, unless it stands alone, the ledger in the
// directory around it. It reads every problem into the Report before it
// returns [ErrNotVerified]; any other error (a cancelled ctx, an unreadable
// directory, a malformed option) means that it could not look. Files are
// streamed: memory is bounded by the manifests, one at a time, and a few
// hundred bytes for each run. Nothing is written.
func Verify(ctx context.Context, dir string, o Options) (Verified, Report, error) {
	r := Report{Dir: dir, Findings: []Finding{}, NotProven: []string{}, Keys: []KeyRange{}, Interrupted: []string{}, Notes: []string{}}
	head, err := parseHead(o.ExpectHead)
	if err != nil {
		return Verified{}, r, err
	}
	for _, key := range o.Keys {
		if _, err := dsse.Fingerprint(key); err != nil {
			return Verified{}, r, usageError{fmt.Errorf("a public key to verify with: %w", err)}
		}
	}
	// A link to a run ("latest") is a fine way to name it; inside there are none.
	if dir, err = filepath.EvalSymlinks(dir); err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return Verified{}, r, fmt.Errorf("verify: %w", err)
	}
	r.Dir, r.Run = dir, filepath.Base(dir)
	v := verifier{ctx: ctx, o: o, expectHead: head, report: &r}
	verified, err := v.run()
	if err != nil {
		return Verified{}, r, fmt.Errorf("verify %s: %w", dir, err)
	}
	if n := len(r.Findings); n > 0 {
		return Verified{}, r, fmt.Errorf("%s: %w: %s, the first: %s", dir, ErrNotVerified, plural(n, "problem"), r.Findings[0])
	}
	return verified, r, nil
}

func parseHead(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	hexDigest, ok := strings.CutPrefix(text, "sha256:")
	if !ok || !isSHA256(hexDigest) {
		return "", usageError{fmt.Errorf("expected head %.100q: write it as sha256:<64 lower-case hex digits>, as collect prints it", text)}
	}
	return hexDigest, nil
}

type verifier struct {
	ctx        context.Context // lives for one Verify
	o          Options
	expectHead string
	report     *Report
}

func (v *verifier) find(code Code, file, format string, args ...any) {
	v.report.Findings = append(v.report.Findings, Finding{Code: code, File: file, Message: fmt.Sprintf(format, args...)})
}

// check closes a group of checks: failed when findings came since mark.
func (v *verifier) check(name string, mark int, status, detail string) {
	if n := len(v.report.Findings) - mark; n > 0 {
		status, detail = CheckFailed, fmt.Sprintf("%s: %s", plural(n, "problem"), v.report.Findings[mark])
	}
	v.report.Checks = append(v.report.Checks, Check{Name: name, Status: status, Detail: detail})
}

func (v *verifier) run() (Verified, error) {
	root, err := os.OpenRoot(v.report.Dir)
	if err != nil {
		return Verified{}, err
	}
	defer root.Close()
	if strings.HasPrefix(v.report.Run, run.PartialPrefix) {
		v.find(CodeInterrupted, "", "%s is a run that was interrupted, or is being written now: it was never finished", v.report.Run)
	}
	payload, err := readBounded(root, run.ManifestFile, MaxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		v.find(CodeInterrupted, run.ManifestFile, "is not there: an interrupted run, or no run at all")
		return Verified{}, nil
	}
	if err != nil {
		v.find(CodeManifest, run.ManifestFile, "%v", err)
		return Verified{}, nil
	}
	st, err := Decode(payload)
	if err != nil {
		v.find(CodeManifest, run.ManifestFile, "%v", err)
		// A bundle over other bytes says more than "malformed" does.
		if _, _, err := checkBundle(root, st, payload, v.o.Keys); errors.Is(err, errPayload) {
			v.find(CodePayload, run.BundleFile, "%v", err)
		}
		return Verified{}, nil
	}
	signature := v.signature(root, st, payload)
	chain := chain{}
	ledgerMark := len(v.report.Findings)
	if err := chain.read(v, st, payload); err != nil {
		return Verified{}, err
	}
	chain.check(v)
	ledgerFindings := append([]Finding(nil), v.report.Findings[ledgerMark:]...)
	v.report.Findings = v.report.Findings[:ledgerMark]

	files, err := v.files(root, st, chain.pruned(st.Predicate.Run.Name, sha256Hex(payload)))
	if err != nil {
		return Verified{}, err
	}
	mark := len(v.report.Findings)
	v.report.Findings = append(v.report.Findings, ledgerFindings...)
	if v.o.Runs {
		if err := chain.files(v); err != nil {
			return Verified{}, err
		}
	}
	v.check("ledger", mark, chain.status(v), chain.detail(v))
	v.open(signature)
	return Verified{dir: v.report.Dir, payload: payload, signed: signature == nil, files: files}, nil
}

// signature returns why nothing is proven of who made the run; nil when one of
// the keys did.
func (v *verifier) signature(root *os.Root, st Statement, payload []byte) error {
	mark := len(v.report.Findings)
	there, key, err := checkBundle(root, st, payload, v.o.Keys)
	if f := signatureFinding(st, there, err, v.o.AllowUnsigned, run.BundleFile); f != nil {
		v.report.Findings = append(v.report.Findings, *f)
	}
	status, detail := CheckUnsigned, "not signed: anybody could have written this"
	if err == nil {
		status = CheckOK
		fingerprint, err := dsse.Fingerprint(v.o.Keys[key])
		if err != nil {
			v.find(CodeSignature, run.BundleFile, "%v", err)
		}
		detail = "key " + fingerprint
	}
	v.check("signature", mark, status, detail)
	return err
}

func (v *verifier) files(root *os.Root, st Statement, pruned func(string) bool) (map[string]Subject, error) {
	mark := len(v.report.Findings)
	if name := st.Predicate.Run.Name; !v.o.Alone && name != v.report.Run {
		v.find(CodeRunName, "", "the directory is named %q, the manifest is of run %q; verify a copy under another name with --alone", v.report.Run, name)
	}
	ok, gone, findings, err := checkFiles(v.ctx, root, st.Subject, pruned)
	if err != nil {
		return nil, err
	}
	v.report.Findings = append(v.report.Findings, findings...)
	v.report.Files = ok
	files := make(map[string]Subject, len(st.Subject))
	for _, s := range st.Subject {
		files[s.Name] = s
		if strings.HasPrefix(s.Name, run.EvidenceDir+"/") {
			v.report.Events += s.Annotations.Records
		}
	}
	detail := fmt.Sprintf("%d of %d, %s", ok, len(st.Subject), plural(v.report.Events, "event"))
	if gone > 0 {
		detail += fmt.Sprintf("; %d removed by retention, as a later run states", gone)
	}
	v.check("files", mark, CheckOK, detail)
	return files, nil
}

// open lists what stays open however well everything fits.
func (v *verifier) open(signature error) {
	r := v.report
	say := func(format string, args ...any) { r.NotProven = append(r.NotProven, fmt.Sprintf(format, args...)) }
	switch {
	case signature == nil:
		say("that the key was not used by someone else")
	case errors.Is(signature, errNoBundle):
		say("who made this: it is not signed")
	case errors.Is(signature, errNoKey):
		say("who made this: it is signed, and no public key was given to check that with")
	case errors.Is(signature, errOtherKey):
		say("who made this: it is signed, and none of the given keys made the signature")
	default:
		say("who made this: its signature does not hold")
	}
	switch {
	case v.o.Alone:
		say("that the run is part of its ledger: it was verified alone")
	case r.Head != nil && v.expectHead == "":
		say("that nothing was deleted after run %d, or rewritten by the key's holder (keep the head elsewhere and give it as the expected one)", r.Head.Sequence)
	case r.Head != nil && r.Head.Digest != v.expectHead:
		say("that nothing was deleted after run %d: the expected head is an older run", r.Head.Sequence)
	}
	if !v.o.Alone && !v.o.Runs && r.Runs > 1 {
		say("that the files of the other runs here (%d) are whole: only their manifests were checked", r.Runs-1)
	}
	say("when it was signed (the times are the collector's own), and that the sources told the truth")
}
