package normalize

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxClaims bounds what one template tells of its source code.
const maxClaims = 32

// claims gives the claims of several places: revisions, then sources, then versions,
// and of each those of the first place first. What stands in two places is told once.
func claims(places ...[]record.Claim) (out []evidence.Claim) {
	for _, kind := range []record.ClaimKind{record.ClaimRevision, record.ClaimSource, record.ClaimVersion} {
		for _, place := range places {
			for _, c := range place {
				e := evidence.Claim{Kind: string(c.Kind), Key: c.Key, Value: c.Value}
				if c.Kind == kind && len(out) < maxClaims && !slices.Contains(out, e) {
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// maxTemplateChanges bounds what one rollout tells.
const maxTemplateChanges = 100

// templateChanges says in which fields two templates differ, what mostly matters
// first, and how many more there are. Nothing is known when the fields of one of
// them are not.
func templateChanges(from, to record.Fields) (changes []evidence.TemplateChange, more int32) {
	if len(from.Paths) == 0 || len(to.Paths) == 0 || len(from.Paths) != len(from.Digests) || len(to.Paths) != len(to.Digests) {
		return nil, 0
	}
	add := func(path string, change evidence.FieldChange) {
		changes = append(changes, evidence.TemplateChange{Path: path, Change: change})
	}
	if slices.Equal(from.Paths, to.Paths) {
		for i, path := range to.Paths {
			if from.Digests[i] != to.Digests[i] {
				add(path, evidence.FieldChanged)
			}
		}
	} else {
		before := make(map[string]uint64, len(from.Paths))
		for i, path := range from.Paths {
			before[path] = from.Digests[i]
		}
		for i, path := range to.Paths {
			switch old, ok := before[path]; {
			case !ok:
				add(path, evidence.FieldAdded)
			case old != to.Digests[i]:
				add(path, evidence.FieldChanged)
			}
			delete(before, path)
		}
		for path := range before {
			add(path, evidence.FieldRemoved)
		}
	}
	slices.SortFunc(changes, func(a, b evidence.TemplateChange) int {
		return cmp.Or(cmp.Compare(rank(a.Path), rank(b.Path)), strings.Compare(a.Path, b.Path))
	})
	if n := len(changes) - maxTemplateChanges; n > 0 {
		return slices.Clip(changes[:maxTemplateChanges]), int32(n) //nolint:gosec // the connector bounds the fields
	}
	return changes, 0
}

// rank puts what a container runs and with what before how it is run, and that
// before where.
func rank(path string) int {
	if !strings.Contains(path, "ontainers[") {
		switch {
		case strings.HasPrefix(path, "spec.volumes"):
			return 5
		case strings.HasPrefix(path, "spec."):
			return 6
		}
		return 7
	}
	_, field, _ := strings.Cut(path, "].")
	switch {
	case field == "image":
		return 0
	case strings.HasPrefix(field, "env"):
		return 1
	case field == "command", field == "args":
		return 2
	case strings.HasPrefix(field, "resources"):
		return 3
	}
	return 4
}
