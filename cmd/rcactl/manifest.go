package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/keyfile"
	"github.com/rcactl/rcactl/pkg/manifest"
)

func newManifest(sys *System, opts *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Show, verify and list runs, and make signing keys",
		Long: long(`
A run is a directory with evidence, manifest.json and its signature. These
commands read runs; they never ask a source. RUN is a directory, or the name of a
run in the runs folder, or its sequence number.`, exitComplete, exitFailed, exitUsage, exitUnverified),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVerify(sys, opts), newShow(sys, opts), newList(sys, opts), newKeygen(sys))
	return cmd
}

// runsFlags say where runs and keys are.
type runsFlags struct {
	setupFlags
	out string
}

func (f *runsFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "config file (default: as rcactl collect finds it)")
	flags.StringVar(&f.state, "state", "", "state folder")
	flags.StringVar(&f.out, "out", "", "folder for runs (default: runs in the state folder)")
}

// oneRun asks for exactly one argument.
func oneRun(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return errors.New("name one run; there are several arguments")
	}
	return someRun(cmd, args)
}

// someRun asks for at least one argument.
func someRun(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a run: its directory, its name or its number")
	}
	return nil
}

// complete offers the names of the runs to the shell.
func (f *runsFlags) complete(sys *System) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		s, err := f.folders(sys)
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		rows, err := manifest.List(cmd.Context(), s.runsDir(sys, f.out))
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []cobra.Completion
		for _, r := range rows {
			if r.Problem == "" {
				names = append(names, r.Name)
			}
		}
		return names, cobra.ShellCompDirectiveDefault
	}
}

// runDir finds a run by directory, name or sequence number.
func runDir(sys *System, runs, arg string) (string, error) {
	if info, err := os.Stat(sys.abs(arg)); err == nil && info.IsDir() {
		return sys.abs(arg), nil
	}
	if filepath.Base(arg) == arg {
		if info, err := os.Stat(filepath.Join(runs, arg)); err == nil && info.IsDir() {
			return filepath.Join(runs, arg), nil
		}
		var sequence int64
		if _, err := fmt.Sscanf(arg+"\n", "%d\n", &sequence); err == nil {
			found, _ := filepath.Glob(filepath.Join(runs, fmt.Sprintf("%06d-*", sequence)))
			if len(found) == 1 {
				return found[0], nil
			}
		}
	}
	return "", fmt.Errorf("there is no run %s, neither as a directory nor in %s; rcactl manifest list shows what there is", arg, runs)
}

func newVerify(sys *System, opts *options) *cobra.Command {
	f := &runsFlags{}
	var keys []string
	var head string
	var unsigned, alone, all bool
	cmd := &cobra.Command{
		Use:   "verify RUN...",
		Short: "Check signature, files, completeness and ledger of runs",
		Long: long(`
Checks that the manifest is signed by one of the keys, that every file of the run
is what the manifest says and that there is no other, and that the runs beside it
form an unbroken ledger. It says what it proved and what it did not.

Without --key it takes the public keys in the state folder, which proves nothing to
anybody who does not trust this machine: keep a copy of the key elsewhere.`,
			exitComplete, exitUsage, exitUnverified),
		Example: `  rcactl manifest verify 7
  rcactl manifest verify --key old.pub --key new.pub /evidence/runs/000007-*
  rcactl manifest verify --expect-head sha256:91c0... 7   detects that newer runs were removed`,
		Args: someRun, ValidArgsFunction: f.complete(sys),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.folders(sys)
			if err != nil {
				return err
			}
			public, err := trustedKeys(sys, keys, s.stateDir)
			if err != nil {
				return fail(exitUsage, err, "")
			}
			var reports []manifest.Report
			good := true
			for _, arg := range args {
				dir, err := runDir(sys, s.runsDir(sys, f.out), arg)
				if err != nil {
					return fail(exitUsage, err, "")
				}
				_, report, err := manifest.Verify(cmd.Context(), dir, manifest.Options{
					Keys: public, ExpectHead: head, AllowUnsigned: unsigned, Alone: alone, Runs: all,
				})
				switch {
				case errors.Is(err, manifest.ErrUsage):
					return fail(exitUsage, err, "")
				case err != nil && len(report.Findings) == 0:
					return fail(exitUnverified, err, "")
				}
				good = good && err == nil
				reports = append(reports, report)
			}
			return printReports(sys, opts, reports, good)
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringSliceVar(&keys, "key", nil, "file with a public key (PEM); may be repeated")
	cmd.Flags().StringVar(&head, "expect-head", "", "digest of the newest manifest that you know of: sha256:...")
	cmd.Flags().BoolVar(&alone, "alone", false, "leave out the ledger: for a run that was copied away from the others")
	cmd.Flags().BoolVar(&all, "all", false, "check the files of every run of the ledger, not only of this one")
	cmd.Flags().BoolVar(&unsigned, "allow-unsigned", false, "accept runs without a signature")
	return cmd
}

func newShow(sys *System, opts *options) *cobra.Command {
	f := &runsFlags{}
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show what a run says of itself, without checking it",
		Long: long(`
Shows the manifest of a run: sources, coverage, missing grants, counts, ledger. It
checks nothing; use rcactl manifest verify for that.`, exitComplete, exitFailed, exitUsage),
		Args: oneRun, ValidArgsFunction: f.complete(sys),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := f.folders(sys)
			if err != nil {
				return err
			}
			dir, err := runDir(sys, s.runsDir(sys, f.out), args[0])
			if err != nil {
				return fail(exitUsage, err, "")
			}
			st, _, err := manifest.Read(dir)
			if err != nil {
				return fail(exitFailed, err, "")
			}
			if opts.output == "json" {
				return writeJSON(sys, st)
			}
			printStatement(newPrinter(sys, sys.Stdout), st)
			return nil
		},
	}
	f.addTo(cmd)
	return cmd
}

