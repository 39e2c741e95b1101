package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const (
	moduleRoot = "../.."
	modulePath = "github.com/rcactl/rcactl/"
)

// room is an entry of testdata/rooms.yaml.
type room struct {
	Room    string   `yaml:"room"`
	Purpose string   `yaml:"purpose"`
	Imports []string `yaml:"imports"`
	Tests   []string `yaml:"tests"`
}

func readRooms(t *testing.T) []room {
	t.Helper()
	f, err := os.Open(filepath.Join(moduleRoot, "testdata", "rooms.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	var rooms []room
	if err := dec.Decode(&rooms); err != nil {
		t.Fatal(err)
	}
	return rooms
}

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = moduleRoot
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	return out
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goList(t, "-json=ImportPath,Imports,TestImports,XTestImports", "./...")))
	var all []goPackage
	for {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = inModule(p.ImportPath)
		all = append(all, p)
	}
}

// inModule gives an import path without the module's; the module's own root is ".".
func inModule(path string) string {
	if path+"/" == modulePath {
		return "."
	}
	return strings.TrimPrefix(path, modulePath)
}

// within reports whether a package is what an entry names: itself, or with
// "/..." also what is below.
func within(pkg, entry string) bool {
	base, below := strings.CutSuffix(entry, "/...")
	return pkg == base || below && strings.HasPrefix(pkg, base+"/")
}

func anyWithin(pkg string, entries ...string) bool {
	return slices.ContainsFunc(entries, func(entry string) bool { return within(pkg, entry) })
}

// used are the packages of this module that the packages of a room import, in the
// program and in tests.
func used(r room, packages []goPackage) (program, tests []string) {
	for _, p := range packages {
		if !within(p.ImportPath, r.Room) {
			continue
		}
		for _, path := range p.Imports {
			program = append(program, inModule(path))
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			tests = append(tests, inModule(path))
		}
	}
	return program, tests
}

// checkDoors says which doors of a room lead nowhere or are used by nobody: such a
// door would open without anybody having decided so.
func checkDoors(r room, packages []goPackage) (wrong []string) {
	program, tests := used(r, packages)
	check := func(door string, used []string, unused string) {
		is := func(path string) bool { return within(path, door) }
		switch {
		case !slices.ContainsFunc(packages, func(p goPackage) bool { return is(p.ImportPath) }):
			wrong = append(wrong, fmt.Sprintf("%s: may import %s, and there is no such package", r.Room, door))
		case !slices.ContainsFunc(used, is):
			wrong = append(wrong, fmt.Sprintf("%s: %s", r.Room, fmt.Sprintf(unused, door)))
		}
	}
	for _, door := range r.Imports {
		check(door, program, "may import %s, and does not")
	}
	for _, door := range r.Tests {
		check(door, tests, "its tests may import %s, and do not")
		if slices.Contains(r.Imports, door) {
			wrong = append(wrong, fmt.Sprintf("%s: may import %s, and names it again for tests", r.Room, door))
		}
	}
	return wrong
}

// checkRooms compares the tree with its plan and says what differs.
func checkRooms(rooms []room, packages []goPackage) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	seen := map[string]bool{}
	for _, r := range rooms {
		if seen[r.Room] {
			say("%s: the room is there twice", r.Room)
		}
		seen[r.Room] = true
		if r.Purpose == "" {
			say("%s: a room without a purpose", r.Room)
		}
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return within(p.ImportPath, r.Room) }) {
			say("%s: an empty room; there is no such package", r.Room)
			continue
		}
		wrong = append(wrong, checkDoors(r, packages)...)
	}
	for _, p := range packages {
		i := slices.IndexFunc(rooms, func(r room) bool { return within(p.ImportPath, r.Room) })
		if i < 0 {
			say("%s: a package without a room; give it one in testdata/rooms.yaml, with its purpose", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			if door, ours := strings.CutPrefix(path, modulePath); ours && !anyWithin(door, rooms[i].Imports...) {
				say("%s: imports %s, which its room does not allow", p.ImportPath, door)
			}
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			door, ours := strings.CutPrefix(path, modulePath)
			if ours && door != p.ImportPath && !anyWithin(door, slices.Concat(rooms[i].Imports, rooms[i].Tests)...) {
				say("%s: its tests import %s, which its room does not allow", p.ImportPath, door)
			}
		}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong)
}

func TestEveryPackageKeepsToItsRoom(t *testing.T) {
	for _, wrong := range checkRooms(readRooms(t), listPackages(t)) {
		t.Error(wrong)
	}
}

// A plan that nothing violates proves nothing.
func TestThePlanIsRead(t *testing.T) {
	pkg := func(path string, imports ...string) goPackage {
		p := goPackage{ImportPath: path}
		for _, i := range imports {
			p.Imports = append(p.Imports, modulePath+i)
		}
		return p
	}
	withTest := func(path, imports string) goPackage {
		return goPackage{ImportPath: path, XTestImports: []string{modulePath + imports}}
	}
	a, b := room{Room: "a", Purpose: "x", Imports: []string{"b"}}, room{Room: "b", Purpose: "x"}
	plain, tested := room{Room: "a", Purpose: "x"}, room{Room: "a", Purpose: "x", Tests: []string{"b"}}
	both := room{Room: "a", Purpose: "x", Imports: []string{"b"}, Tests: []string{"b"}}
	tests := map[string]struct {
		rooms    []room
		packages []goPackage
		want     string
	}{
		"as planned":       {[]room{a, b}, []goPackage{pkg("a", "b"), pkg("b")}, ""},
		"tests as planned": {[]room{tested, b}, []goPackage{withTest("a", "b"), pkg("b")}, ""},
		"one of many":      {[]room{{Room: "a/...", Purpose: "x", Imports: []string{"b"}}, b}, []goPackage{pkg("a"), pkg("a/c", "b"), pkg("b")}, ""},
		"wrong door":       {[]room{plain, b}, []goPackage{pkg("a"), pkg("b", "a")}, "b: imports a,"},
		"wrong test":       {[]room{plain, b}, []goPackage{pkg("a"), withTest("b", "a")}, "b: its tests import a,"},
		"no room":          {[]room{b}, []goPackage{pkg("a"), pkg("b")}, "a: a package without a room"},
		"empty room":       {[]room{a, b}, []goPackage{pkg("b")}, "a: an empty room"},
		"door to no one":   {[]room{a}, []goPackage{pkg("a")}, "a: may import b, and there is no such package"},
		"unused door":      {[]room{a, b}, []goPackage{pkg("a"), pkg("b")}, "a: may import b, and does not"},
		"door of tests":    {[]room{a, b}, []goPackage{withTest("a", "b"), pkg("b")}, "a: may import b, and does not"},
		"unused by tests":  {[]room{tested, b}, []goPackage{pkg("a"), pkg("b")}, "a: its tests may import b, and do not"},
		"named twice":      {[]room{both, b}, []goPackage{{ImportPath: "a", Imports: []string{modulePath + "b"}, TestImports: []string{modulePath + "b"}}, pkg("b")}, "a: may import b, and names it again"},
		"twice":            {[]room{b, b}, []goPackage{pkg("b")}, "b: the room is there twice"},
		"no purpose":       {[]room{{Room: "b"}}, []goPackage{pkg("b")}, "b: a room without a purpose"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := checkRooms(tt.rooms, tt.packages)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
