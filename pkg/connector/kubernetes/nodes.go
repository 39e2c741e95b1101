package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// maxTaints bounds the taints of a node that are kept.
const maxTaints = 50

// nodeKinds are the nodes.
func nodeKinds() []kind {
	r := core("nodes", "Node")
	r.cluster = true
	return []kind{kindOf(r, record.StreamNodes, func(l *corev1.NodeList) []corev1.Node { return l.Items }, (*collection).takeNode)}
}

func (c *collection) takeNode(j *job, n *corev1.Node) error {
	j.nodes = append(j.nodes, c.cutNode(n))
	return nil
}

// node is a record in the making.
type node struct {
	record.Node
	// healthy holds when each condition that does not hurt began to be so.
	healthy map[string]time.Time
}

func (n *node) sick() bool { return len(n.Conditions) > 0 }

func (s *source) cutNode(n *corev1.Node) node {
	info, resources := n.Status.NodeInfo, n.Status.Allocatable
	out := node{healthy: map[string]time.Time{}}
	out.Object, out.Created = s.object("Node", &n.ObjectMeta), n.CreationTimestamp.UTC()
	if n.DeletionTimestamp != nil {
		out.Deleted = n.DeletionTimestamp.UTC()
	}
	out.Facts = record.NodeFacts{
		BootID: digestOf(info.BootID), Kubelet: numbered(strings.TrimPrefix(info.KubeletVersion, "v"), info.KubeletVersion),
		Runtime: versionWord(info.ContainerRuntimeVersion), Kernel: numbered(info.KernelVersion, info.KernelVersion), OSImage: versionWord(info.OSImage),
		Unschedulable: n.Spec.Unschedulable,
		Pool:          wellKnown(n.Labels, poolLabels()), Zone: wellKnown(n.Labels, []string{corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone}),
		InstanceType: wellKnown(n.Labels, []string{corev1.LabelInstanceTypeStable, corev1.LabelInstanceType}),
		CPU:          resources.Cpu().MilliValue(), Memory: resources.Memory().Value(), Pods: resources.Pods().Value(),
	}
	for _, t := range n.Spec.Taints {
		if t.Key == corev1.TaintNodeUnschedulable {
			if n.Spec.Unschedulable && t.TimeAdded != nil {
				out.Cordoned = t.TimeAdded.UTC()
			}
			continue
		}
		if word, ok := nodeTaint(t); ok && len(out.Facts.Taints) < maxTaints {
			out.Facts.Taints = append(out.Facts.Taints, word)
		}
	}
	slices.Sort(out.Facts.Taints)
	out.Facts.Taints = slices.Compact(out.Facts.Taints)
	for _, c := range n.Status.Conditions {
		hurts, known := hurting(c)
		switch since := c.LastTransitionTime.UTC(); {
		case !known:
		case hurts:
			out.Conditions = append(out.Conditions, record.NodeCondition{
				Type: string(c.Type), Status: string(c.Status), Reason: reasonWord(c.Reason), Since: since,
			})
		default:
			out.healthy[string(c.Type)] = since
		}
	}
	slices.SortStableFunc(out.Conditions, func(a, b record.NodeCondition) int { return strings.Compare(a.Type, b.Type) })
	out.Conditions = slices.CompactFunc(out.Conditions, func(a, b record.NodeCondition) bool { return a.Type == b.Type })
	return out
}

// hurting reports whether a condition says that something is wrong. Conditions
// that other programs add are not known. A pressure that is Unknown says only
// that the kubelet does not report, as Ready does.
func hurting(c corev1.NodeCondition) (hurts, known bool) {
	switch c.Status {
	case corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown:
	default:
		return false, false
	}
	switch c.Type {
	case corev1.NodeReady:
		return c.Status != corev1.ConditionTrue, true
	case corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeNetworkUnavailable:
		return c.Status == corev1.ConditionTrue, c.Status != corev1.ConditionUnknown
	}
	return false, false
}

// poolLabels are the labels by which providers name the pool of a node.
func poolLabels() []string {
	return []string{
		"karpenter.sh/nodepool", "eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name", "cloud.google.com/gke-nodepool",
		"kubernetes.azure.com/agentpool", "agentpool", "kops.k8s.io/instancegroup", "doks.digitalocean.com/node-pool",
		"k8s.scaleway.com/pool-name", "worker.gardener.cloud/pool", "lke.linode.com/pool-id",
	}
}

// wellKnown is the value of the first of the labels that is there.
func wellKnown(labels map[string]string, keys []string) string {
	for _, key := range keys {
		if value := labels[key]; value != "" && len(value) <= 63 && labelName.MatchString(value) {
			return value
		}
	}
	return ""
}

