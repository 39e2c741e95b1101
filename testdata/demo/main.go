// Command demo plays the story that make demo collects: a shop whose checkout is
// deployed, updated, reconfigured, broken by an image that cannot be pulled, and
// rolled back. It talks to the cluster of KUBECONFIG, the test API server that
// make demo-live and make demo-record start, and needs no kubectl.
//
// With -record DIR it then writes the cluster down as "kubectl get -o json
// --show-managed-fields" would, a file a kind: that is the recording that make
// demo reads.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The cast of the story.
const (
	namespace  = "shop"
	deployment = "checkout"
	config     = "checkout-config"
	repository = "acme/checkout"
	source     = "https://github.com/acme/checkout"
)

// commitOf is the commit that the pipeline built an image from, which it writes
// beside the image.
func commitOf(tag string) string {
	return map[string]string{
		"v1.4.0":        "4f2a91c06d3b8e7515c0aa94d1f2e86b3c7d9e10",
		"v1.4.1":        "9be01d74c2f85a3360e1b7d98f4a6c2e5d0b8f37",
		"v1.5.0-broken": "c17d3e8a5b90f2461d7e8c3a9b4f6051e2d8a7c4",
	}[tag]
}

// claims are the annotations of the pod template that name the source code.
func claims(tag string) map[string]string {
	return map[string]string{"org.opencontainers.image.revision": commitOf(tag), "org.opencontainers.image.source": source}
}

// pace keeps the steps apart: Kubernetes' times have whole seconds, and a reader
// should see what came first.
const pace = 1100 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	record := flag.String("record", "", "folder to write the cluster down in")
	flag.Parse()
	if err := run(ctx, os.Stdout, *record); err != nil {
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, record string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	if err != nil {
		return fmt.Errorf("read KUBECONFIG (make demo-live sets it): %w", err)
	}
	// The server writes this name into managedFields, as it does for a real pipeline.
	cfg.UserAgent = "deploy-pipeline/1.0"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	s := story{client: client}
	for _, step := range []struct {
		tells string
		do    func(context.Context) error
	}{
		{"checkout v1.4.0 is deployed, with its ConfigMap", s.deploy},
		{"rollout to v1.4.1", func(ctx context.Context) error { return s.rollout(ctx, "v1.4.1") }},
		{"the payment time-out is lowered in the ConfigMap", s.reconfigure},
		{"rollout to v1.5.0-broken: the image cannot be pulled", func(ctx context.Context) error { return s.breakImage(ctx, "v1.5.0-broken") }},
		{"rollback to v1.4.1", func(ctx context.Context) error { return s.rollout(ctx, "v1.4.1") }},
	} {
		fmt.Fprintf(out, "%s  %s\n", time.Now().UTC().Format(time.TimeOnly), step.tells)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.tells, err)
		}
		if err := wait(ctx, pace); err != nil {
			return err
		}
	}
	if record == "" {
		return nil
	}
	return s.record(ctx, record)
}

// story acts as the team's pipeline does.
type story struct{ client kubernetes.Interface }

func (s story) deploy(ctx context.Context) error {
	_, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make namespace %s: %w", namespace, err)
	}
	labels := map[string]string{"app.kubernetes.io/name": deployment, "app.kubernetes.io/part-of": "shop"}
	if _, err := s.client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: config, Labels: labels},
		Data:       map[string]string{"PAYMENT_TIMEOUT": "5s", "CART_LIMIT": "100"},
	}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the ConfigMap: %w", err)
	}
	replicas := int32(3)
	if _, err := s.client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: deployment, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: claims("v1.4.0")},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: deployment, Image: repository + ":v1.4.0",
					EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
						LocalObjectReference: corev1.LocalObjectReference{Name: config},
					}}},
				}}},
			},
		},
	}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the Deployment: %w", err)
	}
	return s.awaitRollout(ctx)
}

func (s story) rollout(ctx context.Context, tag string) error {
	if err := s.setImage(ctx, tag); err != nil {
		return err
	}
	return s.awaitRollout(ctx)
}

func (s story) setImage(ctx context.Context, tag string) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"annotations": claims(tag)},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": deployment, "image": repository + ":" + tag}}},
	}}})
	if err != nil {
		return fmt.Errorf("set the image: %w", err)
	}
	_, err = s.client.AppsV1().Deployments(namespace).Patch(ctx, deployment, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("set the image: %w", err)
	}
	return nil
}

func (s story) reconfigure(ctx context.Context) error {
	_, err := s.client.CoreV1().ConfigMaps(namespace).Patch(ctx, config, types.MergePatchType,
		[]byte(`{"data":{"PAYMENT_TIMEOUT":"200ms"}}`), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change the ConfigMap: %w", err)
	}
	return nil
}

// breakImage rolls out an image and waits until a pod says that it cannot be
// pulled, which is all that ever comes of it.
func (s story) breakImage(ctx context.Context, tag string) error {
	if err := s.setImage(ctx, tag); err != nil {
		return err
	}
	return poll(ctx, func(ctx context.Context) (bool, error) {
		pods, err := s.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, fmt.Errorf("list the pods: %w", err)
		}
		for _, p := range pods.Items {
			for _, c := range p.Status.ContainerStatuses {
				if c.State.Waiting != nil && c.State.Waiting.Reason == "ImagePullBackOff" {
					return true, nil
				}
			}
		}
		return false, nil
	})
}

func (s story) awaitRollout(ctx context.Context) error {
	return poll(ctx, func(ctx context.Context) (bool, error) {
		d, err := s.client.AppsV1().Deployments(namespace).Get(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Errorf("look at the rollout: %w", err)
		}
		want, st := *d.Spec.Replicas, d.Status
		return st.ObservedGeneration == d.Generation && st.UpdatedReplicas == want && st.AvailableReplicas == want && st.Replicas == want, nil
	})
}

func poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("nothing happened for a minute"))
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
