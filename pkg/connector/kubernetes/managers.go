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

// maxKeys bounds the keys of a setting that are named.
const maxKeys = 1000

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
			m.Keys, full = slices.Clone(m.Keys[:maxKeys]), false
		}
	})
	if all = sortKeys(all); len(all) > maxKeys {
		all, full = slices.Clone(all[:maxKeys]), false
	}
	return slices.DeleteFunc(list, func(m record.Manager) bool { return m.Subresource != "" }), slices.Clip(all), full
}

func sortKeys(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}
