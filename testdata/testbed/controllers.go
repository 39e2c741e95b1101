package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/resourcequota"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	quotainstall "k8s.io/kubernetes/pkg/quota/v1/install"
)

// What takes tens of seconds in a real cluster takes one here. How often a Job
// tries again and where an autoscaler ends are not changed by that.
const (
	jobBackoff     = time.Second // between the pods of a failing Job; doubles
	autoscalerSync = time.Second
)

// startControllers starts the controllers that rcactl's evidence depends
// on, straight from their constructors: the whole kube-controller-manager would
// cost a minute of build time and 60 MB for controllers that no test needs.
func startControllers(ctx context.Context, cfg *rest.Config) error {
	typed := protobuf(cfg)
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	metadataClient, err := metadata.NewForConfig(rest.CopyConfig(cfg))
	if err != nil {
		return fmt.Errorf("metadata client: %w", err)
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	sharedMetadata := metadatainformer.NewSharedInformerFactory(metadataClient, 0)
	apps, core := shared.Apps().V1(), shared.Core().V1()

	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), client)
	if err != nil {
		return fmt.Errorf("deployment controller: %w", err)
	}
	replicaSets := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), client, replicaset.BurstReplicas)
	statefulSets := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), client)
	daemonSets, err := daemon.NewDaemonSetsController(ctx, apps.DaemonSets(), apps.ControllerRevisions(), core.Pods(), core.Nodes(), client,
		flowcontrol.NewBackOff(time.Second, 15*time.Minute))
	if err != nil {
		return fmt.Errorf("daemon set controller: %w", err)
	}
	namespaces := namespace.NewNamespaceController(ctx, client, metadataClient, client.Discovery().ServerPreferredNamespacedResources,
		core.Namespaces(), 5*time.Minute, corev1.FinalizerKubernetes)
	serviceAccounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), client,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return fmt.Errorf("service account controller: %w", err)
	}
	job.DefaultJobPodFailureBackOff = jobBackoff
	jobs, err := job.NewController(ctx, client, core.Pods(), shared.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		return fmt.Errorf("job controller: %w", err)
	}
	cronJobs, err := cronjob.NewControllerV2(ctx, shared.Batch().V1().Jobs(), shared.Batch().V1().CronJobs(), client)
	if err != nil {
		return fmt.Errorf("cron job controller: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	scales, err := scale.NewForConfig(rest.CopyConfig(cfg), mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(client.Discovery()))
	if err != nil {
		return fmt.Errorf("scale client: %w", err)
	}
	autoscalers := shared.Autoscaling().V2().HorizontalPodAutoscalers()
	autoscaler := podautoscaler.NewHorizontalController(ctx, client.CoreV1(), scales, client.AutoscalingV2(), mapper,
		&loadMetrics{autoscalers: autoscalers.Lister(), pods: core.Pods().Lister(), deployments: apps.Deployments().Lister(), statefulSets: apps.StatefulSets().Lister()},
		autoscalers, core.Pods(), autoscalerSync, 0, 0.1, 5*time.Minute, 30*time.Second)

	informersStarted := make(chan struct{})
	either := informerfactory.NewInformerFactory(shared, sharedMetadata)
	quotas, err := quotaController(ctx, client, shared, either, informersStarted)
	if err != nil {
		return fmt.Errorf("resource quota controller: %w", err)
	}
	garbage, err := garbagecollector.NewGarbageCollector(ctx, client, metadataClient, mapper,
		map[schema.GroupResource]struct{}{{Resource: "events"}: {}, {Group: "events.k8s.io", Resource: "events"}: {}},
		either, informersStarted)
	if err != nil {
		return fmt.Errorf("garbage collector: %w", err)
	}

	shared.Start(ctx.Done())
	sharedMetadata.Start(ctx.Done())
	close(informersStarted)
	go deployments.Run(ctx, 20)
	go replicaSets.Run(ctx, 20)
	go statefulSets.Run(ctx, 5)
	go daemonSets.Run(ctx, 5)
	go namespaces.Run(ctx, 10)
	go serviceAccounts.Run(ctx, 2)
	go jobs.Run(ctx, 5)
	go cronJobs.Run(ctx, 5)
	go autoscaler.Run(ctx, 5)
	go quotas.Run(ctx, 5)
	go garbage.Run(ctx, 10, 30*time.Second)
	go garbage.Sync(ctx, client.Discovery(), 30*time.Second)
	return nil
}

// quotaController keeps the status of ResourceQuotas; the refusing is done by
// the API server, which needs that status.
func quotaController(ctx context.Context, client kubernetes.Interface, shared informers.SharedInformerFactory,
	either informerfactory.InformerFactory, informersStarted <-chan struct{},
) (*resourcequota.Controller, error) {
	configuration, err := quotainstall.NewQuotaConfigurationForControllers(generic.ListerFuncForResourceFunc(shared.ForResource), shared)
	if err != nil {
		return nil, err
	}
	return resourcequota.NewController(ctx, &resourcequota.ControllerOptions{
		QuotaClient:               client.CoreV1(),
		ResourceQuotaInformer:     shared.Core().V1().ResourceQuotas(),
		ResyncPeriod:              controller.StaticResyncPeriodFunc(5 * time.Minute),
		InformerFactory:           either,
		ReplenishmentResyncPeriod: controller.StaticResyncPeriodFunc(12 * time.Hour),
		DiscoveryFunc:             client.Discovery().ServerPreferredNamespacedResources,
		IgnoredResourcesFunc:      configuration.IgnoredResources,
		InformersStarted:          informersStarted,
		Registry:                  generic.NewRegistry(configuration.Evaluators()),
		UpdateFilter:              quotainstall.DefaultUpdateFilter(),
	})
}

// protobuf is the configuration with the wire format that real controllers use:
// three times as fast as JSON for workloads.
func protobuf(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return cfg
}