// nodeTaint is a taint without its value. Those that the cluster sets for a
// condition are told as such.
func nodeTaint(t corev1.Taint) (string, bool) {
	switch t.Key {
	case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure,
		corev1.TaintNodePIDPressure, corev1.TaintNodeNetworkUnavailable:
		return "", false
	}
	switch t.Effect {
	case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		return t.Key + ":" + string(t.Effect), isLabelKey(t.Key)
	}
	return "", false
}

// maxVersion bounds a version.
const maxVersion = 96

// versionWord keeps what looks like a version: the kubelet of a node chooses it.
func versionWord(s string) string {
	if len(s) > maxVersion || !strings.ContainsAny(s, "0123456789") {
		return ""
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(" ._+:/()~-", c) >= 0:
		default:
			return ""
		}
	}
	return s
}

// numbered keeps a version that begins with a number.
func numbered(number, version string) string {
	if number == "" || number[0] < '0' || number[0] > '9' {
		return ""
	}
	return versionWord(version)
}

// digestOf is enough of a digest to tell whether two values are the same.
func digestOf(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// nodeFacts are the facts of a node in the state: an array of boot id, kubelet,
// runtime, kernel, OS image, unschedulable, taints, pool, zone, instance type, CPU,
// memory, pods, conditions. A text that begins with digestMark is a digest.
const nodeFacts = 14

const digestMark = "#"

// shortDigest is how much of a digest stands for a text.
const shortDigest = 6

// facts writes what the next look is to know; brief ones are smaller.
func (n *node) facts(brief bool) []any {
	short := func(s string) string {
		if !brief || len(s) <= len(digestMark)+shortDigest {
			return s
		}
		return digestMark + digestOf(s)[:shortDigest]
	}
	f := n.Facts
	var taints any = f.Taints
	if brief || len(f.Taints) == 0 {
		taints = short(strings.Join(f.Taints, " "))
	}
	conditions := [][]any{} // type, status, since, reason
	for _, c := range n.Conditions {
		if c.Ended.IsZero() && !c.Since.IsZero() {
			conditions = append(conditions, []any{c.Type, c.Status, c.Since.Unix(), c.Reason})
		}
	}
	unschedulable := 0
	if f.Unschedulable {
		unschedulable = 1
	}
	return []any{
		f.BootID, short(f.Kubelet), short(f.Runtime), short(f.Kernel), short(f.OSImage), unschedulable, taints,
		short(f.Pool), short(f.Zone), short(f.InstanceType), f.CPU, f.Memory, f.Pods, conditions,
	}
}

// readNodeFacts reads them. now is what a digest may stand for; nil for a node
// that is gone.
func readNodeFacts(raw json.RawMessage, now *record.NodeFacts) (f record.NodeFacts, conditions []record.NodeCondition, ok bool) {
	var array []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &array) != nil || len(array) != nodeFacts {
		return record.NodeFacts{}, nil, false
	}
	if now == nil {
		now = &record.NodeFacts{}
	}
	unschedulable, kept := 0, [][]json.RawMessage{}
	for i, into := range map[int]any{
		0: &f.BootID, 1: &f.Kubelet, 2: &f.Runtime, 3: &f.Kernel, 4: &f.OSImage, 5: &unschedulable,
		7: &f.Pool, 8: &f.Zone, 9: &f.InstanceType, 10: &f.CPU, 11: &f.Memory, 12: &f.Pods, 13: &kept,
	} {
		if json.Unmarshal(array[i], into) != nil {
			return record.NodeFacts{}, nil, false
		}
	}
	f.Unschedulable = unschedulable != 0
	for _, fields := range kept {
		var c record.NodeCondition
		var since int64
		into := []any{&c.Type, &c.Status, &since, &c.Reason}
		for i := range min(len(into), len(fields)) {
			if json.Unmarshal(fields[i], into[i]) != nil {
				return record.NodeFacts{}, nil, false
			}
		}
		c.Since, c.Reason = time.Unix(since, 0).UTC(), reasonWord(c.Reason)
		conditions = append(conditions, c)
	}
	for _, text := range []struct {
		was *string
		is  string
	}{
		{&f.Kubelet, now.Kubelet},
		{&f.Runtime, now.Runtime},
		{&f.Kernel, now.Kernel},
		{&f.OSImage, now.OSImage},
		{&f.Pool, now.Pool},
		{&f.Zone, now.Zone},
		{&f.InstanceType, now.InstanceType},
	} {
		*text.was = undigest(*text.was, text.is)
	}
	var joined string
	switch {
	case json.Unmarshal(array[6], &f.Taints) == nil:
	case json.Unmarshal(array[6], &joined) != nil:
		return record.NodeFacts{}, nil, false
	case joined == "":
	default:
		f.Taints = now.Taints
		if now := strings.Join(now.Taints, " "); joined != now && undigest(joined, now) != now {
			f.Taints = []string{record.FactForgotten}
		}
	}
	return f, conditions, true
}

