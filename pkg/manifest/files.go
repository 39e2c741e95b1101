package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/run"
)

// maxEntries bounds how many names of one run directory are looked at. A run
// has at most MaxFiles; more is a finding long before this.
const maxEntries = 100_000

// errNotRegular is for links, pipes, devices and directories in a file's place.
var errNotRegular = errors.New("not a regular file")

// walk lists the regular files below root with their sizes, without the two
// manifests. Links and other special files become findings: a verifier must
// never be led out of the directory, nor hang on a pipe. So do directories that
// hold none of the subjects: names, too, can carry what nobody signed.
func walk(ctx context.Context, root *os.Root, subjects []Subject) (sizes map[string]int64, findings []Finding, err error) {
	sizes = map[string]int64{}
	seen := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return fmt.Errorf("more than %d names in one run directory", maxEntries)
		}
		if entry.IsDir() {
			if !belongs(name, subjects) {
				findings = append(findings, Finding{
					Code: CodeFileUnexpected, File: name, Message: "is a directory that holds no file of the manifest",
				})
			}
			return nil
		}
		if name == run.ManifestFile || name == run.BundleFile {
			return nil
		}
		if !entry.Type().IsRegular() {
			findings = append(findings, Finding{
				Code: CodeFileType, File: name,
				Message: fmt.Sprintf("is not a regular file (%s); a run holds no links and nothing special", entry.Type()),
			})
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sizes[name] = info.Size()
		return nil
	})
	return sizes, findings, err
}

// belongs reports whether a run has this directory: its own, the one of the
// evidence, which is there without any too, and those of subjects.
func belongs(dir string, subjects []Subject) bool {
	return dir == "." || dir == run.EvidenceDir ||
		slices.ContainsFunc(subjects, func(s Subject) bool { return strings.HasPrefix(s.Name, dir+"/") })
}

// checkFiles compares what is in the directory with what the statement says.
// pruned tells which files may be missing.
func checkFiles(ctx context.Context, root *os.Root, subjects []Subject, pruned func(string) bool) (ok, gone int, findings []Finding, err error) {
	sizes, findings, err := walk(ctx, root, subjects)
	if err != nil {
		return 0, 0, nil, err
	}
	for _, s := range subjects {
		size, there := sizes[s.Name]
		delete(sizes, s.Name)
		finding := func(code Code, format string, args ...any) {
			findings = append(findings, Finding{Code: code, File: s.Name, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case !there && pruned(s.Name):
			gone++
			continue
		case !there:
			finding(CodeFileMissing, "is in the manifest and not in the directory")
			continue
		case size != int64(s.Annotations.Bytes):
			finding(CodeFileChanged, "has %s, the manifest says %d", plural(size, "byte"), s.Annotations.Bytes)
			continue
		}
		digest, err := hashFile(ctx, root, s.Name, size)
		switch {
		case ctx.Err() != nil:
			return 0, 0, nil, ctx.Err()
		case err != nil:
			finding(CodeFileUnreadable, "cannot be read: %v", err)
		case digest != s.Digest.SHA256:
			finding(CodeFileChanged, "has sha256:%s, the manifest says sha256:%s", digest, s.Digest.SHA256)
		default:
			ok++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		findings = append(findings, Finding{
			Code: CodeFileUnexpected, File: name,
			Message: "is in the directory and not in the manifest",
		})
	}
	return ok, gone, findings, nil
}

// openRegular opens a file below root, not through a link and not a pipe.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	return root.Open(name)
}

// readBounded reads a whole small file; one byte more than limit is an error.
func readBounded(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return data, nil
}

// hashFile hashes at most size+1 bytes, so that a file that grows meanwhile
// ends with another digest and not never.
func hashFile(ctx context.Context, root *os.Root, name string, size int64) (string, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(ctxReader{ctx, f}, size+1)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type ctxReader struct {
	ctx context.Context // lives for one copy
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// noManifest is the error of a directory that is no run, or no whole one.
type noManifest struct{ dir string }

func (e *noManifest) Error() string {
	name := filepath.Base(e.dir)
	if _, named := sequenceOf(name); named {
		return fmt.Sprintf("%s was interrupted, or its %s was removed", e.dir, run.ManifestFile)
	}
	if strings.HasPrefix(name, run.PartialPrefix) {
		return fmt.Sprintf("%s was interrupted, or is being written now: it has no %s", e.dir, run.ManifestFile)
	}
	return fmt.Sprintf("%s is not a run: it has no %s", e.dir, run.ManifestFile)
}

func (e *noManifest) Unwrap() error { return fs.ErrNotExist }

// Read returns the statement and the bytes of manifest.json in dir, unchecked:
// for showing, not for trusting.
func Read(dir string) (Statement, []byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Statement{}, nil, fmt.Errorf("read manifest: %w", err)
	}
	defer root.Close()
	data, err := readBounded(root, run.ManifestFile, MaxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return Statement{}, nil, &noManifest{dir: dir}
	}
	if err != nil {
		return Statement{}, nil, fmt.Errorf("read manifest in %s: %w", dir, err)
	}
	st, err := Decode(data)
	if err != nil {
		return Statement{}, nil, fmt.Errorf("%s: %w", path.Join(dir, run.ManifestFile), err)
	}
	return st, data, nil
}