// printStatement shows a manifest to a person.
func printStatement(p *printer, st manifest.Statement) {
	pr := st.Predicate
	p.line("%s  %s", p.title.Render(pr.Run.Name), pr.Outcome)
	p.line("  %s to %s, rcactl %s", pr.Run.StartedAt.Format(time.RFC3339), pr.Run.FinishedAt.Format(time.RFC3339), pr.Collector.Version)
	if pr.Window != nil {
		p.line("  window %s", pr.Window)
	}
	for _, src := range pr.Sources {
		p.line("")
		p.line("%s  %s", p.title.Render(src.Name), src.Status)
		if src.Error != "" {
			p.line("  %s (%s)", src.Error, src.ErrorClass)
		}
		var rows [][]cell
		for _, stream := range src.Streams {
			answered := ""
			if stream.Answered != nil {
				answered = stream.Answered.String()
			}
			rows = append(rows, []cell{{text: stream.Name}, {text: string(stream.Status)}, {text: plural(int64(stream.Records), "record")}, {text: answered}})
		}
		p.table("  ", rows)
		for _, stream := range src.Streams {
			if stream.Reason != "" {
				p.sentence("  ", stream.Name+": "+stream.Reason)
			}
			for _, m := range stream.Missing {
				p.sentence("    ", fmt.Sprintf("missing: %s %s %s  %s", m.Verb, m.Resource, m.Namespace, m.Grant))
			}
		}
		for _, note := range src.Notes {
			p.sentence("  ", note)
		}
	}
	p.line("")
	for _, s := range st.Subject {
		p.line("%s  %s  %s", s.Digest.SHA256, plural(int64(s.Annotations.Records), "line"), s.Name)
	}
}

func newList(sys *System, opts *options) *cobra.Command {
	f := &runsFlags{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the runs in the runs folder, oldest first",
		Long:  long(`Lists runs by what they say of themselves. It checks nothing.`, exitComplete, exitUsage),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.folders(sys)
			if err != nil {
				return err
			}
			rows, err := manifest.List(cmd.Context(), s.runsDir(sys, f.out))
			if err != nil {
				return fail(exitFailed, err, "")
			}
			return printRows(sys, opts, rows)
		},
	}
	f.addTo(cmd)
	return cmd
}

func newKeygen(sys *System) *cobra.Command {
	var algorithm string
	cmd := &cobra.Command{
		Use:   "keygen PREFIX",
		Short: "Make a signing key: PREFIX.key and PREFIX.pub",
		Long: long(`
Makes a private key (PKCS#8, mode 0600) and its public half (PEM). It never
replaces a file. cosign's own keys (cosign generate-key-pair) work as well.`, exitComplete, exitFailed, exitUsage),
		Example: `  rcactl manifest keygen rcactl
  rcactl manifest keygen --type ed25519 /etc/rcactl/signing`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			alg := dsse.Algorithm(algorithm)
			if alg != dsse.P256 && alg != dsse.Ed25519 {
				return fail(exitUsage, fmt.Errorf("--type %s: choose p256 or ed25519", algorithm), "")
			}
			return keygen(sys, alg, sys.abs(args[0]))
		},
	}
	cmd.Flags().StringVar(&algorithm, "type", string(dsse.P256), "kind of key: p256 or ed25519")
	must(cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"p256", "ed25519"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

func keygen(sys *System, alg dsse.Algorithm, prefix string) error {
	key, err := dsse.GenerateKey(alg, sys.Rand)
	if err != nil {
		return fail(exitFailed, err, "")
	}
	private, err := dsse.MarshalPrivate(key)
	if err != nil {
		return fail(exitFailed, err, "")
	}
	public, err := dsse.MarshalPublic(key.Public())
	if err != nil {
		return fail(exitFailed, err, "")
	}
	if err := keyfile.Create(prefix+".key", 0o600, private); err != nil {
		return fail(exitFailed, err, "choose another prefix")
	}
	if err := keyfile.Create(prefix+".pub", 0o644, public); err != nil {
		return fail(exitFailed, err, "")
	}
	fingerprint, err := dsse.Fingerprint(key.Public())
	if err != nil {
		return fail(exitFailed, err, "")
	}
	_, err = fmt.Fprintf(sys.Stdout, "%s.key\n%s.pub\n%s\n", prefix, prefix, fingerprint)
	return err
}
