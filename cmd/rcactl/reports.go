package main

import (
	"fmt"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/rcactl/rcactl/pkg/manifest"
)

// printReports writes what verifications proved to stdout: it is the data of that
// command.
func printReports(sys *System, opts *options, reports []manifest.Report, good bool) error {
	if opts.output == "json" {
		if err := writeJSON(sys, struct {
			Verified bool              `json:"verified"`
			Reports  []manifest.Report `json:"reports"`
		}{good, reports}); err != nil {
			return err
		}
	} else {
		p := newPrinter(sys, sys.Stdout)
		for _, r := range reports {
			printReport(p, r, len(reports) > 1)
		}
	}
	if good {
		return nil
	}
	return fail(exitUnverified, manifest.ErrNotVerified, "do not rely on this run; its findings are above")
}

func printReport(p *printer, r manifest.Report, several bool) {
	if several {
		p.line("%s", p.title.Render(r.Dir))
	}
	var rows [][]cell
	for _, c := range r.Checks {
		style := p.good
		switch c.Status {
		case manifest.CheckFailed:
			style = p.bad
		case manifest.CheckUnsigned, manifest.CheckSkipped:
			style = p.warn
		}
		rows = append(rows, []cell{{text: c.Name}, {c.Status, style}, {text: c.Detail}})
	}
	for _, f := range r.Findings {
		text := f.Message
		if f.File != "" {
			text = f.File + ": " + text
		}
		rows = append(rows, []cell{{"", lipgloss.Style{}}, {p.markFailure, p.bad}, {text: text}})
	}
	for _, text := range r.NotProven {
		rows = append(rows, []cell{{"not proven", p.dim}, {}, {text, p.dim}})
	}
	for _, text := range r.Notes {
		rows = append(rows, []cell{{"note", p.dim}, {}, {text, p.dim}})
	}
	// What is wrong must be read in full, however narrow the terminal.
	unbounded := *p
	unbounded.width = 0
	unbounded.table("", rows)
}

// printRows writes the list of runs to stdout.
func printRows(sys *System, opts *options, rows []manifest.Row) error {
	if opts.output == "json" {
		if rows == nil {
			rows = []manifest.Row{}
		}
		return writeJSON(sys, rows)
	}
	p := newPrinter(sys, sys.Stdout)
	var table [][]cell
	for _, r := range rows {
		if r.Problem != "" {
			table = append(table, []cell{{text: r.Name}, {r.Problem, p.bad}})
			continue
		}
		window := ""
		if r.Window != nil {
			window = r.Window.String()
		}
		signed := "signature"
		if !r.Bundle {
			signed = "no signature"
		}
		table = append(table, []cell{
			{text: r.Name},
			{text: string(r.Outcome)},
			{text: plural(int64(r.Events), "event")},
			{text: r.StartedAt.Format(time.RFC3339)},
			{text: signed},
			{text: window},
		})
	}
	if len(table) == 0 {
		_, _ = fmt.Fprintln(opts.people(sys), "no runs yet")
	}
	p.table("", table)
	return nil
}