// undigest gives the value that a text of the state stands for.
func undigest(was, is string) string {
	digest, cut := strings.CutPrefix(was, digestMark)
	switch {
	case !cut:
		return was
	case is != "" && digest == digestOf(is)[:shortDigest]:
		return is
	}
	return record.FactForgotten
}

// recallNodes adds what the last look knew.
func (c *collection) recallNodes(nodes []node) {
	for i := range nodes {
		n := &nodes[i]
		k, ok := c.prior.before(n.Object.UID)
		if !ok {
			continue
		}
		after, before, ok := c.since(k)
		if !ok {
			continue
		}
		was, conditions, ok := readNodeFacts(k.Facts, &n.Facts)
		if !ok {
			continue
		}
		n.Before, n.After, n.Until = &was, after, before
		since := maps.Clone(n.healthy)
		for _, is := range n.Conditions {
			since[is.Type] = is.Since
		}
		for _, old := range conditions {
			if ended := since[old.Type]; ended.After(old.Since) {
				old.Ended = ended
				n.Conditions = append(n.Conditions, old)
			}
		}
	}
}

// attribute is one by which nodes are set against each other.
type attribute struct {
	name string
	of   func(*record.NodeFacts) string
}

func attributes() []attribute {
	return []attribute{
		{"kubelet", func(f *record.NodeFacts) string { return f.Kubelet }},
		{"container_runtime", func(f *record.NodeFacts) string { return f.Runtime }},
		{"kernel", func(f *record.NodeFacts) string { return f.Kernel }},
		{"os_image", func(f *record.NodeFacts) string { return f.OSImage }},
		{"pool", func(f *record.NodeFacts) string { return f.Pool }},
		{"zone", func(f *record.NodeFacts) string { return f.Zone }},
		{"instance_type", func(f *record.NodeFacts) string { return f.InstanceType }},
	}
}

// contrast says of each node that hurts what it shares with others that do more
// than with those that do not.
func contrast(nodes []node) {
	type count struct{ sick, all int }
	var total count
	for i := range nodes {
		total.all++
		if nodes[i].sick() {
			total.sick++
		}
	}
	if total.sick == 0 || total.sick == total.all {
		return
	}
	for _, a := range attributes() {
		values := map[string]count{}
		for i := range nodes {
			value := a.of(&nodes[i].Facts)
			n := values[value]
			n.all++
			if nodes[i].sick() {
				n.sick++
			}
			values[value] = n
		}
		for i := range nodes {
			n, value := &nodes[i], a.of(&nodes[i].Facts)
			with := values[value]
			without := count{total.sick - with.sick, total.all - with.all}
			if n.sick() && value != "" && without.all > 0 && with.sick*without.all > without.sick*with.all {
				n.Contrasts = append(n.Contrasts, record.NodeContrast{
					Attribute: a.name, Value: value, SickWith: with.sick, With: with.all, SickWithout: without.sick, Without: without.all,
				})
			}
		}
	}
}

// emitNodes tells of the nodes, and hands over what the next look is to know.
func (c *collection) emitNodes(ctx context.Context, j *joined, nodes []node) error {
	if _, whole := c.glance("Node", ""); whole {
		contrast(nodes) // before recall, which adds conditions that are over
	}
	c.recallNodes(nodes)
	slices.SortFunc(nodes, func(a, b node) int { return compareObjects(a.Object, b.Object) })
	there := map[string]bool{}
	records := make([]record.Node, 0, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		there[n.Object.UID] = true
		records = append(records, n.Node)
		c.snapshot = append(c.snapshot, snapshotObject{object: n.Object, created: n.Created, facts: n.facts(false), brief: n.facts(true)})
	}
	for _, g := range c.prior.vanished(func(uid string) bool { return there[uid] }, c.glance, "Node") {
		facts, _, _ := readNodeFacts(g.Facts, nil)
		records = append(records, record.Node{Object: g.object(c.clusterID), Vanished: &g.between, Facts: facts})
	}
	ours := c.nodesOfServices(j)
	for _, n := range records {
		if ours != nil && !ours[n.Object.Name] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return classify(ctx, err, "the nodes")
		}
		if err := c.emit(n); err != nil {
			return err
		}
	}
	c.done[record.StreamNodes] = true
	return nil
}

// nodesOfServices are the nodes that run pods of the services of the command
// line; nil when none were named.
func (c *collection) nodesOfServices(j *joined) map[string]bool {
	if c.scope.services == nil {
		return nil
	}
	out := map[string]bool{}
	for _, p := range j.ordered {
		if p.node != "" && c.scope.has(p.object.Namespace, j.serviceOfPod(p).Name) {
			out[p.node] = true
		}
	}
	return out
}
