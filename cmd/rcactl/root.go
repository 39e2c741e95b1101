package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
)

// options are the flags that every command has.
type options struct {
	output  string
	quiet   bool
	verbose bool
}

// errSilent ends a command whose result was printed already.
var errSilent = errors.New("see above")

func newRoot(sys *System) *cobra.Command {
	opts := &options{}
	root := &cobra.Command{
		Use:   "rcactl",
		Short: "Collect evidence about an incident: what changed, and what hurt",
		Long: `rcactl asks your cluster, once and read-only, what changed and what hurt.
It keeps only what root-cause analysis needs, replaces personal data by keyed
pseudonyms before anything touches a disk, and signs what was, and what was not,
collected.`,
		Example: `  rcactl collect --since 2h          the last two hours, with no config at all
  rcactl validate rcactl.yaml        check a config file, offline
  rcactl manifest verify RUN         check what a run holds`,
		Version:       sys.Build.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if opts.output != "text" && opts.output != "json" {
				return fmt.Errorf("--output %s: choose text or json", opts.output)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	root.SetHelpTemplate(helpTemplate)
	flags := root.PersistentFlags()
	flags.StringVarP(&opts.output, "output", "o", "text", "what stdout carries: text or json")
	flags.BoolVarP(&opts.quiet, "quiet", "q", false, "say nothing but errors on stderr")
	flags.BoolVarP(&opts.verbose, "verbose", "v", false, "log what is done to stderr")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	root.AddCommand(newCollect(sys, opts), newValidate(sys, opts), newManifest(sys, opts))
	root.InitDefaultCompletionCmd()
	return root
}

// helpTemplate is cobra's, with the long text always first.
const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// must is for mistakes in this program's own command table.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// logger writes to stderr with -v, and nowhere without it.
func (o *options) logger(sys *System) *slog.Logger {
	if !o.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(sys.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// people is where text for people goes: stderr, or nowhere with --quiet.
func (o *options) people(sys *System) io.Writer {
	if o.quiet {
		return io.Discard
	}
	return sys.Stderr
}

// long joins the paragraphs of a command's help, the exit codes last.
func long(text string, codes ...exitCode) string {
	return strings.TrimSpace(text) + "\n\n" + exitCodeHelp(codes...)
}
