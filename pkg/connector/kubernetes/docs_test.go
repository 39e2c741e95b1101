package kubernetes

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/rcactl/rcactl/pkg/record"
)

var updateDocs = flag.Bool("update-docs", false, "write the generated part of the docs anew; read the result")

const (
	docsFile  = "../../../docs/connectors/kubernetes.md"
	docsBegin = "<!-- generated from the table of kinds: make docs -->\n"
	docsEnd   = "<!-- end of what is generated -->\n"
)

func TestDocsAreFresh(t *testing.T) {
	old, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(old), docsBegin)
	_, after, hasEnd := strings.Cut(rest, docsEnd)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no markers", docsFile)
	}
	fresh := before + docsBegin + writtenDocs(t) + docsEnd + after
	if *updateDocs {
		if err := os.WriteFile(docsFile, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(old), fresh); diff != "" {
		t.Errorf("docs/connectors/kubernetes.md is stale; run make docs:\n%s", diff)
	}
}

// kindSays is what the table of kinds does not say itself: what is kept of an
// object, and where it goes.
func kindSays() map[string][2]string {
	const (
		change   = "DeploymentEvent"
		config   = "ConfigChangeEvent"
		signal   = "RuntimeSignal"
		paths    = "which fields of the spec changed, by path, and by which program; no values"
		metadata = "that it was made, changed (by which program, when) or deleted"
		delivery = "what was applied when: revision, repository, path, chart; the state as a word"
	)
	return map[string][2]string{
		"Deployment":               {"images, replicas, state of the rollout, field managers, paths of the pod template that changed", change},
		"ReplicaSet":               {"the revisions of a Deployment: number, images, paths of the template that changed", change},
		"StatefulSet":              {"as of a Deployment", change},
		"DaemonSet":                {"as of a Deployment", change},
		"ControllerRevision":       {"the revisions of a StatefulSet or DaemonSet, as of a ReplicaSet", change},
		"CronJob":                  {"that it was made, changed, suspended, resumed or deleted; images", change},
		"Job":                      {"whether it ended well, reason and times of a failure", change},
		"ConfigMap":                {"names of keys; which were added, removed or changed since the last look; the workloads that consume it", config},
		"Secret":                   {"as of a ConfigMap, never the type's content: no value, no certificate", config},
		"HorizontalPodAutoscaler":  {paths, config},
		"Ingress":                  {paths, config},
		"NetworkPolicy":            {paths, config},
		"Service":                  {paths, config},
		"ResourceQuota":            {paths, config},
		"LimitRange":               {paths, config},
		"PodDisruptionBudget":      {paths, config},
		"CustomResourceDefinition": {metadata, config},
		"ServiceAccount":           {metadata, config},
		"Role":                     {metadata + "; never its rules", config},
		"RoleBinding":              {metadata + "; never its subjects", config},
		"ClusterRole":              {metadata + "; never its rules", config},
		"ClusterRoleBinding":       {metadata + "; never its subjects", config},
		"Pod":                      {"state, restarts, exits and limits of containers, running digests, node", signal},
		"Node":                     {"versions, boot id, taints, allocatable, conditions that hurt, a few well-known labels", "NodeEvent, RuntimeSignal"},
		"Application":              {delivery + " (Argo CD)", change},
		"Kustomization":            {delivery + " (Flux)", change},
		"HelmRelease":              {delivery + " (Flux)", change},
		"GitRepository":            {"the address, without user and query", change},
		"OCIRepository":            {"the address, without user and query", change},
		"HelmRepository":           {"the address, without user and query", change},
		"Event":                    {"class, reason, counts and times; numbers and names out of well-known messages", signal},
	}
}

// releasesSay is of Helm's own Secrets, which a table of kinds tells from others by the
// stream alone.
func releasesSay() [2]string {
	return [2]string{"labels of the releases of Helm: name, version, state", "DeploymentEvent"}
}

