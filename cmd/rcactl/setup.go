package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/builtin"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/secret"
)

// setupFlags say which config, which sources and which state folder to use.
type setupFlags struct {
	config, state string
	connectors    []string
	// Keys of connector configs that can be set by flags people know from kubectl.
	kubeconfig, context string
	namespaces          []string
	selector            string
	// dump is a recording, which is read in place of a cluster.
	dump string
}

func (f *setupFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "config file (default: $RCACTL_CONFIG, ./rcactl.yaml, the user's config folder)")
	flags.StringVar(&f.state, "state", "", "folder for cursors, keys and the ledger (default: the user's state folder)")
	flags.StringSliceVar(&f.connectors, "connector", nil, "only these connectors, by type or type/name; may be repeated")
	flags.StringVar(&f.dump, "dump", "", "read a recording of a cluster (folder, file, .tar.gz) and ask nobody")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl finds it)")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig (default: the current one)")
	flags.StringSliceVarP(&f.namespaces, "namespace", "n", nil, "namespaces to read, \"*\" for all, team-* for some (default: the context's); may be repeated")
	flags.StringVarP(&f.selector, "selector", "l", "", "only workloads with these labels and what belongs to them: team=payments,env!=dev")
}

// overrides are the keys that flags set.
func (f *setupFlags) overrides() map[string][]string {
	set := map[string][]string{}
	if f.kubeconfig != "" {
		set["kubeconfig"] = []string{f.kubeconfig}
	}
	if f.context != "" {
		set["context"] = []string{f.context}
	}
	if len(f.namespaces) > 0 {
		set["namespaces"] = f.namespaces
	}
	if f.selector != "" {
		set["label_selector"] = []string{f.selector}
	}
	if f.dump != "" {
		set["from"] = []string{f.dump}
	}
	return set
}

// setup is what a command needs beside its own flags.
type setup struct {
	cfg *config.Config
	// where says in words where cfg came from.
	where string
	// found says of each source what is read and by which credential.
	found []string
	// note is what was noticed while looking for a config.
	note string
	// unpinned says why what was found cannot be written down.
	unpinned error
	stateDir string
	env      connector.Env
	sources  []collect.Source
	build    Build
}

// folders is a setup for commands that read runs and ask no source: a config is
// used for its folders, and a broken one is no obstacle to verifying.
func (f *setupFlags) folders(sys *System) (*setup, error) {
	s := &setup{cfg: config.Default()}
	found, err := f.find(sys)
	if err != nil {
		return nil, fail(exitUsage, err, "")
	}
	if found.Path != "" {
		if cfg, problems := config.Parse(found.Path, found.Data, configTypes(builtin.Registry())); problems.Errors() == 0 {
			s.cfg = cfg
		}
	}
	return s, f.decideState(sys, s)
}

// decideState decides the state folder: the flag, the config, the user's own.
func (f *setupFlags) decideState(sys *System, s *setup) error {
	switch {
	case f.state != "":
		s.stateDir = sys.abs(f.state)
	case s.cfg.State != "":
		s.stateDir = sys.abs(s.cfg.State)
	default:
		dir, err := sys.stateDir()
		if err != nil {
			return fail(exitUsage, err, "")
		}
		s.stateDir = dir
	}
	return nil
}

// runsDir decides the folder of runs: the flag, the config, the state folder.
func (s *setup) runsDir(sys *System, flag string) string {
	switch {
	case flag != "":
		return sys.abs(flag)
	case s.cfg.Out != "":
		return sys.abs(s.cfg.Out)
	}
	return filepath.Join(s.stateDir, "runs")
}

func (f *setupFlags) find(sys *System) (config.Found, error) {
	return config.Find(config.Search{Flag: sys.abs(f.config), Env: sys.abs(sys.getenv(config.EnvVar)), Dir: sys.Dir, UserDir: sys.UserConfigDir})
}

// setup finds and checks the config, or discovers what there is without one.
func (f *setupFlags) setup(ctx context.Context, sys *System, opts *options) (*setup, error) {
	registry := builtin.Registry()
	s := &setup{build: sys.Build, env: f.env(sys, opts)}
	if f.dump = sys.abs(f.dump); f.dump != "" && (f.kubeconfig != "" || f.context != "") {
		return nil, fail(exitUsage, errors.New("--dump cannot be combined with --kubeconfig or --context: a recording is read and not a cluster"), "choose one")
	}
	found, err := f.find(sys)
	if err != nil {
		return nil, fail(exitUsage, err, "")
	}
	s.note = found.Note
	var problems config.Problems
	if found.Path == "" {
		s.cfg = config.Default()
	} else {
		s.where = fmt.Sprintf("%s (%s)", found.Path, found.Why)
		s.cfg, problems = config.Parse(found.Path, found.Data, configTypes(registry))
		if problems.Errors() > 0 {
			_, _ = fmt.Fprint(sys.Stderr, problems.Text())
			return nil, fail(exitUsage, fmt.Errorf("%s: %s", found.Path, problems.Summary()), "rcactl validate "+found.Path+" shows the same")
		}
	}
	if s.cfg.Connectors == nil {
		if err := f.discover(ctx, registry, s); err != nil {
			return nil, err
		}
	}
	if err := f.choose(registry, s); err != nil {
		return nil, err
	}
	return s, f.decideState(sys, s)
}

