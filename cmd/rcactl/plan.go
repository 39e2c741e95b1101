package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
)

// plannedSource is what --plan prints of one source.
type plannedSource struct {
	Name       string             `json:"name"`
	Error      string             `json:"error,omitempty"`
	Identity   []connector.Grant  `json:"identity"`
	Streams    []connector.Stream `json:"streams"`
	NeverReads []string           `json:"never_reads"`
	Notes      []string           `json:"notes,omitempty"`
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
		plan = append(plan, plannedSource{
			Name: src.Name, Identity: capabilities.Identity, Streams: capabilities.Streams, NeverReads: capabilities.NeverReads,
		})
	}
	if s.cfg.Images.Read && slices.ContainsFunc(s.sources, func(src collect.Source) bool { return src.Type != typeGitHub }) {
		plan = append(plan, s.plannedImages())
	}
	if opts.output == "json" {
		return writeJSON(sys, plan)
	}
	p := newPrinter(sys, sys.Stdout)
	for _, src := range plan {
		p.line("%s %s", p.title.Render(src.Name), clean(src.Error))
		rows := grantRows("identity", src.Identity)
		var optional []connector.Stream
		for _, stream := range src.Streams {
			name := stream.Name
			if stream.Optional {
				name += " *"
				optional = append(optional, stream)
			}
			rows = append(rows, grantRows(name, stream.Needs)...)
		}
		p.table("  ", rows)
		printOptional(p, optional)
		for _, never := range src.NeverReads {
			p.sentence("  ", "never reads "+never)
		}
		for _, note := range src.Notes {
			p.sentence("  ", note)
		}
	}
	_, err := fmt.Fprintln(opts.people(sys), "Nothing was asked.")
	return err
}

// printOptional says what to add for the streams that are read only where the
// credential may.
func printOptional(p *printer, streams []connector.Stream) {
	if len(streams) == 0 {
		return
	}
	p.sentence("  ", "* is read where the credential may, and a run without it is complete. To give it:")
	var rules []string
	for _, stream := range streams {
		for _, g := range stream.Needs {
			rules = append(rules, g.Rule)
		}
	}
	for _, rule := range mergeRules(rules) {
		p.line("    %s", clean(rule))
	}
}

// grantRows is a row a request: what for, verb, what, where.
func grantRows(name string, grants []connector.Grant) [][]cell {
	var rows [][]cell
	for _, g := range grants {
		what, where := g.Resource, g.Namespace
		if g.Group != "" {
			what = g.Group + "/" + g.Resource
		}
		if where == "" {
			where = "the whole cluster"
		}
		rows = append(rows, []cell{{text: name}, {text: g.Verb}, {text: what}, {text: where}})
		name = ""
	}
	return rows
}
