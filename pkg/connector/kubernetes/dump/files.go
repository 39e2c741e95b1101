package dump

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// walkFolder reads a folder. Nothing in it leads out of it.
func (w *walker) walkFolder() error {
	root, err := os.OpenRoot(w.path)
	if err != nil {
		return refuse("", "cannot be opened")
	}
	defer func() { _ = root.Close() }()
	return w.folder(root, ".")
}

func (w *walker) folder(root *os.Root, dir string) error {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return refuse(dir, "cannot be listed")
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if err := w.enter(name); err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			err = w.folder(root, name)
		case !entry.Type().IsRegular():
			err = refuse(name, "is a link, a pipe or a device: take it out of the recording")
		default:
			err = w.open(root, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) open(root *os.Root, name string) error {
	if !w.wants(name) && !strings.EqualFold(path.Base(name), "timestamp") {
		w.tally.Skipped++
		return nil
	}
	f, err := root.Open(name)
	if err != nil {
		w.broken(name, brokenError("it cannot be opened"))
		return nil
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return refuse(name, "is no longer a regular file")
	}
	return w.file(name, counted{w, f})
}

// walkFile reads a file: an archive, or text, each gzipped or not.
func (w *walker) walkFile() error {
	f, err := os.Open(w.path)
	if err != nil {
		return refuse("", "cannot be opened")
	}
	defer func() { _ = f.Close() }()
	return w.stream(f)
}

func (w *walker) stream(f io.Reader) error {
	packed := &meter{in: f}
	in := bufio.NewReaderSize(packed, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return refuse("", "is not a gzip file, though it begins like one")
		}
		in = bufio.NewReaderSize(&ratio{in: unzipped, packed: packed}, 64<<10)
	}
	all := bufio.NewReaderSize(counted{w, in}, 64<<10)
	if head, _ := all.Peek(512); isTar(head) {
		return w.archive(all)
	}
	if err := w.enter("recording"); err != nil {
		return err
	}
	const name = "the file"
	if w.handler.Want != nil && !w.handler.Want(name) {
		return nil
	}
	return w.text(name, all)
}

func isTar(head []byte) bool {
	return len(head) >= 262 && bytes.Equal(head[257:262], []byte("ustar"))
}

// meter counts what passes.
type meter struct {
	in io.Reader
	n  int64
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.n += int64(n)
	return n, err
}

// ratio stops what unpacks to far more than it is.
type ratio struct {
	in     io.Reader
	packed *meter
	n      int64
}

// Read implements io.Reader.
func (r *ratio) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if r.n += int64(n); r.n > ratioFrom && r.n/maxRatio > r.packed.n {
		return n, refuse("", "unpacks to more than %d times its size", maxRatio)
	}
	return n, err
}

// archive reads the entries of a tar. They are never written anywhere, but a
// name that would lead elsewhere says that somebody wanted it to.
func (w *walker) archive(in io.Reader) error {
	seen := map[[16]byte]struct{}{}
	entries := tar.NewReader(in)
	for {
		header, err := entries.Next()
		var refused *RefusedError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &refused) || w.ctx.Err() != nil:
			return err
		case err != nil:
			w.broken("the archive", brokenError("it is damaged or cut short; what comes after is not read"))
			return nil
		}
		name, err := entryName(header)
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeXGlobalHeader || name == "." {
			continue
		}
		if err := w.enter(name); err != nil {
			return err
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		// On some disks one of two such names would be written over the other.
		sum := sha256.Sum256([]byte(strings.ToLower(name)))
		key := [16]byte(sum[:16])
		if _, twice := seen[key]; twice {
			return refuse(name, "is in the archive twice, or differs from another name in case alone")
		}
		seen[key] = struct{}{}
		if err := w.file(name, entries); err != nil {
			return err
		}
	}
}

// entryName checks an entry of an archive.
func entryName(h *tar.Header) (string, error) {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return ".", nil
	}
	name := strings.TrimPrefix(h.Name, "./")
	if h.Typeflag == tar.TypeDir {
		name = strings.TrimSuffix(name, "/")
	}
	if name == "" {
		name = "."
	}
	switch {
	case !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") || len(name) > 1 && name[1] == ':':
		return "", refuse(h.Name, "has a name that leads out of the archive")
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir:
		return "", refuse(h.Name, "is a link, a pipe or a device")
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return "", refuse(h.Name, "is a sparse file")
		}
	}
	return name, nil
}
