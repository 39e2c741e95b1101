package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// world is a small one in which all that can meet meets at times.
type world struct {
	*rand.Rand
	odd string // a text from outside
}

func (w world) one(of ...string) string { return of[w.IntN(len(of))] }

// may is true about once in n times.
func (w world) may(n int) bool { return w.IntN(n) == 0 }

func (w world) revision() string {
	n := 1 + w.IntN(9)
	return w.one(sha(n), sha(n), sha(n), sha(n)[:8], sha(n)+"-dirty", "main@sha1:"+sha(n), "v1.4.0", "1.4.0", "", w.odd)
}

func (w world) source() string {
	return w.one(shop, shop, shop, "", config, "gitlab.example.test/acme/shop")
}

func (w world) image(n int) correlate.Image {
	m := correlate.Image{Reference: w.reference(n), Digest: digest(n), Failed: w.may(9)}
	if w.may(6) {
		return m
	}
	m.Failed = false
	m.Metadata = &record.ImageMetadata{Image: image, Digest: digest(n), ByTag: w.may(9), Created: noon().Add(-time.Duration(w.IntN(4*60)) * time.Minute)}
	if w.may(5) {
		m.Metadata.Base = digest(w.IntN(6))
	}
	for _, place := range []record.ImagePlace{record.PlaceLabel, record.PlaceManifest, record.PlaceIndex, record.PlaceProvenance} {
		if w.may(2) {
			m.Metadata.Claims = append(m.Metadata.Claims, record.ImageClaim{
				Place: place, Revision: w.revision(), Source: w.source(), Version: w.one("", "", "1.4.0", w.odd), Signed: w.may(3),
			})
		}
	}
	return m
}

// reference is that of the n-th image: always the same.
func (w world) reference(n int) string {
	return []string{"ghcr.io/acme/shop:1", "ghcr.io/acme/shop:" + sha(3), "registry.example.test/web:v1.4.0", "shop", "ghcr.io/acme/shop:main-" + sha(4)[:9], "nginx:1.25"}[n%6]
}

func (w world) template() *evidence.Template {
	if w.may(8) {
		return nil
	}
	t := &evidence.Template{}
	for i := range w.IntN(3) + 1 {
		n := w.IntN(6)
		m := evidence.Image{Container: w.one("app", "web", "helper") + fmt.Sprint(i), Image: w.reference(n), Digest: digest(n)}
		if w.may(4) {
			m.Digest = ""
		}
		t.Images = append(t.Images, m)
	}
	for _, kind := range []string{"revision", "source", "version"} {
		if w.may(3) {
			v := w.revision()
			if kind == "source" {
				v = w.source()
			}
			t.Claims = append(t.Claims, evidence.Claim{Kind: kind, Key: "example.test/" + kind, Value: v})
		}
	}
	return t
}

func (w world) input() correlate.Input {
	in := correlate.Input{Asked: !w.may(4), Repositories: []string{shop, config}[:w.IntN(3)]}
	for i := range 8 {
		in.Events = append(in.Events, event(func(e *evidence.Event) {
			e.ID, e.ServiceKey = id("rollout", i), "prod-eu1/shop/"+w.one("web", "worker", "other")
			e.Time = noon().Add(time.Duration(w.IntN(40)) * time.Minute)
			if w.may(2) {
				e.Deployment.Started = nil
			}
			e.Deployment.Change = evidence.Change(w.one("rollout", "rollout", "create", "rollback", "restart", "scale", "delete"))
			e.Deployment.From, e.Deployment.To = w.template(), w.template()
			if w.may(3) {
				managed(e)
			}
		}))
	}
	for n := range 10 {
		if w.may(3) {
			continue
		}
		in.Events = append(in.Events, commit(n, func(c *evidence.Commit) {
			c.DefaultBranch = !w.may(4)
			if c.Forced = w.may(9); c.Forced {
				c.PreviousHead = sha(w.IntN(10))
			}
			if w.may(5) {
				c.Parents = append(c.Parents, sha(w.IntN(10)))
			}
		}))
	}
	for n := range 3 {
		in.Events = append(in.Events, pull(int64(100+n), func(e *evidence.Event) { e.PullRequest.MergeCommit = sha(w.IntN(10)) }))
		if w.may(2) {
			in.Events = append(in.Events, told(time.Duration(w.IntN(50))*time.Minute, w.IntN(10), func(e *evidence.Event) {
				e.ID, e.Deployment.PreviousRevision = id("told", n), sha(w.IntN(10))
			}))
		}
	}
	in.Events = append(in.Events, applied(time.Duration(w.IntN(40))*time.Minute, w.one(shop, config), sha(w.IntN(10)), sha(w.IntN(10))))
	for n := range 6 {
		in.Images = append(in.Images, w.image(n))
	}
	if w.may(2) {
		in.Services = services()
	}
	if w.may(3) {
		in.Services = append(in.Services, correlate.Service{Cluster: "prod-eu1", Namespace: "shop", Name: w.one("web", "other"), Repository: w.one(shop, config)})
	}
	return in
}

