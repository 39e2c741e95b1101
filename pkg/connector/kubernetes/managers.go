package kubernetes

import (
	"cmp"
	"encoding/json"
	"maps"
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

// managers cuts managedFields down to who wrote when. Left out are the status
// subresource and Kubernetes' own controllers, but for scale: that entry is the
// HPA's.
func managers(entries []metav1.ManagedFieldsEntry) []record.Manager {
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
			raw := e.FieldsV1.GetRawBytes()
			m.Template, m.Data = ownsTemplate(raw), ownsData(raw)
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
	top := fieldSet(fieldsV1)
	_, data := top["f:data"]
	_, binary := top["f:binaryData"]
	return data || binary
}

// ownsTemplate reports whether a field set has fields of the pod template.
func ownsTemplate(fieldsV1 []byte) bool {
	return len(fieldSet(fieldSet(fieldSet(fieldsV1)["f:spec"])["f:template"])) > 0
}

// dataKeys lists the keys of a ConfigMap that field sets name, sorted.
func dataKeys(entries []metav1.ManagedFieldsEntry) []string {
	keys := map[string]bool{}
	for _, e := range entries {
		if e.FieldsV1 == nil {
			continue
		}
		top := fieldSet(e.FieldsV1.GetRawBytes())
		for _, field := range []string{"f:data", "f:binaryData"} {
			for name := range fieldSet(top[field]) {
				if key, ok := strings.CutPrefix(name, "f:"); ok && isDataKey(key) {
					keys[key] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// fieldSet reads one level of a FieldsV1; nil when it is none.
func fieldSet(raw []byte) map[string]json.RawMessage {
	if len(raw) == 0 || len(raw) > maxFields {
		return nil
	}
	var set map[string]json.RawMessage
	if json.Unmarshal(raw, &set) != nil {
		return nil
	}
	return set
}
