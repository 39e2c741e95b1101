package kubernetes

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// controllerManager is the field manager of Kubernetes' own controllers, the
// HPA among them.
const controllerManager = "kube-controller-manager"

// maxFields bounds one entry of managedFields that is looked into; an object
// has at most 1.5 MiB in all.
const maxFields = 1 << 20

// maxKeys bounds the keys of a setting that are named. maxPaths is how many
// fields deep a path goes, maxPathLength how long it may be.
const (
	maxKeys       = 1000
	maxPaths      = 4
	maxPathLength = 240
)

// managers cuts managedFields down to who wrote when. Left out are the status
// subresource and Kubernetes' own controllers, but for scale: that entry is the
// HPA's.
func managers(entries []metav1.ManagedFieldsEntry) []record.Manager {
	return cutManagers(entries, func(m *record.Manager, fields []byte) {
		m.Template, m.Data, m.Pauses = ownsTemplate(fields), ownsData(fields), ownsPause(fields)
	})
}

// cutManagers lets look take what it needs of the fields of an entry.
func cutManagers(entries []metav1.ManagedFieldsEntry, look func(m *record.Manager, fields []byte)) []record.Manager {
	var out []record.Manager
	for _, e := range entries {
		switch {
		case e.Subresource != "" && e.Subresource != "scale":
			continue
		case e.Time == nil && e.Subresource != "scale": // scale entries have no time
			continue
		case e.Subresource == "" && e.Manager == controllerManager:
			continue
		}
		m := record.Manager{Name: managerName(e.Manager), Subresource: e.Subresource}
		if e.Subresource == "" && e.FieldsV1 != nil {
			look(&m, e.FieldsV1.GetRawBytes())
		}
		if e.Time != nil {
			m.Time = e.Time.UTC()
		}
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b record.Manager) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Name, b.Name), strings.Compare(a.Subresource, b.Subresource))
	})
	return out
}

// managerName keeps the name of a program. Clients choose it and the API takes
// any printable text: a person's address or a secret is not written down. The
// entry itself is kept, since somebody did write then.
func managerName(s string) string {
	if !isManager(s) {
		return record.UnusualManager
	}
	return s
}

// ownsData reports whether a field set has keys of a ConfigMap, or all of them.
func ownsData(fieldsV1 []byte) bool {
	return field(fieldsV1, "f:data") != nil || field(fieldsV1, "f:binaryData") != nil
}

// ownsTemplate reports whether a field set has fields of the pod template.
func ownsTemplate(fieldsV1 []byte) bool {
	owns := false
	eachEntry(field(field(fieldsV1, "f:spec"), "f:template"), func(_, _ []byte) { owns = true })
	return owns
}

// ownsPause reports whether a field set has the field that pauses a Deployment or
// suspends a CronJob.
func ownsPause(fieldsV1 []byte) bool {
	if !bytes.Contains(fieldsV1, []byte(`"f:paused"`)) && !bytes.Contains(fieldsV1, []byte(`"f:suspend"`)) {
		return false
	}
	spec := field(fieldsV1, "f:spec")
	return field(spec, "f:paused") != nil || field(spec, "f:suspend") != nil
}

// keyFields says which keys of an object a field set names: those of its data, or
// the paths of its spec.
type keyFields func(fieldsV1 []byte, yield func(key string))

// settingManagers cuts managedFields down, and lists the keys that all entries
// together name, sorted: also those of entries that are left out. full is false
// when they are more than can be named, or when nothing tells.
func (l *allowlist) settingManagers(entries []metav1.ManagedFieldsEntry, keys keyFields) (list []record.Manager, all []string, full bool) {
	full = len(entries) > 0
	for i := range entries {
		if e := &entries[i]; e.FieldsV1 != nil && (e.Subresource != "" || e.Time == nil || e.Manager == controllerManager) {
			keys(e.FieldsV1.GetRawBytes(), func(key string) { all = append(all, key) })
		}
	}
	list = cutManagers(entries, func(m *record.Manager, fields []byte) {
		keys(fields, func(key string) { m.Keys = append(m.Keys, key) })
		m.Data = len(m.Keys) > 0
		all = append(all, m.Keys...)
		l.eachOwned(fields, func(key string) { m.Keys = append(m.Keys, key) })
		m.Keys = sortKeys(m.Keys)
		if len(m.Keys) > maxKeys {
			m.Keys, full = m.Keys[:maxKeys], false
		}
	})
	if all = sortKeys(all); len(all) > maxKeys {
		all, full = all[:maxKeys], false
	}
	return slices.DeleteFunc(list, func(m record.Manager) bool { return m.Subresource != "" }), slices.Clip(all), full
}