func writtenDocs(t *testing.T) string {
	var b bytes.Buffer
	c := defaultConfig()
	c.Streams = allStreams()
	b.WriteString("\n## What is read\n\n| kind | API | stream | form | what is kept | evidence |\n|---|---|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, stream := range allStreams() {
		for _, k := range c.kinds() {
			if key := stream + "/" + k.kind; k.stream != stream || seen[key] {
				continue
			} else {
				seen[key] = true
			}
			said, ok := kindSays()[k.kind]
			if stream == record.StreamHelm {
				said = releasesSay()
			}
			if !ok {
				t.Errorf("there are no words for the kind %s in kindSays()", k.kind)
			}
			fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s | %s |\n", k.kind, strings.TrimPrefix(k.group+"/"+k.version, "/"), stream, formSays(k), said[0], said[1])
		}
	}
	b.WriteString("\n| stream | is read |\n|---|---|\n")
	for _, stream := range allStreams() {
		says := map[mode]string{
			always:  "always; without the grant the run is partial (exit 3)",
			granted: "where the credential may; without the grant the run is complete and says so. Named in `streams` it is as one that is always read",
			asked:   "only when `streams` names it",
		}[modeOf(stream)]
		fmt.Fprintf(&b, "| `%s` | %s |\n", stream, says)
	}
	b.WriteString("\n## What is never read\n\n")
	for _, never := range (&source{config: *defaultConfig()}).Capabilities().NeverReads {
		fmt.Fprintf(&b, "- %s\n", never)
	}
	b.WriteString("\n## The grants\n\nOnly the verb `list`, and two `get` that are no must (see below). In each namespace that is read, a Role:\n\n```yaml\n")
	writeRole(&b, "Role", grantRules(c, func(r resource, stream string) bool { return modeOf(stream) == always && !r.cluster }))
	b.WriteString("```\n\nWith `namespaces: \"*\"`, or with a pattern, the same rules in a ClusterRole and a ClusterRoleBinding:\n\n```yaml\n")
	writeRole(&b, "ClusterRole", grantRules(c, func(_ resource, stream string) bool { return modeOf(stream) == always }))
	b.WriteString("```\n\nMore for single streams. What is of the whole cluster takes a ClusterRole, whatever `namespaces` says.\n\n")
	for _, stream := range allStreams() {
		if modeOf(stream) == always {
			continue
		}
		for _, cluster := range []bool{false, true} {
			more := grantRules(c, func(r resource, s string) bool { return s == stream && r.cluster == cluster })
			if len(more) == 0 {
				continue
			}
			where := "a Role or a ClusterRole"
			if cluster {
				where = "a ClusterRole"
			}
			fmt.Fprintf(&b, "`%s`, in %s:\n\n```yaml\n%s```\n\n", stream, where, strings.Join(more, ""))
		}
	}
	return b.String()
}

func formSays(k kind) string {
	switch {
	case k.accept == asMetadata && (k.stream == record.StreamConfigMaps || k.stream == record.StreamSecrets):
		return "metadata only; whole with `fingerprints: true`"
	case k.accept == asMetadata:
		return "metadata only"
	}
	return "whole object"
}

// grantRules are the rules of those kinds, a line for each group.
func grantRules(c *Config, takes func(r resource, stream string) bool) []string {
	groups := map[string][]string{}
	for _, k := range c.kinds() {
		if takes(k.resource, k.stream) && !slices.Contains(groups[k.group], k.plural) {
			groups[k.group] = append(groups[k.group], k.plural)
		}
	}
	var out []string
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, fmt.Sprintf("- apiGroups: [%q]\n  resources: [%s]\n  verbs: [list]\n", group, strings.Join(groups[group], ", ")))
	}
	return out
}

func writeRole(b *bytes.Buffer, kind string, rules []string) {
	meta := "{name: rcactl, namespace: shop}"
	if kind == "ClusterRole" {
		meta = "{name: rcactl}"
	}
	fmt.Fprintf(b, "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: %s\nrules:\n%s", kind, meta, strings.Join(rules, ""))
	fmt.Fprintf(b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %sBinding\nmetadata: %s\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: rcactl}\nsubjects: [{kind: ServiceAccount, name: rcactl, namespace: shop}]\n", kind, meta, kind)
}

// The Role of the CronJob is that of the streams that are always read.
func TestTheCronJobMayListWhatIsAlwaysRead(t *testing.T) {
	raw, err := os.ReadFile("../../../examples/deploy/cronjob.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		var r struct {
			Kind  string
			Rules []struct {
				APIGroups        []string `yaml:"apiGroups"`
				Resources, Verbs []string
			}
		}
		if err := yaml.Unmarshal([]byte(document), &r); err != nil || r.Kind != "Role" {
			continue
		}
		for _, rule := range r.Rules {
			for _, resource := range rule.Resources {
				got[rule.APIGroups[0]+"/"+resource+" "+strings.Join(rule.Verbs, ",")] = true
			}
		}
	}
	want := map[string]bool{}
	for _, k := range defaultConfig().kinds() {
		if modeOf(k.stream) == always {
			want[k.group+"/"+k.plural+" list"] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the Role of examples/deploy/cronjob.yaml (-want):\n%s", diff)
	}
}

// The map in doc.go leads to every file, and to none that is not there.
func TestTheMapNamesEveryFile(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"doc.go": true}
	for _, word := range strings.Fields(string(text)) {
		if word = strings.TrimSuffix(word, ","); strings.HasSuffix(word, ".go") {
			named[word] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !named[file] {
			t.Errorf("the map does not name %s", file)
		}
		delete(named, file)
	}
	for file := range named {
		t.Errorf("the map names %s, which is not there", file)
	}
}
