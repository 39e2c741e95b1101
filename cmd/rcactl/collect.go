package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
)

// collectFlags are the flags of collect.
type collectFlags struct {
	setupFlags
	since, from, to string
	services        []string
	out             string
	timeout         string
	plan            bool
	ledgerInit      bool
}

func newCollect(sys *System, opts *options) *cobra.Command {
	f := &collectFlags{}
	cmd := &cobra.Command{
		Use:   "collect [--since 2h | --from T --to T]",
		Short: "Ask the sources once what changed and what hurt, and sign the answer",
		Long: long(`
Asks every configured source, once and read-only, what changed and what hurt in a
window of time. Without a config it takes the cluster that kubectl would take and,
where there is a GITHUB_TOKEN or GH_TOKEN, the repositories that its workloads and
images name. Registries are asked only where this machine has a login, or where
--registry says so.

With --dump it reads what "kubectl get -o json", "kubectl cluster-info dump", "oc adm
must-gather" or a support bundle recorded, and asks nobody, but for GitHub and
registries that flags name. --since then counts back from when the recording was made.

Without --since, --from or --to the window reaches from where the last run ended
(its cursor) to now, and the cursor moves. With them it is exactly the window that
you name, and no cursor moves.

The run is a directory with evidence/*.jsonl, actions.jsonl (all that was asked),
manifest.json and its signature. Its path is the only line on stdout.`,
			exitComplete, exitFailed, exitUsage, exitPartial, exitUnverified, exitInterrupted),
		Example: `  rcactl collect --since 2h
  rcactl collect --from "2026-01-31 14:00" --to "2026-01-31 15:30" --namespace shop
  rcactl collect --since 30m --selector team=payments,env!=dev
  rcactl collect --config /etc/rcactl/config.yaml --state /var/lib/rcactl   as a CronJob
  rcactl collect --since 1h --output json | jq .outcome
  rcactl collect --dump must-gather.tar.gz --since 6h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), sys, opts) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "window from this long ago to now: 30m, 2h, 7d")
	flags.StringVar(&f.from, "from", "", "window from this time: RFC 3339, \"2026-01-31 14:00\" (UTC), or 2h (ago)")
	flags.StringVar(&f.to, "to", "", "window to this time (default now); needs --from")
	flags.StringSliceVar(&f.services, "service", nil, "only these services, as namespace/name; may be repeated")
	flags.StringVar(&f.out, "out", "", "folder for runs (default: runs in the state folder)")
	flags.StringVar(&f.timeout, "timeout", "", "bound of the whole run (default 2m)")
	flags.BoolVar(&f.plan, "plan", false, "show what would be asked, and ask nothing")
	flags.BoolVar(&f.ledgerInit, "ledger-init", false, "start a new ledger where the old head is missing")
	return cmd
}

func (f *collectFlags) run(ctx context.Context, sys *System, opts *options) error {
	now := sys.Now()
	w, explicit, err := window.Parse(f.since, f.from, f.to, now)
	if err != nil {
		return fail(exitUsage, err, "")
	}
	var timeout time.Duration
	if f.timeout != "" {
		if timeout, err = window.ParseDuration(f.timeout); err != nil {
			return fail(exitUsage, fmt.Errorf("--timeout: %w", err), "")
		}
	}
	for _, service := range f.services {
		if ns, name, ok := strings.Cut(service, "/"); !ok || ns == "" || name == "" || strings.Contains(name, "/") {
			return fail(exitUsage, fmt.Errorf("--service %s: write namespace/name, for example shop/checkout", service), "")
		}
	}
	s, err := f.setup(ctx, sys, opts)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(s.sources, isOffline) {
		// A recording is read object by object, and nobody waits for a server: less
		// memory is worth more than the time of the collector.
		debug.SetGCPercent(50)
	}
	p := newPrinter(sys, opts.people(sys))
	s.printFound(p, "rcactl validate --print-config"+f.chosen()+" > rcactl.yaml")
	if len(s.sources) == 0 {
		return s.nothingToAsk()
	}
	if f.plan {
		return s.printPlan(ctx, sys, opts)
	}

	keys := &keyring{sys: sys, secrets: s.env.Secrets, stateDir: s.stateDir}
	o, err := s.options(ctx, keys)
	if err != nil {
		return fail(exitFailed, err, "")
	}
	if explicit {
		o.Window, o.Relative = &w, f.since != ""
	}
	o.Scope.Services = f.services
	o.RunsDir = s.runsDir(sys, f.out)
	o.LedgerInit = f.ledgerInit
	if timeout > 0 {
		o.Timeout = timeout
	}
	for _, sentence := range keys.made {
		p.line("  %s", p.dim.Render(sentence))
	}
	var seen timeline
	if !opts.quiet {
		o.Evidence = seen.add
	}
	o.Waiting = func(pid int) {
		p.line("  waiting for another rcactl that uses this state folder%s", processText(pid))
	}
	o.Observe = func(pr collect.Progress) { printProgress(p, pr) }

	out, err := collect.Run(ctx, o)
	var leak *collect.LeakError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &leak):
		return fail(exitUnverified, err, "nothing was signed and no cursor moved; look at the file in the quarantined folder and report the field that let it through")
	case err != nil && out.Dir != "":
		return fail(exitFailed, err, "the run itself is in place, in "+out.Dir+"; the next one asks for the same window again")
	case err != nil:
		return fail(exitFailed, err, "")
	}
	if !opts.quiet {
		p.line("")
		seen.tied = seen.tied || triedToTie(out.Statement)
		changes, hurts := whatWasRead(out.Statement)
		seen.painless = !hurts
		seen.print(p, out.Window, changes)
		printCoverage(p, out, seen.registryHint(o.Images.Off)...)
	}
	if err := printOutcome(sys, opts, p, out, f.verifyHint(out)); err != nil {
		return err
	}
	if opts.quiet {
		printTrouble(sys.Stderr, out)
	}
	return outcomeError(out)
}

// verifyHint is the command that checks the run, such that it can be pasted.
func (f *collectFlags) verifyHint(out collect.Outcome) string {
	hint := "rcactl manifest verify"
	if f.config != "" {
		hint += " --config " + shellQuote(f.config)
	}
	if f.state != "" {
		hint += " --state " + shellQuote(f.state)
	}
	if f.out != "" {
		return hint + " " + shellQuote(out.Dir)
	}
	return hint + " " + filepath.Base(out.Dir)
}

// outcomeError turns a run that is not complete into its exit code. Everything
// there is to say about it was said.
func outcomeError(out collect.Outcome) error {
	status := out.Statement.Predicate.Outcome
	code := exitComplete
	switch status {
	case manifest.OutcomePartial:
		code = exitPartial
	case manifest.OutcomeFailed:
		code = exitFailed
	}
	if code == exitComplete {
		return nil
	}
	return &codedError{code: code, err: fmt.Errorf("the run is %s: %w", status, errSilent), quiet: true}
}

// printProgress says that a source ended. One line each; no moving parts, so that
// logs stay readable.
func printProgress(p *printer, pr collect.Progress) {
	switch {
	case pr.Status == "":
		return
	case pr.Nothing != "":
		p.line("  %-12s %s %s", pr.Source, p.warn.Render(p.markWarn), clean(pr.Nothing))
		return
	}
	switch pr.Status {
	case connector.Complete:
		p.line("  %-12s %s %s", pr.Source, p.good.Render(p.markOK), p.dim.Render(clean(progressText(pr))))
	case connector.Skipped:
		p.line("  %-12s %s %s", pr.Source, p.markWarn, clean("not asked: "+pr.Error))
	case connector.Partial:
		p.line("  %-12s %s %s", pr.Source, p.warn.Render(p.markWarn), clean("partial: "+progressText(pr)))
	default:
		p.line("  %-12s %s %s", pr.Source, p.bad.Render(p.markFailure), clean("failed: "+pr.Error))
	}
}

func progressText(pr collect.Progress) string {
	asked := plural(int64(pr.Requests), "request")
	if pr.Recorded {
		asked = "nothing asked"
	}
	text := fmt.Sprintf("%s · %s · %.1f s", plural(int64(pr.Records), "record"), asked, pr.Took.Seconds())
	if pr.Version != "" {
		text = pr.Version + " · " + text
	}
	if pr.Skew != 0 {
		text += fmt.Sprintf(" · its clock is %s ours", ahead(pr.Skew))
	}
	if pr.Error != "" {
		text += " · " + pr.Error
	}
	return text
}

func processText(pid int) string {
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// ahead says how far a clock is from ours: "3s ahead of", "2m0s behind".
func ahead(skew time.Duration) string {
	if skew < 0 {
		return (-skew).Round(time.Second).String() + " behind"
	}
	return skew.Round(time.Second).String() + " ahead of"
}

// printTrouble says in a line each why sources are not complete: errors are shown
// with --quiet too.
func printTrouble(w io.Writer, out collect.Outcome) {
	for _, src := range out.Statement.Predicate.Sources {
		if src.Status != manifest.StatusFailed && src.Status != manifest.StatusPartial {
			continue
		}
		why := src.Error
		for _, stream := range src.Streams {
			if why == "" && stream.Status != manifest.StatusComplete {
				why = stream.Name + ": " + stream.Reason
			}
		}
		_, _ = fmt.Fprintf(w, "rcactl: error: %s\n", clean(fmt.Sprintf("%s is %s: %s", src.Name, src.Status, why)))
	}
}

// printCoverage says what is not known, what failed first. What no look like this
// one can know is counted. more are further sentences.
func printCoverage(p *printer, out collect.Outcome, more ...string) {
	var failed, rules, short, images, notes []string
	for _, src := range out.Statement.Predicate.Sources {
		if src.Type == typeImages {
			images = append(images, src.Notes...) // which say more than its stream
			continue
		}
		short = append(short, notRead(src)...)
		failed = append(failed, failures(src)...)
		for _, st := range src.Streams {
			text := src.Name + " " + st.Name
			switch {
			case st.Status == manifest.StatusSkipped, st.Status == manifest.StatusComplete && len(st.Missing) > 0:
			case st.Status != manifest.StatusComplete:
				for _, m := range st.Missing {
					rules = append(rules, m.Grant)
				}
			case st.Reason != "":
				if a := st.Answered; a != nil && st.Asked != nil && a.Start.After(st.Asked.Start) && a.Start.Before(a.End.Add(-time.Second)) {
					text += " before " + a.Start.UTC().Format("2006-01-02 15:04:05")
				}
				short = append(short, text+": "+st.Reason)
			}
		}
		for _, note := range src.Notes {
			if !slices.Contains(out.Routine, note) {
				notes = append(notes, note)
			}
		}
	}
	if untied := untied(out.Statement.Predicate.Correlation, len(images) > 0); len(untied) > 0 {
		short = append(short, "commits: "+strings.Join(untied, "; "))
	}
	if n := len(out.Routine); n > 0 {
		notes = append(notes, fmt.Sprintf("And what no run like this one knows: %s in rcactl manifest show", plural(int64(n), "note")))
	}
	gaps := slices.Concat(failed, missing(rules), short, images, more, notes)
	if len(gaps) == 0 {
		return
	}
	p.line("%s", p.title.Render("Not known"))
	for _, gap := range gaps {
		p.sentence("  ", gap)
	}
	p.line("")
}

// untied are the notes on what could not be tied. That images were not read is left
// out where it was said of the images.
func untied(c *manifest.Correlation, said bool) []string {
	if c == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Notes), func(note string) bool { return said && correlate.OfUnreadImages(note) })
}

// failures names the streams that were read in part or not at all, in a line for each
// reason. Where a source failed as a whole, its own reason is the one.
func failures(src manifest.Source) []string {
	type why struct {
		status manifest.Status
		reason string
	}
	streams := map[why][]string{}
	var order []why
	for _, st := range src.Streams {
		if st.Status == manifest.StatusComplete || st.Status == manifest.StatusSkipped {
			continue
		}
		w := why{st.Status, st.Reason}
		if w.reason == collect.SourceFailed && src.Error != "" {
			w.reason = src.Error
		}
		if streams[w] == nil {
			order = append(order, w)
		}
		streams[w] = append(streams[w], st.Name)
	}
	var lines []string
	for _, w := range order {
		what := src.Name + " " + strings.Join(streams[w], ", ")
		if all := len(streams[w]); all > 1 && all == len(src.Streams) {
			what = src.Name
		}
		lines = append(lines, what+", "+string(w.status)+": "+w.reason)
	}
	return lines
}

// typeImages is the type of the source that stands for registries.
const typeImages = "oci"

// triedToTie reports whether a source of history or of images answered, so that a
// deployment without a commit is worth a word.
func triedToTie(s manifest.Statement) bool {
	return slices.ContainsFunc(s.Predicate.Sources, func(src manifest.Source) bool {
		known := src.Status == manifest.StatusComplete || src.Status == manifest.StatusPartial
		return known && (src.Type == typeGitHub || src.Type == typeImages)
	})
}

// whatWasRead reports whether a source was read that could have told of a change,
// and one that could have told of what hurts: GitHub knows no symptoms. Of a source
// that answered, and had nothing that it may be read for, nothing is known.
func whatWasRead(s manifest.Statement) (changes, hurts bool) {
	for _, src := range s.Predicate.Sources {
		if src.Type == typeImages || src.Status == manifest.StatusFailed || src.Status == manifest.StatusSkipped {
			continue
		}
		if !slices.ContainsFunc(src.Streams, func(st manifest.Stream) bool {
			return st.Status == manifest.StatusComplete || st.Status == manifest.StatusPartial
		}) {
			continue
		}
		changes, hurts = true, hurts || src.Type != typeGitHub
	}
	return changes, hurts
}

// maxMissing is how many rules are shown.
const maxMissing = 12

// missing shows the rules to add.
func missing(rules []string) []string {
	var lines []string
	for _, rule := range mergeRules(rules) {
		if len(lines) == maxMissing {
			return append(lines, "  and more: rcactl collect --plan --output json shows them")
		}
		lines = append(lines, "  missing: "+rule)
	}
	return lines
}

// mergeRules makes one rule of those that differ in their resources alone, as RBAC
// allows.
func mergeRules(rules []string) []string {
	const open = "resources: ["
	var merged []string
	at := map[string]int{}
	for _, rule := range rules {
		head, rest, ok := strings.Cut(rule, open)
		resource, tail, closed := strings.Cut(rest, "]")
		if rule == "" || slices.Contains(merged, rule) {
			continue
		}
		i, same := at[head+open+tail]
		if !ok || !closed || !same {
			at[head+open+tail] = len(merged)
			merged = append(merged, rule)
			continue
		}
		before, after, _ := strings.Cut(merged[i], "]"+tail)
		if !strings.Contains(before, resource) {
			merged[i] = before + ", " + resource + "]" + tail + after
		}
	}
	return merged
}

// notRead names the streams that were left out without a gap, in a line for each
// reason.
func notRead(src manifest.Source) []string {
	const noGrant = "no grant; rcactl collect --plan shows the rules"
	streams := map[string][]string{}
	var reasons []string
	for _, st := range src.Streams {
		name, why := st.Name, st.Reason
		switch {
		case st.Status == manifest.StatusComplete && len(st.Missing) > 0:
			name, why = name+" in part", noGrant
		case st.Status != manifest.StatusSkipped:
			continue
		case len(st.Missing) > 0:
			why = noGrant
		}
		if streams[why] == nil {
			reasons = append(reasons, why)
		}
		streams[why] = append(streams[why], name)
	}
	lines := make([]string, 0, len(reasons))
	for _, why := range reasons {
		if all := len(streams[why]); all > 1 && all == len(src.Streams) && why != noGrant {
			lines = append(lines, src.Name+" not read: "+why)
			continue
		}
		lines = append(lines, fmt.Sprintf("%s not read: %s (%s)", src.Name, strings.Join(streams[why], ", "), why))
	}
	return lines
}

// runSummary is what --output json prints of a run.
type runSummary struct {
	Directory string             `json:"directory"`
	Name      string             `json:"name"`
	Outcome   manifest.Outcome   `json:"outcome"`
	Window    window.Window      `json:"window"`
	Events    int                `json:"events"`
	Repeated  int                `json:"repeated"`
	Signed    bool               `json:"signed"`
	Ledger    ledgerSummary      `json:"ledger"`
	Statement manifest.Statement `json:"manifest"`
	ExitCode  int                `json:"exit_code"`
}

type ledgerSummary struct {
	Sequence manifest.Number `json:"sequence"`
	Head     string          `json:"head"`
	Genesis  bool            `json:"genesis"`
}

// printOutcome writes the data to stdout, and where it is to stderr.
func printOutcome(sys *System, opts *options, p *printer, out collect.Outcome, hint string) error {
	signed := out.Statement.Predicate.Signing != nil
	name := filepath.Base(out.Dir)
	genesis := ""
	if out.Genesis {
		genesis = ", the first of a new ledger"
	}
	word := "signed"
	if !signed {
		word = "not signed"
	}
	p.line("%s", p.dim.Render(out.Head.String()+genesis))
	p.line("%s · %s · %s · %s", out.Statement.Predicate.Outcome, plural(int64(out.Events), "event"), word, hint)
	if opts.output == "json" {
		code := codeOf(outcomeError(out))
		return writeJSON(sys, runSummary{
			Directory: out.Dir, Name: name, Outcome: out.Statement.Predicate.Outcome, Window: out.Window,
			Events: out.Events, Repeated: out.Repeated, Signed: signed,
			Ledger:    ledgerSummary{manifest.Number(out.Head.Sequence), "sha256:" + out.Head.Digest, out.Genesis},
			Statement: out.Statement, ExitCode: code,
		})
	}
	_, err := fmt.Fprintln(sys.Stdout, out.Dir)
	return err
}

// writeJSON writes one document to stdout.
func writeJSON(sys *System, v any) error {
	enc := json.NewEncoder(sys.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// isOffline reports whether a source is a recording.
func isOffline(s collect.Source) bool {
	o, ok := s.Config.(connector.Offline)
	return ok && o.Offline()
}
