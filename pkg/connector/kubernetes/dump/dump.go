// Package dump reads recordings of a cluster: what kubectl get, kubectl
// cluster-info dump, oc adm inspect, oc adm must-gather and support bundles
// leave behind, as a folder, a file or a tar archive, gzipped or not.
//
// It knows objects by what they say of themselves, never by the product that
// wrote them. A recording may come from anybody: nothing outside of it is read,
// nothing is unpacked to a disk, and one object at a time is in memory. What
// could lead elsewhere (a link, a name with "..") or goes beyond a bound refuses
// the whole recording; a file that cannot be read is counted and named, and the
// rest is read.
package dump

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// Limits bounds a recording. Zero means the default.
type Limits struct {
	// Bytes counts what is read of all files, unpacked.
	Bytes int64
	// Files counts files and folders.
	Files int
	// Object is how large one object may be as text.
	Object int
}

// The defaults of Limits.
const (
	DefaultBytes  = 2 << 30
	defaultFiles  = 200_000
	defaultObject = 8 << 20
)

const (
	// maxDepth is how deep folders may lie in each other.
	maxDepth = 32
	// maxName is how long the path of an entry may be.
	maxName = 4096
	// maxRatio is how many times its own size a gzipped file may unpack to, once it
	// is beyond ratioFrom. Lists of objects that resemble each other reach 100.
	maxRatio  = 400
	ratioFrom = 64 << 20
	// maxNamed is how many broken files are named.
	maxNamed = 5
	// maxStamp bounds a file "timestamp".
	maxStamp = 4 << 10
)

func (l Limits) orDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Files <= 0 {
		l.Files = defaultFiles
	}
	if l.Object <= 0 {
		l.Object = defaultObject
	}
	return l
}

// RefusedError says why nothing of a recording is read.
type RefusedError struct {
	// Entry is the path in the recording; empty for the recording itself.
	Entry string
	// Why completes the sentence that begins with the entry.
	Why string
}

// Error implements error. Names are quoted when they could draw on a terminal.
func (e *RefusedError) Error() string {
	if e.Entry == "" {
		return "the recording " + e.Why
	}
	return shown(e.Entry) + " " + e.Why
}

func refuse(entry, why string, args ...any) error {
	return &RefusedError{Entry: entry, Why: fmt.Sprintf(why, args...)}
}

// shown is a name for a sentence: short, and without what could end the line.
func shown(name string) string {
	if len(name) > 200 {
		name = name[:100] + "…" + name[len(name)-90:]
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// Recording is a folder or file to read. It may be walked several times, by one
// goroutine at a time.
type Recording struct {
	path   string
	folder bool
	limits Limits
	// lists is what earlier walks learned of documents whose kind stands after
	// their items, which is how kubectl writes them. There are at most as many as
	// there may be files.
	lists map[document]learned
}

// document is one of several in a file.
type document struct {
	file   string
	number int
}

// Type is what an object says that it is.
type Type struct{ APIVersion, Kind string }

// learned is the type of a document, and whether it is a list.
type learned struct {
	Type
	list bool
}

// Open finds the recording and reads nothing of it.
func Open(name string, limits Limits) (*Recording, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, refuse("", "does not exist")
	case errors.Is(err, os.ErrPermission):
		return nil, refuse("", "may not be read (permission denied)")
	case err != nil:
		return nil, refuse("", "cannot be looked at")
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil, refuse("", "is neither a folder nor a regular file")
	}
	return &Recording{path: name, folder: info.IsDir(), limits: limits.orDefaults(), lists: map[document]learned{}}, nil
}

// Handler gets what a walk finds, in a fixed order: that of names, and in an
// archive that of its entries.
type Handler struct {
	// Want says which files to read; nil reads all.
	Want func(file string) bool
	// Object gets an object of a file. in is what its list says of it: zero for an
	// object that stands alone, or when the list says so only after its items and
	// was never walked before. text is valid until Object returns.
	Object func(file string, in Type, text []byte) error
	// End comes after the objects of a document. what is the type of the items of
	// a list, empty for a list of mixed kinds, or that of a single object. With ok
	// false the document was no list after all: its objects, so far, are part of
	// something else and do not count. May be nil.
	End func(file string, what Type, ok bool)
}

// Tally says what a walk met.
type Tally struct {
	// Files counts the files that held objects, Skipped those that did not and
	// those of other formats.
	Files, Skipped int
	// Broken names the first files of which something could not be read;
	// BrokenCount counts them all.
	Broken      []Broken
	BrokenCount int
	// Stamp is the last time that a file "timestamp" tells; zero without one.
	Stamp time.Time
}

// Broken is a file that could not be read in full.
type Broken struct{ File, Why string }

// String says it in half a sentence.
func (b Broken) String() string { return shown(b.File) + " (" + b.Why + ")" }

// Walk reads the recording from its beginning to its end. Its error is that of
// the context, of the handler, or a *RefusedError.
func (r *Recording) Walk(ctx context.Context, h Handler) (Tally, error) {
	w := &walker{Recording: r, ctx: ctx, handler: h, left: r.limits.Bytes}
	var err error
	if r.folder {
		err = w.walkFolder()
	} else {
		err = w.walkFile()
	}
	clear(w.raw[:cap(w.raw)]) // values may have passed through
	return w.tally, err
}

// walker is one walk.
type walker struct {
	*Recording
	ctx     context.Context
	handler Handler
	tally   Tally
	entries int
	left    int64 // bytes until the bound
	// raw is the object at hand; met counts the objects of the file at hand.
	raw []byte
	met int
}

// enter counts a file or folder.
func (w *walker) enter(name string) error {
	w.entries++
	switch depth := strings.Count(name, "/"); {
	case w.entries > w.limits.Files:
		return refuse("", "has more than %d files and folders", w.limits.Files)
	case depth > maxDepth:
		return refuse(name, "lies more than %d folders deep", maxDepth)
	case len(name) > maxName:
		return refuse(name, "has a name of more than %d bytes", maxName)
	}
	return w.ctx.Err()
}

// wants reports whether a file may hold objects and is asked for.
func (w *walker) wants(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".yaml", ".yml":
		return w.handler.Want == nil || w.handler.Want(name)
	}
	return false
}

