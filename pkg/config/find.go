package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

// EnvVar names the environment variable that names a config file.
const EnvVar = "RCACTL_CONFIG"

// FileName is the config file of a folder that somebody works in.
const FileName = "rcactl.yaml"

// Search is where a config may be. It holds values, not the means to get them,
// so that finding is a function of its arguments and the disk.
type Search struct {
	// Flag is the value of --config, Env that of RCACTL_CONFIG; empty when not
	// given.
	Flag, Env string
	// Dir is the working directory; empty means the process's own, and keeps
	// paths short in messages.
	Dir string
	// UserDir is the user's config folder (os.UserConfigDir); empty means that
	// there is none.
	UserDir string
}

// Found is the file to use.
type Found struct {
	// Path is empty when there is no file, which is not an error.
	Path string
	// Why says in words how the file was chosen: "--config".
	Why  string
	Data []byte
	// Note says what was noticed on the way, such as a file whose name is
	// almost right; may be empty.
	Note string
}

// Find looks for the config: --config, RCACTL_CONFIG, ./rcactl.yaml, then
// rcactl/config.yaml in the user's config folder. The first that is there is
// used, alone. A file that was named and is not there is an error, and so is
// one that cannot be read.
func Find(s Search) (Found, error) {
	type place struct {
		path, why string
		named     bool
	}
	places := []place{{s.Flag, "--config", true}, {s.Env, EnvVar, true}, {filepath.Join(s.Dir, FileName), "working directory", false}}
	if s.UserDir != "" {
		places = append(places, place{filepath.Join(s.UserDir, "rcactl", "config.yaml"), "user's config folder", false})
	}
	for _, p := range places {
		if p.path == "" {
			continue
		}
		data, err := ReadFile(p.path)
		switch {
		case err == nil:
			return Found{Path: p.path, Why: p.why, Data: data}, nil
		case p.named:
			return Found{}, fmt.Errorf("config named by %s: %w; correct the path, or leave %s out to search", p.why, err, p.why)
		case !errors.Is(err, fs.ErrNotExist):
			return Found{}, fmt.Errorf("config in the %s: %w; repair it or name another with --config", p.why, err)
		}
	}
	var none Found
	if _, err := os.Stat(filepath.Join(s.Dir, "rcactl.yml")); err == nil {
		none.Note = "rcactl.yml is not read; rename it to " + FileName
	}
	return none, nil
}

// ReadFile reads a config file, and no more of it than shows that it is too
// large; Parse then says so. Pipes and devices are refused, unless they are
// descriptors of this process, as in --config <(command).
func ReadFile(path string) ([]byte, error) {
	return safefile.ReadGiven(path, MaxSize)
}
