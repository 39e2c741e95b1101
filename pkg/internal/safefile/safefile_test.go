//go:build !windows

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// soon fails when do hangs.
func soon(t *testing.T, do func() ([]byte, error)) ([]byte, error) {
	t.Helper()
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := do()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
		return nil, nil
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	pipe, link, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	for _, err := range []error{
		syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, link), os.WriteFile(file, []byte("text"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, read := range []func(string, int64) ([]byte, error){Read, ReadGiven} {
		for _, path := range []string{pipe, link, dir, "/dev/zero"} {
			if _, err := soon(t, func() ([]byte, error) { return read(path, 9) }); !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if _, err := read(filepath.Join(dir, "none"), 9); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		for limit, want := range map[int64]string{9: "text", 4: "text", 2: "tex"} {
			if text, err := read(file, limit); err != nil || string(text) != want {
				t.Errorf("%d: %q, %v", limit, text, err)
			}
		}
	}
}

func TestDescriptorsMayBePipesWhenGiven(t *testing.T) {
	for _, form := range []string{"/dev/fd/%d", "/proc/self/fd/%d"} {
		if _, err := os.Stat(filepath.Dir(form)); err != nil {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		path := fmt.Sprintf(form, r.Fd())
		if _, err := soon(t, func() ([]byte, error) { return Read(path, 9) }); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
		if text, err := soon(t, func() ([]byte, error) { return ReadGiven(path, 2) }); err != nil || string(text) != "tex" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
		_ = r.Close()
	}
}
