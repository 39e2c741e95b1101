package correlate_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// BenchmarkCorrelate ties 50,000 deployments of 1,000 services to 100,000 commits of
// 200 repositories, five services each, indexes and all, on one core, and says how many deployments that
// is in a second and how much memory one takes: allocated in all, and still there at
// the end.
func BenchmarkCorrelate(b *testing.B) {
	const services, rollouts, repositories, commits = 1_000, 50, 200, 500
	in := crowd(services, rollouts, repositories, commits)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var out correlate.Output
	for b.Loop() {
		out = correlate.Correlate(in)
	}
	b.StopTimer()
	allocated := func() uint64 { runtime.ReadMemStats(&after); return after.TotalAlloc - before.TotalAlloc }()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(in)
	n := float64(services * rollouts)
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "deployments/s")
	b.ReportMetric(float64(allocated)/float64(b.N)/n, "allocB/deployment")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "keptB/deployment")
	high := 0
	for i := range out.Events {
		if d := out.Events[i].Deployment; d != nil && d.ChangeRange != nil && d.ChangeRange.Status != "unknown" {
			high++
		}
	}
	if high < services*rollouts*9/10 {
		b.Fatalf("only %d deployments have a range", high)
	}
}

// crowd is a large world: each rollout goes some commits on, each tenth back.
func crowd(services, rollouts, repositories, commits int) correlate.Input {
	in := correlate.Input{Asked: false}
	name := func(repo, n int) string { return fmt.Sprintf("%08x%032x", n*2654435761%(1<<32), repo+1) }
	repository := func(r int) string { return fmt.Sprintf("github.com/acme/repo-%d", r) }
	start := noon().AddDate(0, -1, 0)
	for r := range repositories {
		for n := range commits {
			in.Events = append(in.Events, evidence.Event{
				ID: id("commit", r, n), Kind: evidence.KindCommit, Time: start.Add(time.Duration(n) * time.Minute),
				Commit: &evidence.Commit{
					Repository: repository(r), SHA: name(r, n), Parents: []string{name(r, n-1)}, DefaultBranch: true,
					Author: &evidence.Person{Pseudonym: author(n)}, Size: &evidence.Size{Files: 1}, PullRequests: []int64{int64(n)},
				},
			})
		}
	}
	for s := range services {
		r := s % repositories
		at := func(k int) evidence.Image {
			if k%10 == 9 {
				k -= 2
			}
			n := k*commits/(rollouts+2) + s%7 + 1
			d := fmt.Sprintf("sha256:%032x%032x", n, r+1)
			if s < repositories*7 {
				in.Images = append(in.Images, correlate.Image{Digest: d, Metadata: &record.ImageMetadata{
					Image: "ghcr.io/acme/web", Digest: d, Created: start.Add(time.Duration(n) * time.Minute),
					Claims: []record.ImageClaim{{Place: record.PlaceLabel, Revision: name(r, n), Source: repository(r)}},
				}})
			}
			return evidence.Image{Container: "app", Image: "ghcr.io/acme/web:main-" + name(r, n)[:12], Digest: d}
		}
		for k := range rollouts {
			t := start.Add(time.Duration(commits+k) * time.Minute)
			in.Events = append(in.Events, evidence.Event{
				ID: id("rollout", s, k), Kind: evidence.KindDeployment, Time: t, ServiceKey: fmt.Sprintf("prod-eu1/shop/web-%d", s),
				Source: evidence.Source{Connector: "kubernetes", Stream: "workloads", Object: evidence.Object{Cluster: "prod-eu1", Kind: "Deployment", Namespace: "shop", Name: fmt.Sprintf("web-%d", s)}},
				Deployment: &evidence.Deployment{
					Change: evidence.ChangeRollout, Workload: "Deployment", Started: &t,
					From: &evidence.Template{Images: []evidence.Image{at(k)}}, To: &evidence.Template{Images: []evidence.Image{at(k + 1)}},
				},
			})
		}
		in.Services = append(in.Services, correlate.Service{Namespace: "shop", Name: fmt.Sprintf("web-%d", s), Repository: repository(r)})
	}
	return in
}
