package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker in a release (goreleaser.yaml) and by
// the Makefile.
var version, commit string //nolint:gochecknoglobals // the linker can only set package variables

// Build says what program this is.
type Build struct {
	// Version is the release, or "devel".
	Version string
	// Commit is the full hash of the commit, with "-dirty" when the tree had
	// changes; "unknown" when the build does not tell.
	Commit string
	// Go is the version of the toolchain.
	Go string
}

// readBuild takes the linker's values first, then what the Go toolchain noted.
func readBuild() Build {
	b := Build{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		if b.Commit == "" && settings["vcs.revision"] != "" {
			b.Commit = settings["vcs.revision"]
			if settings["vcs.modified"] == "true" {
				b.Commit += "-dirty"
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	return b
}

func (b Build) String() string {
	return fmt.Sprintf("rcactl %s (commit %s, %s, %s/%s)", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
}
