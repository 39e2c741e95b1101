package main

import (
	"context"
	"fmt"

	"github.com/rcactl/rcactl/pkg/connector"
)

// plannedSource is what --plan prints of one source.
type plannedSource struct {
	Name       string             `json:"name"`
	Error      string             `json:"error,omitempty"`
	Streams    []connector.Stream `json:"streams"`
	NeverReads []string           `json:"never_reads"`
}

// printPlan shows what a run would ask. It connects to nothing.
func (s *setup) printPlan(ctx context.Context, sys *System, opts *options) error {
	var plan []plannedSource
	for _, src := range s.sources {
		c, err := src.Config.Connect(ctx, s.env)
		if err != nil {
			plan = append(plan, plannedSource{Name: src.Name, Error: err.Error()})
			continue
		}
		capabilities := c.Capabilities()
		plan = append(plan, plannedSource{Name: src.Name, Streams: capabilities.Streams, NeverReads: capabilities.NeverReads})
	}
	if opts.output == "json" {
		return writeJSON(sys, plan)
	}
	p := newPrinter(sys, sys.Stdout)
	for _, src := range plan {
		p.line("%s %s", p.title.Render(src.Name), src.Error)
		var rows [][]cell
		for _, stream := range src.Streams {
			for i, need := range stream.Needs {
				name := stream.Name
				if i > 0 {
					name = ""
				}
				group := need.Group
				if group == "" {
					group = "core"
				}
				where := need.Namespace
				if where == "" {
					where = "cluster"
				}
				rows = append(rows, []cell{{text: name}, {text: need.Verb}, {text: group + "/" + need.Resource}, {text: where}})
			}
		}
		p.table("  ", rows)
		for _, never := range src.NeverReads {
			p.line("  never reads %s", never)
		}
	}
	_, err := fmt.Fprintln(opts.people(sys), "Nothing was asked.")
	return err
}
