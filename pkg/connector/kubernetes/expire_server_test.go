package kubernetes_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// between does something once, before the second page of a list is asked for.
type between struct {
	path string
	do   func()
	once sync.Once
	base http.RoundTripper
}

func (b *between) WrapTransport(base http.RoundTripper) http.RoundTripper { b.base = base; return b }

func (b *between) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, b.path) && req.URL.Query().Get("continue") != "" {
		b.once.Do(b.do)
	}
	return b.base.RoundTrip(req)
}

// The server itself forgets the list in the middle: what was read before and what
// was made meanwhile are both told, and nothing twice.
func TestTheServerForgetsAListInTheMiddle(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	settings := func(name string) {
		if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"key": planted},
		}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		settings(fmt.Sprintf("settings-%d", i))
	}
	config := c.config()
	config.Streams, config.PageSize = []string{record.StreamConfigMaps}, 3
	e := env()
	e.Transport = &between{path: "/configmaps", do: func() {
		settings("settings-0-made-meanwhile")
		c.srv.ExpireContinueTokens(t)
	}}
	events, result := c.collect(config, request(), e)
	told := map[string]int{}
	for _, event := range events {
		told[event.Source.Object.Name]++
	}
	if len(told) != 7 || len(events) != 7 {
		t.Errorf("told: %v", told)
	}
	cov := result.Coverage[0]
	if cov.Status != connector.Complete || !strings.Contains(cov.Reason, "expired (410) and the list was started again") {
		t.Errorf("coverage: %+v", cov)
	}
}
