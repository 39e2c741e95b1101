package kubernetes

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/record"
)

// What Kubernetes itself puts into every namespace is told only where somebody
// changed it.
func TestWhatEveryNamespaceHasIsStanding(t *testing.T) {
	wrote := []record.Manager{{Name: "kubectl-edit", Data: true}}
	for name, test := range map[string]struct {
		setting record.Setting
		want    bool
	}{
		"the certificate":          {record.Setting{Object: record.Object{Kind: "ConfigMap", Name: rootCA}, Managers: wrote}, true},
		"a Secret called so":       {record.Setting{Object: record.Object{Kind: "Secret", Name: rootCA}}, false},
		"another ConfigMap":        {record.Setting{Object: record.Object{Kind: "ConfigMap", Name: "default"}}, false},
		"the account":              {record.Setting{Object: record.Object{Kind: "ServiceAccount", Name: "default"}}, true},
		"the account, changed":     {record.Setting{Object: record.Object{Kind: "ServiceAccount", Name: "default"}, Managers: wrote}, false},
		"the account, now another": {record.Setting{Object: record.Object{Kind: "ServiceAccount", Name: "default"}, Diff: &record.Diff{}}, false},
		"another account":          {record.Setting{Object: record.Object{Kind: "ServiceAccount", Name: "deployer"}}, false},
	} {
		if got := isStanding(test.setting); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
