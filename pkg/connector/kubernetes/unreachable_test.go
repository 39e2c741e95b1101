package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// TestWhyThereIsNoAnswer: each trouble has its own words, with the host and the
// port, and never with what the resolver, the proxy or the path say.
func TestWhyThereIsNoAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		class connector.Class
		want  string
	}{
		"refused":   {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, connector.ClassUnreachable, "refused the connection"},
		"name":      {&net.DNSError{Err: "s3cret", Name: "s3cret", IsNotFound: true}, connector.ClassUnreachable, "a name that cannot be resolved"},
		"route":     {&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, connector.ClassUnreachable, "there is no route"},
		"authority": {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, connector.ClassUnreachable, "its authority is not known"},
		"host":      {&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "s3cret"}}, connector.ClassUnreachable, "it is for another name"},
		"expired":   {&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, connector.ClassUnreachable, "has expired"},
		"no tls":    {tls.RecordHeaderError{Msg: "s3cret"}, connector.ClassUnreachable, "does not speak TLS"},
		"proxy":     {&net.OpError{Op: "proxyconnect", Err: errors.New("s3cret")}, connector.ClassUnreachable, "the proxy"},
		"timeout":   {&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, connector.ClassTimeout, "gave no answer within 30s"},
		"else":      {errors.New("s3cret"), connector.ClassUnreachable, "cannot be reached"},
	} {
		clock := time.Unix(0, 0)
		env := connector.Env{
			Transport: roundTrip(func(*http.Request) (*http.Response, error) { clock = clock.Add(30 * time.Second); return nil, test.err }),
			Now:       func() time.Time { return clock },
		}
		api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://api.example.com/s3cret-path"}}, env)
		if err != nil {
			t.Fatal(err)
		}
		own := classify(t.Context(), api.get(t.Context(), "/version", nil, asObjects, &corev1.PodList{}), "the version of the server")
		if own.Class != test.class || !strings.Contains(own.Error(), test.want) || !strings.Contains(own.Error(), "at api.example.com:443 ") ||
			strings.Contains(own.Error(), "s3cret") {
			t.Errorf("%s: %s: %v", name, own.Class, own)
		}
	}
}

func TestTheEndOfTheTimeNamesTheServer(t *testing.T) {
	hang := roundTrip(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
	api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://api.example.com"}}, connector.Env{Transport: hang, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	own := classify(ctx, api.get(ctx, "/version", nil, asObjects, &corev1.PodList{}), "the version of the server")
	if own.Class != connector.ClassTimeout || !strings.Contains(own.Error(), "api.example.com:443 gave no answer within") || !errors.Is(own, context.DeadlineExceeded) {
		t.Errorf("%s: %v", own.Class, own)
	}
}

// TestRequestsAreLogged with what was asked and how it went, and no more.
func TestRequestsAreLogged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Secret", "s3cret")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "s3cret")
	}))
	defer server.Close()
	var log bytes.Buffer
	env := connector.Env{Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: server.URL, BearerToken: "s3cret"}}, env)
	if err != nil {
		t.Fatal(err)
	}
	_ = api.get(t.Context(), "/api/v1/pods", map[string][]string{"continue": {"s3cret"}}, asObjects, &corev1.PodList{})
	for _, want := range []string{"level=DEBUG", "method=GET", "path=/api/v1/pods", "status=403", "took=", "bytes=6"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is missing: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log has more than it should: %s", log.String())
	}
}

// TestWhenACrashLoopBegan: not before a crash can have happened.
func TestWhenACrashLoopBegan(t *testing.T) {
	for name, test := range map[string]struct {
		restarts                   int32
		start, unready, began, end string
		want                       string
	}{
		"one crash, never ready":    {1, "09:00:00", "09:00:01", "09:00:10", "09:00:20", "09:00:20"},
		"one crash, had been ready": {1, "09:00:00", "09:59:58", "09:00:10", "09:59:57", "09:59:57"},
		"more, never ready":         {5, "09:00:00", "09:00:01", "09:10:00", "09:10:20", "09:10:00"},
		"more, had been ready":      {5, "09:00:00", "09:30:00", "09:40:00", "09:40:20", "09:30:00"},
		"more, ready in between":    {5, "09:00:00", "09:40:21", "09:40:00", "09:40:20", "09:40:00"},
		"the end is forgotten":      {5, "09:00:00", "09:30:00", "", "", "09:30:00"},
	} {
		start := at(test.start)
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at("08:00:00")},
			Status: corev1.PodStatus{StartTime: &start, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: at(test.unready)},
			}},
		}
		status := corev1.ContainerStatus{Name: "app", RestartCount: test.restarts, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"},
		}}
		if test.end != "" {
			status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: at(test.began), FinishedAt: at(test.end)}
		}
		sig, ok := waitingSignal(status, unreadySince(p), p)
		if got := sig.First.Format(time.TimeOnly); !ok || got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestBothEndsOfAContainerAreTold(t *testing.T) {
	end := func(finished string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", FinishedAt: at(finished)}}
	}
	s := &source{config: *defaultConfig(), clusterID: "c"}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "u"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/web:1"}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", RestartCount: 2, State: end("10:05:00"), LastTerminationState: end("10:00:00"),
		}}},
	}
	var got []string
	for _, sig := range s.cutPod(p).signals {
		got = append(got, sig.Key+" "+sig.First.Format(time.TimeOnly))
	}
	if diff := cmp.Diff([]string{"app/2 10:05:00", "app/1 10:00:00"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestScalingsOfOneSecondAreInTheOrderOfRevisions(t *testing.T) {
	second := at("10:00:00").Time
	w := &workload{}
	w.Revisions = []record.Revision{{Name: "web-z", Number: 1}, {Name: "web-a", Number: 2}}
	w.Scalings = []record.Scaling{{Revision: "web-a", From: 0, To: 1, Time: second}, {Revision: "web-z", From: 2, To: 1, Time: second}}
	w.sortScalings()
	if w.Scalings[0].Revision != "web-z" {
		t.Errorf("%+v", w.Scalings)
	}
}

func TestWhatToGiveToACredentialThatMayListNothing(t *testing.T) {
	for want, namespaces := range map[string][]string{
		"nothing of namespace shop (403): give it a Role with the verb list on pods, in each": {"shop"},
		"nothing of all namespaces (403): give it a ClusterRole with the verb list on pods,":  {""},
	} {
		c := &collection{source: &source{api: &client{}}, scope: scope{namespaces: namespaces}, jobs: []*job{{listing: listing{kind: kind{resource: pods()}, refused: true}}}}
		if err := c.usable(); connector.ClassOf(err) != connector.ClassForbidden || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