// env is what connectors get. --kubeconfig is heard by whatever reads KUBECONFIG.
func (f *setupFlags) env(sys *System, opts *options) connector.Env {
	lookup := func(name string) (string, bool) {
		if name == "KUBECONFIG" && f.kubeconfig != "" {
			return sys.abs(f.kubeconfig), true
		}
		return sys.LookupEnv(name)
	}
	return connector.Env{
		Secrets: secret.Sources{LookupEnv: sys.LookupEnv}, LookupEnv: lookup,
		Now: sys.Now, Log: opts.logger(sys), UserAgent: "rcactl/" + sys.Build.Version,
	}
}

// configTypes makes connector configs for the config loader.
func configTypes(registry *connector.Registry) config.Types {
	return func(typ string) (any, error) {
		f, err := registry.Lookup(typ)
		if err != nil {
			return nil, err
		}
		return f.New(), nil
	}
}

// discover looks for sources on a machine without a config. A flag that names one
// is taken at its word, whatever else is or is not found.
func (f *setupFlags) discover(ctx context.Context, registry *connector.Registry, s *setup) error {
	for _, typ := range registry.Types() {
		factory, err := registry.Lookup(typ)
		if err != nil || factory.Discover == nil {
			continue
		}
		cfg, err := factory.Discover(ctx, s.env)
		switch {
		case err == nil:
		case len(f.overrides()) > 0:
			cfg = factory.New()
		case errors.Is(err, connector.ErrNothingFound):
			continue
		default:
			return fail(exitUsage, fmt.Errorf("%s: %w", typ, err), "name another one with --kubeconfig or --context")
		}
		s.cfg.Connectors = append(s.cfg.Connectors, config.Instance{Key: typ, Type: typ, Config: cfg})
	}
	return nil
}

// choose turns the instances into sources: those of --connector, with the flags
// applied.
func (f *setupFlags) choose(registry *connector.Registry, s *setup) error {
	if err := f.checkConnectors(registry, s.cfg.Connectors); err != nil {
		return err
	}
	for _, instance := range s.cfg.Connectors {
		if len(f.connectors) > 0 && !slices.ContainsFunc(f.connectors, func(want string) bool { return matches(want, instance) }) {
			continue
		}
		src, err := f.source(s, instance)
		if err != nil {
			return err
		}
		s.sources = append(s.sources, src)
	}
	if f.dump != "" && len(s.sources) > 1 {
		return fail(exitUsage, fmt.Errorf("--dump is one recording, and %d sources would read it", len(s.sources)), "choose one with --connector")
	}
	return nil
}

// checkConnectors sees to it that each --connector names an instance.
func (f *setupFlags) checkConnectors(registry *connector.Registry, instances []config.Instance) error {
	for _, want := range f.connectors {
		if slices.ContainsFunc(instances, func(i config.Instance) bool { return matches(want, i) }) {
			continue
		}
		typ, _, _ := strings.Cut(want, "/")
		if _, err := registry.Lookup(typ); err != nil {
			return fail(exitUsage, fmt.Errorf("--connector: %w", err), "")
		}
		return fail(exitUsage, fmt.Errorf("--connector %s: no such source is configured or found", want), "name it under connectors: in a config")
	}
	return nil
}

