package kubernetes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// asOf opens a recording of one file.
func asOf(t *testing.T, text string) (connector.Identity, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := defaultConfig()
	config.From = path
	now := func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }
	c, err := config.Connect(t.Context(), connector.Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c.(connector.Identifier).Identity(t.Context())
}

func TestThePresentOfARecording(t *testing.T) {
	object := func(kind, more string) string {
		return `{"apiVersion":"v1","kind":"` + kind + `","metadata":{"name":"a","uid":"00000001-0000-4000-8000-000000000000","creationTimestamp":"2026-03-01T12:00:00Z"` + more + "}"
	}
	for name, tt := range map[string]struct{ text, want string }{
		"creation":                    {object("Pod", "}"), "2026-03-01T12:00:01Z"},
		"a manager":                   {object("ConfigMap", `,"managedFields":[{"time":"2026-03-01T12:10:00Z"}]}`), "2026-03-01T12:10:01Z"},
		"a heartbeat":                 {object("Node", `},"status":{"conditions":[{"lastHeartbeatTime":"2026-03-01T12:20:00Z"}]}`), "2026-03-01T12:20:01Z"},
		"an Event":                    {object("Event", `},"lastTimestamp":"2026-03-01T12:30:00Z"`), "2026-03-01T12:30:01Z"},
		"a series":                    {object("Event", `},"series":{"lastObservedTime":"2026-03-01T12:30:00.123456Z"}`), "2026-03-01T12:30:01Z"},
		"an Event of a time to come":  {object("Event", `},"lastTimestamp":"2026-03-01T20:00:00Z"`), "2026-03-01T12:00:01Z"},
		"a manager of a time to come": {object("ConfigMap", `,"managedFields":[{"time":"2029-03-01T12:10:00Z"}]}`), "2026-03-01T12:00:01Z"},
		"fields of another kind":      {object("Thing", `},"reason":{"a":1},"type":["x"],"status":"fine"`), "2026-03-01T12:00:01Z"},
	} {
		id, err := asOf(t, tt.text)
		if got := id.AsOf.Format(time.RFC3339); err != nil || got != tt.want {
			t.Errorf("%s: %s, want %s: %v", name, got, tt.want, err)
		}
	}
	if _, err := asOf(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","uid":"x"}}`); err == nil || !strings.Contains(err.Error(), "tells a time") {
		t.Errorf("without a time: %v", err)
	}
}

func TestTheNameOfARecordedCluster(t *testing.T) {
	const uid = "0000000%d-0000-4000-8000-000000000000"
	namespace := func(name, n, created string) string {
		return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + name + `","uid":"` + strings.Replace(uid, "%d", n, 1) + `","creationTimestamp":"` + created + `"}}`
	}
	const old, young = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
	name := func(text string) string {
		id, err := asOf(t, text)
		if err != nil {
			t.Fatal(err)
		}
		return id.Target
	}
	if got := name(namespace("shop", "1", old) + namespace("kube-system", "2", young)); got != strings.Replace(uid, "%d", "2", 1) {
		t.Errorf("with kube-system: %s", got)
	}
	a := name(namespace("shop", "1", old) + namespace("cart", "2", young))
	if !strings.HasPrefix(a, "recording-") || a != name(namespace("pay", "3", young)+namespace("shop", "1", old)) || a == name(namespace("cart", "2", young)) {
		t.Errorf("without it the oldest object stands for the cluster: %s", a)
	}
	// A list says what its items are only after them.
	if got := name(`{"apiVersion":"v1","items":[{"metadata":{"name":"kube-system","uid":"` + strings.Replace(uid, "%d", "4", 1) + `","creationTimestamp":"` + old + `"}}],"kind":"NamespaceList"}`); got != strings.Replace(uid, "%d", "4", 1) {
		t.Errorf("in a typed list: %s", got)
	}
}

func TestARecordingAsksNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := defaultConfig()
	config.From = path
	c, err := config.Connect(t.Context(), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.(*recorded).api.serverVersion(context.Background()); err == nil {
		t.Error("a request was sent")
	}
	if h := c.HealthCheck(t.Context()); h.Err == nil || h.Reachable {
		t.Errorf("an empty recording is healthy: %+v", h)
	}
}

// collected reads a recording of one file, and gives how many records came and the
// notes.
func collected(t *testing.T, text string) (records int, survey *survey, notes string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := defaultConfig()
	config.From = path
	c, err := config.Connect(t.Context(), connector.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Collect(t.Context(), lookAgain(nil), func(record.Record) error { records++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return records, c.(*recorded).api.recording.survey, strings.Join(result.Notes, "\n")
}

func TestWhoMadeARecordingDoesNotChooseHowMuchIsKept(t *testing.T) {
	const metadata = `"metadata":{"name":"a","namespace":"shop","uid":"u%d","creationTimestamp":"2026-03-01T12:00:00Z"}`
	var text strings.Builder
	for i := range 2000 {
		for _, head := range []string{`"apiVersion":"example.com/v1","kind":"Kind%d"`, `"apiVersion":"apps/v9%d","kind":"Deployment"`, `"apiVersion":"v9%d","kind":"Pod"`} {
			fmt.Fprintf(&text, "{"+head+","+metadata+"}\n", i, i)
		}
	}
	fmt.Fprintf(&text, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"%s","uid":"n"}}`, strings.Repeat("n", 1<<20))
	fmt.Fprintf(&text, `{"apiVersion":"apps/v1","kind":"Deployment",`+metadata+`}`, 1)
	records, survey, notes := collected(t, text.String())
	if len(survey.types) > 6 || len(survey.files["the file"]) > 6 || len(survey.namespaces) != 1 {
		t.Errorf("%d types, %d namespaces are kept", len(survey.types), len(survey.namespaces))
	}
	if records != 1 {
		t.Errorf("%d records: %s", records, notes)
	}
}

func TestAnObjectOfTooManyPartsIsLeftOut(t *testing.T) {
	pod := func(name, containers string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"` + name + `","namespace":"shop","uid":"` + name + `","creationTimestamp":"2026-03-01T12:00:00Z"},"spec":{"containers":[` + containers + `]}}`
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, survey, notes := collected(t, pod("a", strings.Repeat("{},", 1<<20)+"{}")+pod("b", "{}"))
	runtime.ReadMemStats(&after)
	if survey.objects != 2 || !strings.Contains(notes, "that cannot be read as what they say they are, left out: 1.") {
		t.Errorf("%d objects: %s", survey.objects, notes)
	}
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 200 {
		t.Errorf("it took %d MiB", took)
	}
}