func (w world) history() *history {
	h := line(w.IntN(3), 5+w.IntN(6))
	h.silent, h.unreadable, h.twins = w.may(9), w.may(9), w.may(9)
	h.off, h.forced = map[int]bool{w.IntN(10): true}, map[int]bool{w.IntN(10): true}
	h.tags = map[string]int{w.one("v1.4.0", "1.4.0", "v2.0.0"): w.IntN(10)}
	return h
}

// hold checks what holds of every input.
func (w world) hold(t *testing.T) {
	in, h := w.input(), w.history()
	before := text(t, in)
	if !in.Asked {
		h = nil
	}
	out := settle(t, in, h)
	if text(t, in) != before {
		t.Error("the input was changed")
	}
	if h != nil {
		for _, q := range h.asked {
			in.Answers = append(in.Answers, line(0, 0).again(h, q))
		}
		slices.SortFunc(h.asked, func(a, b record.HistoryQuestion) int { return compareText(t, a, b) })
		if len(slices.Compact(h.asked)) != len(h.asked) {
			t.Errorf("something is asked twice: %v", h.asked)
		}
	}

	w.Shuffle(len(in.Events), func(i, k int) { in.Events[i], in.Events[k] = in.Events[k], in.Events[i] })
	w.Shuffle(len(in.Images), func(i, k int) { in.Images[i], in.Images[k] = in.Images[k], in.Images[i] })
	w.Shuffle(len(in.Answers), func(i, k int) { in.Answers[i], in.Answers[k] = in.Answers[k], in.Answers[i] })
	slices.Reverse(in.Services)
	slices.Reverse(in.Repositories)
	other := correlate.Correlate(in)
	same(t, "another order", out, other)

	in.Events = other.Events
	same(t, "a second time", out, correlate.Correlate(in))
}

// again answers as h did, without writing down that it was asked.
func (*history) again(h *history, q record.HistoryQuestion) record.HistoryAnswer {
	c := *h
	return c.answer(q)
}

func compareText(t *testing.T, a, b any) int {
	switch x, y := text(t, a), text(t, b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func same(t *testing.T, what string, a, b correlate.Output) {
	t.Helper()
	for _, out := range []*correlate.Output{&a, &b} {
		out.Events = slices.Clone(out.Events)
		slices.SortFunc(out.Events, func(x, y evidence.Event) int { return compareText(t, x.ID, y.ID) })
	}
	for i := range a.Events {
		if x, y := text(t, a.Events[i]), text(t, b.Events[i]); x != y {
			t.Errorf("%s says something else of an event:\n%s\n%s", what, x, y)
		}
	}
	a.Events, b.Events = nil, nil
	if x, y := text(t, a), text(t, b); x != y {
		t.Errorf("%s says something else:\n%s\n%s", what, x, y)
	}
}

func TestWhatHoldsOfEveryInput(t *testing.T) {
	for seed := range uint64(60) {
		world{rand.New(rand.NewPCG(seed, 1)), "x"}.hold(t)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func FuzzCorrelate(f *testing.F) {
	f.Add(uint64(1), "v1.2.3-5-g9be01d7")
	f.Add(uint64(2), "-dirty")
	f.Fuzz(func(t *testing.T, seed uint64, odd string) {
		if len(odd) > 200 {
			odd = odd[:200]
		}
		world{rand.New(rand.NewPCG(seed, 2)), fmt.Sprintf("%.60q", odd)}.hold(t)
		world{rand.New(rand.NewPCG(seed, 3)), odd}.hold(t)
	})
}