// source applies the flags to one instance. A run of chosen namespaces or labels is
// one of its own, which leaves the cursor alone.
func (f *setupFlags) source(s *setup, instance config.Instance) (collect.Source, error) {
	cfg, ok := instance.Config.(connector.Config)
	if !ok {
		return collect.Source{}, fail(exitFailed, fmt.Errorf("%s: its config is a %T and makes no connector", instance.Key, instance.Config), "")
	}
	src := collect.Source{Name: instance.Key, Type: instance.Type, Config: cfg}
	if setter, ok := cfg.(connector.Setter); ok {
		for key, values := range f.overrides() {
			if setter.Set(key, values...) && (key == "namespaces" || key == "label_selector" || key == "from") {
				src.Narrowed = true
			}
		}
		if err := cfg.Validate(); err != nil {
			hint := ""
			if field := (*connector.FieldError)(nil); errors.As(err, &field) {
				hint = field.Hint
			}
			return collect.Source{}, fail(exitUsage, fmt.Errorf("%s: %w", instance.Key, err), hint)
		}
	}
	if describer, ok := cfg.(connector.Describer); ok {
		what, err := describer.Describe(s.env)
		switch {
		case err == nil:
			s.found = append(s.found, instance.Key+": "+what)
		case s.where == "" || f.dump != "":
			return collect.Source{}, fail(exitUsage, fmt.Errorf("%s: %w", instance.Key, err), "")
		}
	}
	if pinner, ok := cfg.(connector.Pinner); ok && s.where == "" {
		// The context is part of what is read: after another one was chosen, the
		// cursor starts anew and says so. What cannot be written down can be read.
		s.unpinned = errors.Join(s.unpinned, pinner.Pin(s.env))
	}
	var err error
	if src.ConfigDigest, err = collect.ConfigDigest(cfg); err != nil {
		return collect.Source{}, fail(exitFailed, err, "")
	}
	return src, nil
}

// nothingToAsk says that there is no source, and how to name one.
func (s *setup) nothingToAsk() error {
	if s.where != "" {
		return fail(exitUsage, fmt.Errorf("there is nothing to ask: %s configures no connector", s.where), "add one under connectors:")
	}
	if len(builtin.Registry().Types()) == 0 {
		return fail(exitUsage, errors.New("there is nothing to ask: this build has no connector"), "build without the tag rcactl_minimal, or add one such as rcactl_kubernetes")
	}
	return fail(exitUsage, errors.New("there is nothing to ask: no config, no kubeconfig with a current context, and this is not a pod with a ServiceAccount"),
		"name a kubeconfig with --kubeconfig, or write a config; rcactl validate --print-config shows one")
}

// matches reports whether --connector names an instance, by its key or its type.
func matches(want string, i config.Instance) bool { return want == i.Key || want == i.Type }

// printFound says what will be asked, and where that was found. writeDown is the
// command that makes a config of it.
func (s *setup) printFound(p *printer, writeDown string) {
	if s.where != "" {
		p.line("%s", p.dim.Render(clean("config "+s.where)))
	}
	if s.note != "" {
		p.line("  %s %s", p.warn.Render(p.markWarn), clean(s.note))
	}
	for _, found := range s.found {
		p.line("  %s", clean(found))
	}
	if s.where == "" && len(s.found) > 0 && writeDown != "" {
		p.line("  %s", p.dim.Render("no config; to write this one down: "+clean(writeDown)))
	}
}

// chosen are the flags that chose what is read, such that they can be pasted.
func (f *setupFlags) chosen() string {
	text := ""
	add := func(flag, value string) {
		if value != "" {
			text += " --" + flag + " " + shellQuote(value)
		}
	}
	add("kubeconfig", f.kubeconfig)
	add("context", f.context)
	add("dump", f.dump)
	add("namespace", strings.Join(f.namespaces, ","))
	add("selector", f.selector)
	return text
}

// options prepares a run.
func (s *setup) options(ctx context.Context, keys *keyring) (collect.Options, error) {
	key, err := keys.pseudonym(ctx, s.cfg.Redaction.Key)
	if err != nil {
		return collect.Options{}, err
	}
	policy := redact.Policy{Personal: s.cfg.Redaction.Personal, Identifiers: s.cfg.Redaction.Identifiers}
	redactor, err := redact.Compile(policy, key)
	if err != nil {
		return collect.Options{}, err
	}
	signer, err := keys.signer(ctx, s.cfg.Signing.Key, s.cfg.Signing.Password)
	if err != nil {
		return collect.Options{}, err
	}
	digest, err := s.cfg.Digest()
	if err != nil {
		return collect.Options{}, err
	}
	env := s.env
	env.Fingerprints = key.Fingerprints
	return collect.Options{
		Sources: s.sources, Env: env,
		Since: s.cfg.DefaultSince, Timeout: s.cfg.Timeout,
		StateDir: s.stateDir,
		Redactor: redactor, Signer: signer,
		Collector: manifest.Collector{
			Name: "rcactl", Version: s.build.Version, Commit: s.build.Commit, GoVersion: s.build.Go,
			ConfigDigest: manifest.Digest{SHA256: digest},
		},
		Now: keys.sys.Now, Rand: keys.sys.Rand,
	}, nil
}
