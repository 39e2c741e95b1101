package kubernetes

import (
	"bytes"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// podPage is a page of pods in protobuf, of which more follows when next is not
// empty.
func podPage(t *testing.T, names []string, next string) []byte {
	t.Helper()
	list := &corev1.PodList{ListMeta: metav1.ListMeta{Continue: next, ResourceVersion: "7"}}
	list.APIVersion, list.Kind = "v1", "PodList"
	for _, name := range names {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID("uid-" + name)}})
	}
	codecs, err := newCodecs(defaultConfig().kinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range codecs.SupportedMediaTypes() {
		if info.MediaType == "application/vnd.kubernetes.protobuf" {
			var body bytes.Buffer
			if err := info.Serializer.Encode(list, &body); err != nil {
				t.Fatal(err)
			}
			return body.Bytes()
		}
	}
	t.Fatal("no protobuf")
	return nil
}

// While the first page is being read the second one is on its way, and nothing is
// read twice or lost.
func TestTheNextPageIsAskedForWhileOneIsRead(t *testing.T) {
	asked, once := make(chan struct{}), sync.Once{}
	pages := map[string][]byte{"": podPage(t, []string{"a", "b"}, "2"), "2": podPage(t, []string{"c", "d"}, "3"), "3": podPage(t, []string{"e"}, "")}
	requests := make(chan string, 10)
	s := connect(t, answers{"pods": func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("continue")
		requests <- token
		if token == "2" {
			once.Do(func() { close(asked) })
		}
		w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
		_, _ = w.Write(pages[token])
	}}, nil)
	l := &listing{kind: kind{resource: pods(), stream: record.StreamPods}, namespace: "shop", reviewed: true}
	var got []string
	err := list(t.Context(), s.api, l, func() *corev1.PodList { return &corev1.PodList{} },
		func(p *corev1.PodList) []corev1.Pod { return p.Items },
		func(p *corev1.Pod) error {
			if got = append(got, p.Name); p.Name == "a" {
				select {
				case <-asked:
				case <-time.After(10 * time.Second):
					t.Error("the second page was not asked for while the first was read")
				}
			}
			return nil
		})
	if err != nil || l.err != nil || len(got) != 5 || l.objects != 5 || len(requests) != 3 {
		t.Errorf("%q, %d requests, %v, %v", got, len(requests), err, l.err)
	}
}

func TestNoPageIsAskedForAheadNearTheBound(t *testing.T) {
	page := podPage(t, []string{"a"}, "2")
	for most, want := range map[int]bool{1000: false, 1001: true} {
		l := &listing{kind: kind{resource: pods()}, namespace: "no namespace"} // which stops the request itself
		a := l.askAhead(t.Context(), &client{maxObjects: most}, page, "", 500)
		if (a != nil) != want {
			t.Errorf("max_objects %d: %v", most, a)
		}
		a.drop()
	}
	l := &listing{kind: kind{resource: pods()}, namespace: "no namespace"}
	for name, body := range map[string][]byte{
		"the last page": podPage(t, []string{"a"}, ""), "the same token": podPage(t, nil, "1"), "JSON": []byte(`{"metadata":{"continue":"2"}}`),
	} {
		if a := l.askAhead(t.Context(), &client{maxObjects: 1e6}, body, "1", 500); a != nil {
			a.drop()
			t.Errorf("%s: asked ahead", name)
		}
	}
}

// A bug on the way comes out where the list is read, and not in a goroutine that
// nobody watches.
func TestAPanicOnTheWayToAPageReachesTheReader(t *testing.T) {
	l := &listing{kind: kind{resource: pods()}, namespace: "shop"}
	a := l.askAhead(t.Context(), &client{maxObjects: 1e6}, podPage(t, nil, "2"), "", 500) // a client without a REST client
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	if _, err, ok := a.page("2", 500); ok {
		t.Errorf("a page without a server: %v", connector.ClassOf(err))
	}
}
