package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/connector/builtin"
)

func newValidate(sys *System, opts *options) *cobra.Command {
	f := &setupFlags{}
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "validate [FILE...]",
		Short: "Check config files, offline",
		Long: long(`
Checks config files without asking anybody: unknown and repeated keys, types,
ranges, references to credentials. All problems are shown at once, each with file,
line and column. Without FILE it checks the config that rcactl collect would use.
Warnings do not fail.`, exitComplete, exitUsage),
		Example: `  rcactl validate rcactl.yaml
  rcactl validate --output json deploy/*.yaml
  rcactl validate --print-config > rcactl.yaml   write down what was found without a config`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if printConfig {
				return f.printConfig(cmd, sys, opts)
			}
			return f.validate(sys, opts, args)
		},
	}
	cmd.Flags().BoolVar(&printConfig, "print-config", false, "print the effective config, with what was found on this machine")
	f.add(cmd)
	return cmd
}

// validation is what --output json prints.
type validation struct {
	Files    []string        `json:"files"`
	Errors   int             `json:"errors"`
	Warnings int             `json:"warnings"`
	Problems config.Problems `json:"problems"`
}

func (f *setupFlags) validate(sys *System, opts *options, files []string) error {
	var named []config.Found
	for _, file := range files {
		data, err := config.ReadFile(sys.abs(file))
		if err != nil {
			return fail(exitUsage, err, "")
		}
		named = append(named, config.Found{Path: file, Data: data})
	}
	if len(files) == 0 {
		found, err := f.find(sys)
		if err != nil {
			return fail(exitUsage, err, "")
		}
		if found.Path == "" {
			hint := found.Note
			if hint == "" {
				hint = "rcactl works without a config; rcactl validate --print-config > rcactl.yaml writes down what it finds"
			}
			return fail(exitUsage, fmt.Errorf("there is no config to check: name a file, or write %s", config.FileName), hint)
		}
		named = append(named, found)
	}
	v := validation{Problems: config.Problems{}}
	for _, found := range named {
		_, problems := config.Parse(found.Path, found.Data, configTypes(builtin.Registry()))
		v.Files = append(v.Files, found.Path)
		v.Problems = append(v.Problems, problems...)
	}
	v.Errors, v.Warnings = v.Problems.Errors(), v.Problems.Warnings()
	if opts.output == "json" {
		if err := writeJSON(sys, v); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(sys.Stdout, v.Problems.Text()); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(opts.people(sys), "%s: %s\n", plural(int64(len(v.Files)), "file"), v.Problems.Summary())
	if v.Errors > 0 {
		return &codedError{code: exitUsage, err: errSilent, quiet: true}
	}
	return nil
}

// printConfig writes the effective config to stdout.
func (f *setupFlags) printConfig(cmd *cobra.Command, sys *System, opts *options) error {
	s, err := f.setup(cmd.Context(), sys, opts)
	if err != nil {
		return err
	}
	if s.unpinned != nil {
		return fail(exitUsage, s.unpinned, "name one kubeconfig with --kubeconfig")
	}
	if opts.output == "json" {
		return fail(exitUsage, errors.New("--print-config prints YAML; leave out --output json"), "")
	}
	if len(s.cfg.Connectors) == 0 {
		// Nothing was found: show where a connector would stand.
		for _, typ := range builtin.Registry().Types() {
			factory, err := builtin.Registry().Lookup(typ)
			if err != nil {
				return fail(exitFailed, err, "")
			}
			s.cfg.Connectors = append(s.cfg.Connectors, config.Instance{Key: typ, Type: typ, Config: factory.New()})
		}
	}
	text, err := config.Render(s.cfg)
	if err != nil {
		return fail(exitFailed, err, "")
	}
	s.printFound(newPrinter(sys, opts.people(sys)), "")
	_, err = sys.Stdout.Write(text)
	return err
}
