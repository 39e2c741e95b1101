package kubernetes

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/rcactl/rcactl/pkg/record"
)

// autoscaler is a HorizontalPodAutoscaler and what it scales.
type autoscaler struct {
	record.Autoscaler
	target objectKey
}

func cutAutoscaler(o *autoscalingv2.HorizontalPodAutoscaler) autoscaler {
	ref := o.Spec.ScaleTargetRef
	out := autoscaler{
		Autoscaler: record.Autoscaler{Name: o.Name, Desired: o.Status.DesiredReplicas},
		target:     objectKey{ref.Kind, o.Namespace, ref.Name},
	}
	if o.Status.LastScaleTime != nil {
		out.LastScale = o.Status.LastScaleTime.UTC()
	}
	return out
}

// autoscale ties autoscalers to their workloads. Of two for one workload it is not
// known which one scaled it.
func (j *joined) autoscale(list []autoscaler) {
	ambiguous := map[objectKey]bool{}
	for i := range list {
		w := j.byName[list[i].target]
		if w == nil || ambiguous[list[i].target] {
			continue
		}
		if ambiguous[list[i].target] = w.Autoscaler != nil; w.Autoscaler != nil {
			w.Autoscaler = nil
			continue
		}
		w.Autoscaler = &list[i].Autoscaler
	}
}