// counted is a file on its way, of which all bytes count.
type counted struct {
	*walker
	in io.Reader
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.in.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n, refuse("", "is more than max_bytes (%d) when it is unpacked", c.limits.Bytes)
	}
	return n, err
}

// file reads one file. What is wrong with it alone is counted.
func (w *walker) file(name string, in io.Reader) error {
	if strings.EqualFold(path.Base(name), "timestamp") && strings.Count(name, "/") <= 2 {
		return w.stamp(in)
	}
	if !w.wants(name) {
		w.tally.Skipped++
		return nil
	}
	return w.text(name, in)
}

// text reads a file of JSON or YAML.
func (w *walker) text(name string, in io.Reader) error {
	w.met = 0
	buffered := bufio.NewReaderSize(in, 64<<10)
	first, err := firstByte(buffered)
	// What is broken matters when it was, or may have been, of Kubernetes.
	start, _ := buffered.Peek(4 << 10)
	ours := bytes.Contains(start, []byte("apiVersion"))
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
	case first == '{' || first == '[':
		err = w.json(name, buffered)
	default:
		err = w.yaml(name, buffered)
	}
	var refused *RefusedError
	var own *handlerError
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case errors.As(err, &own):
		return own.error
	case errors.As(err, &refused) || w.ctx.Err() != nil:
		return err
	case w.met > 0 || ours:
		w.broken(name, err)
	}
	if w.met == 0 {
		w.tally.Skipped++
	} else {
		w.tally.Files++
	}
	return nil
}

// handlerError is an error of the handler on its way out.
type handlerError struct{ error }

// Unwrap gives the handler's own error.
func (e *handlerError) Unwrap() error { return e.error }

// broken notes a file that cannot be read on, in words of ours.
func (w *walker) broken(name string, err error) {
	why := "not JSON or YAML from some point on"
	var own brokenError
	if errors.As(err, &own) {
		why = string(own)
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		why = "it ends before its end"
	}
	if n := len(w.tally.Broken); n > 0 && w.tally.Broken[n-1].File == name {
		return
	}
	if w.tally.BrokenCount++; len(w.tally.Broken) < maxNamed {
		w.tally.Broken = append(w.tally.Broken, Broken{File: name, Why: why})
	}
}

// brokenError is why a file cannot be read.
type brokenError string

// Error implements error.
func (e brokenError) Error() string { return string(e) }

const (
	errLarge   = brokenError("an object in it is too large")
	errAlias   = brokenError("it uses YAML aliases, which are refused")
	errComplex = brokenError("an object in it has too many parts")
	errDeep    = brokenError("an object in it is nested too deeply")
	errKey     = brokenError("a key in it is not a text")
	errValue   = brokenError("it is not an object")
)

// visit hands an object over.
func (w *walker) visit(name string, in Type, text []byte) error {
	w.met++
	if w.handler.Object == nil {
		return nil
	}
	if err := w.handler.Object(name, in, text); err != nil {
		return &handlerError{err}
	}
	return nil
}

// itemsOf is the type of the items of a list; ok is false when it is not one.
func itemsOf(t Type) (Type, bool) {
	kind, ok := strings.CutSuffix(t.Kind, "List")
	if kind == "" {
		return Type{}, ok
	}
	return Type{t.APIVersion, kind}, ok
}

// end finishes a document and remembers what it was, unless that is what an
// array that says nothing is taken for anyhow.
func (w *walker) end(doc document, t Type, list bool) error {
	if t.Kind == "" && !list {
		return nil
	}
	what, ok := t, true
	if list {
		what, ok = itemsOf(t)
		// An array without a type speaks through its items.
		ok = ok || t == Type{}
		if l := (learned{what, ok}); l != (learned{list: true}) {
			w.lists[doc] = l
		}
		if len(w.lists) > w.limits.Files {
			return refuse("", "has more than %d lists", w.limits.Files)
		}
	}
	if ok {
		w.met++ // a list without items tells something too
	}
	if w.handler.End != nil {
		w.handler.End(doc.file, what, ok)
	}
	return nil
}

// firstByte finds the first byte that is not white space, and leaves it.
func firstByte(in *bufio.Reader) (byte, error) {
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, in.UnreadByte()
		}
	}
}

// stamp reads the times that oc adm writes when it begins and when it ends: what
// Go prints of a time.
func (w *walker) stamp(in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, maxStamp))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if t, ok := parseStamp(strings.TrimSpace(line)); ok && t.After(w.tally.Stamp) {
			w.tally.Stamp = t
		}
	}
	return nil
}

func parseStamp(line string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, line); err == nil {
		return t.UTC(), true
	}
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return time.Time{}, false
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700", strings.Join(fields[:3], " "))
	return t.UTC(), err == nil
}
