package keyfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestReadOrMakeMakesOnceAndKeepsItToItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "k")
	text, made, err := ReadOrMake(path, func() ([]byte, error) { return []byte("first"), nil })
	if err != nil || !made || string(text) != "first" {
		t.Fatalf("first use: %q, made %v, %v", text, made, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	text, made, err = ReadOrMake(path, func() ([]byte, error) { return []byte("second"), nil })
	if err != nil || made || string(text) != "first" {
		t.Errorf("second use: %q, made %v, %v; want the first key again", text, made, err)
	}
}

func TestReadOrMakeLeavesNothingWhenMakingFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "k")
	broken := errors.New("no randomness")
	if _, _, err := ReadOrMake(path, func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a key file was left")
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := Create(path, 0o600, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, 0o600, []byte("second")); !errors.Is(err, ErrExists) {
		t.Errorf("error %v, want ErrExists", err)
	}
	if text, _ := Read(path); string(text) != "first" {
		t.Errorf("the file holds %q", text)
	}
}

func TestReadRefusesWhatIsNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, make([]byte, MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a file over the bound was read")
	}
}

func TestDeriveWritesOnlyWhatIsNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.pub")
	for _, text := range []string{"one", "one", "two"} {
		if err := Derive(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := Read(path); string(got) != text {
			t.Errorf("the file holds %q, want %q", got, text)
		}
	}
}