func sortKeys(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// dataFields names the keys of a ConfigMap or Secret.
func dataFields(fieldsV1 []byte, yield func(string)) {
	eachEntry(fieldsV1, func(name, value []byte) {
		if string(name) != "f:data" && string(name) != "f:binaryData" {
			return
		}
		eachEntry(value, func(name, _ []byte) {
			if key, ok := bytes.CutPrefix(name, []byte("f:")); ok && isDataKey(key) {
				yield(string(key))
			}
		})
	})
}

// specFields names the paths of everything but metadata and status. A path ends
// at a list, since the elements are named by their values.
func specFields(fieldsV1 []byte, yield func(string)) {
	eachEntry(fieldsV1, func(name, value []byte) {
		key, ok := bytes.CutPrefix(name, []byte("f:"))
		switch {
		case !ok, string(key) == "metadata", string(key) == "status", !isFieldName(key):
		default:
			fieldPaths(string(key), string(key), value, 1, yield)
		}
	})
}

func fieldPaths(path, parent string, value []byte, depth int, yield func(string)) {
	whole, deeper := true, false
	if depth < maxPaths {
		eachEntry(value, func(name, _ []byte) {
			switch {
			case bytes.HasPrefix(name, []byte("f:")):
				deeper = true
			case string(name) != ".":
				whole = false // an element of a list
			}
		})
	}
	if !whole || !deeper {
		yield(path)
		return
	}
	eachEntry(value, func(name, value []byte) {
		key, ok := bytes.CutPrefix(name, []byte("f:"))
		if !ok {
			return
		}
		if next, ok := joinPath(path, parent, key); ok {
			fieldPaths(next, string(key), value, depth+1, yield)
		} else {
			yield(path)
		}
	})
}

// joinPath adds a field to a path; the keys of maps stand in brackets. ok is
// false for a name that is not written down.
func joinPath(path, parent string, name []byte) (string, bool) {
	if len(path)+len(name) > maxPathLength {
		return "", false
	}
	switch parent {
	case "hard", "labels", "annotations", "matchLabels", "selector", "default", "defaultRequest":
	default:
		if isFieldName(name) {
			return path + "." + string(name), true
		}
	}
	if !isMapKey(name) {
		return "", false
	}
	return path + "[" + string(name) + "]", true
}

// isFieldName takes the names of fields of the API.
func isFieldName(s []byte) bool {
	for _, b := range s {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63 && (s[0] < '0' || s[0] > '9')
}

// isMapKey takes the keys of labels, of resources and the like.
func isMapKey(s []byte) bool {
	prefix, name, prefixed := bytes.Cut(s, []byte("/"))
	return isDataKey(prefix) && (!prefixed || isDataKey(name) && len(name) <= 63)
}

// field is the value of one entry of a JSON object; nil when it is not there.
func field(object []byte, name string) []byte {
	var found []byte
	eachEntry(object, func(n, value []byte) {
		if string(n) == name {
			found = value
		}
	})
	return found
}

// eachEntry goes through one level of a JSON object, to its end or to where it is
// broken. Names are as they are written, with their escapes. It takes field sets
// and what the encoder wrote, and makes nothing of them: of a large object most
// is skipped.
func eachEntry(object []byte, yield func(name, value []byte)) {
	if len(object) > maxFields {
		return
	}
	at := skipSpace(object, 0)
	if at >= len(object) || object[at] != '{' {
		return
	}
	for at = skipSpace(object, at+1); at < len(object) && object[at] == '"'; {
		end := skipText(object, at)
		if end < 0 {
			return
		}
		name := object[at+1 : end-1]
		at = skipSpace(object, end)
		if at >= len(object) || object[at] != ':' {
			return
		}
		at = skipSpace(object, at+1)
		if end = skipValue(object, at); end < 0 {
			return
		}
		yield(name, object[at:end])
		if at = skipSpace(object, end); at >= len(object) || object[at] != ',' {
			return
		}
		at = skipSpace(object, at+1)
	}
}

func skipSpace(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// skipText finds the end of a text that begins at a quote; -1 for none.
func skipText(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return -1
}

// skipValue finds the end of a value; -1 for none.
func skipValue(b []byte, at int) int {
	begin, depth := at, 0
	for at < len(b) {
		switch b[at] {
		case '"':
			if at = skipText(b, at); at < 0 {
				return -1
			}
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				if at == begin {
					return -1
				}
				return at
			}
			if b[at] == '}' || b[at] == ']' {
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
		at++
	}
	if depth > 0 || at == begin {
		return -1
	}
	return at
}
