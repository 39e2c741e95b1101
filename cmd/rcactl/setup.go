package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	// repositories are those that a source of history reads; registries may be asked
	// beside those of the config, and noImages asks none.
	repositories, registries []string
	noImages                 bool
}

func (f *setupFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "config file (default: $RCACTL_CONFIG, ./rcactl.yaml, the user's config folder)")
	flags.StringVar(&f.state, "state", "", "folder for cursors, keys and the ledger (default: the user's state folder)")
	flags.StringSliceVar(&f.connectors, "connector", nil, "only these connectors, by type or type/name; may be repeated")
	flags.StringVar(&f.dump, "dump", "", "read a recording of a cluster (folder, file, .tar.gz) and ask nobody that no flag names")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl finds it)")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig (default: the current one)")
	flags.StringSliceVarP(&f.namespaces, "namespace", "n", nil, "namespaces to read, \"*\" for all, team-* for some (default: the context's); may be repeated")
	flags.StringSliceVar(&f.repositories, "repository", nil, "repositories on GitHub to read, as owner/name (default: those that workloads and images name); may be repeated")
	flags.StringSliceVar(&f.registries, "registry", nil, "registries that may be asked what images say of their source code, beside those there is a login for: ghcr.io, ghcr.io/acme; may be repeated")
	flags.BoolVar(&f.noImages, "no-images", false, "ask no registry")
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
	if len(f.repositories) > 0 {
		set["repositories"] = f.repositories
	}
	return set
}

// apply sets the keys that a config has, and says which those are.
func (f *setupFlags) apply(cfg connector.Config) (keys []string) {
	setter, ok := cfg.(connector.Setter)
	if !ok {
		return nil
	}
	overrides := f.overrides()
	for _, key := range slices.Sorted(maps.Keys(overrides)) {
		if setter.Set(key, overrides[key]...) {
			keys = append(keys, key)
		}
	}
	return keys
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
	// dockerConfig has logins of registries; registries are those that may be asked.
	dockerConfig string
	registries   []string
	// hints are what could be asked beside, and how.
	hints []string
	// absent says of a type of source why none was found on this machine.
	absent   map[string]error
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
	s := &setup{build: sys.Build, env: f.env(sys, opts), absent: map[string]error{}}
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
	if err := f.applyImages(sys, s.cfg); err != nil {
		return nil, err
	}
	s.dockerConfig, s.registries = sys.dockerConfig(), allowedRegistries(sys, s.cfg)
	if s.cfg.Connectors == nil {
		if err := f.discover(ctx, registry, s); err != nil {
			return nil, err
		}
	}
	if err := f.choose(registry, s); err != nil {
		return nil, err
	}
	f.hint(registry, s)
	return s, f.decideState(sys, s)
}

// hint says what could be asked as well, to somebody who named nothing.
func (f *setupFlags) hint(registry *connector.Registry, s *setup) {
	if s.where != "" || f.dump != "" || len(f.connectors) > 0 || len(s.sources) == 0 {
		return
	}
	_, err := registry.Lookup(typeGitHub)
	has := slices.ContainsFunc(s.sources, func(src collect.Source) bool { return src.Type == typeGitHub })
	switch {
	case err == nil && !has && s.absent[typeGitHub] != nil && s.namesGitHub():
		s.hints = append(s.hints, "github not asked: "+s.absent[typeGitHub].Error())
	case err == nil && !has:
		s.hints = append(s.hints, "github not asked: set GITHUB_TOKEN (read-only) to tie deployments to commits")
	case has && len(s.sources) > 1 && len(f.repositories) == 0:
		s.hints = append(s.hints, "to leave github out: --connector kubernetes")
	}
}

// namesGitHub reports whether the environment says which GitHub is meant: then the
// token of github.com is not what is missing.
func (s *setup) namesGitHub() bool {
	return slices.ContainsFunc([]string{"GH_HOST", "GITHUB_API_URL"}, func(name string) bool {
		value, _ := s.env.LookupEnv(name)
		return value != ""
	})
}

// typeKubernetes is the type of the source that reads clusters.
const typeKubernetes = "kubernetes"

// typeGitHub is the type of the source that knows the history of source code.
const typeGitHub = "github"

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
		WorkDir: sys.Dir,
		Now:     sys.Now, Log: opts.logger(sys), UserAgent: "rcactl/" + sys.Build.Version,
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
// is taken at its word, whatever else is or is not found. One that was found and
// cannot be used hides no other: alone it is the error of the command, beside
// others it is a source that failed.
func (f *setupFlags) discover(ctx context.Context, registry *connector.Registry, s *setup) error {
	var broken []config.Instance
	for _, typ := range registry.Types() {
		factory, err := registry.Lookup(typ)
		if err != nil || factory.Discover == nil || len(f.connectors) > 0 && !slices.Contains(f.connectors, typ) {
			continue
		}
		cfg, err := factory.Discover(ctx, s.env)
		switch {
		case err == nil:
		case len(f.apply(factory.New())) > 0:
			cfg = factory.New()
		case errors.Is(err, connector.ErrNothingFound):
			s.absent[typ] = err
			continue
		default:
			broken = append(broken, config.Instance{Key: typ, Type: typ, Config: &unusable{err: err}})
			continue
		}
		s.cfg.Connectors = append(s.cfg.Connectors, config.Instance{Key: typ, Type: typ, Config: cfg})
	}
	s.cfg.Connectors = append(s.cfg.Connectors, broken...)
	slices.SortStableFunc(s.cfg.Connectors, func(a, b config.Instance) int {
		return cmp.Compare(slices.Index(registry.Types(), a.Type), slices.Index(registry.Types(), b.Type))
	})
	return nil
}

// unusable stands for a source that was found on this machine and cannot be used.
type unusable struct{ err error }

// Validate implements connector.Config.
func (u *unusable) Validate() error { return nil }

// Connect implements connector.Config.
func (u *unusable) Connect(context.Context, connector.Env) (connector.Connector, error) {
	return nil, connector.Errorf(connector.ClassConfig, u.err, "%v", u.err)
}

// choose turns the instances into sources: those of --connector, with the flags
// applied.
func (f *setupFlags) choose(registry *connector.Registry, s *setup) error {
	if err := f.checkConnectors(registry, s); err != nil {
		return err
	}
	for _, instance := range s.cfg.Connectors {
		if len(f.connectors) > 0 && !slices.ContainsFunc(f.connectors, func(want string) bool { return matches(want, instance) }) {
			continue
		}
		if !f.asksBeside(instance) {
			continue
		}
		src, err := f.source(s, instance)
		if err != nil {
			return err
		}
		s.sources = append(s.sources, src)
	}
	if err := f.checkRecording(s); err != nil {
		return err
	}
	return checkUsable(s)
}

// asksBeside reports whether a source is asked beside a recording, if one is read:
// the source that reads it, and those that a flag names.
func (f *setupFlags) asksBeside(i config.Instance) bool {
	if f.dump == "" || len(f.connectors) > 0 {
		return true
	}
	cfg, ok := i.Config.(connector.Config)
	return !ok || len(f.apply(cfg)) > 0
}

// checkRecording sees to it that one source reads the recording.
func (f *setupFlags) checkRecording(s *setup) error {
	readers := 0
	for _, src := range s.sources {
		if isOffline(src) {
			readers++
		}
	}
	if f.dump != "" && readers > 1 {
		return fail(exitUsage, fmt.Errorf("--dump is one recording, and %d sources would read it", readers), "choose one with --connector")
	}
	return nil
}

// checkUsable refuses to begin when nothing that was found can be used.
func checkUsable(s *setup) error {
	var first error
	for _, src := range s.sources {
		broken, ok := src.Config.(*unusable)
		if !ok {
			return nil
		}
		if first == nil {
			hint := ""
			if src.Type == typeKubernetes {
				hint = "name another one with --kubeconfig or --context"
			}
			first = fail(exitUsage, fmt.Errorf("%s: %w", src.Name, broken.err), hint)
		}
	}
	return first
}

// checkConnectors sees to it that each --connector names an instance.
func (f *setupFlags) checkConnectors(registry *connector.Registry, s *setup) error {
	for _, want := range f.connectors {
		if slices.ContainsFunc(s.cfg.Connectors, func(i config.Instance) bool { return matches(want, i) }) {
			continue
		}
		if err := s.absent[want]; err != nil {
			return fail(exitUsage, fmt.Errorf("--connector %s: %w", want, err), "")
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
	if broken, ok := cfg.(*unusable); ok {
		s.found = append(s.found, instance.Key+": cannot be used: "+broken.err.Error())
		s.unpinned = errors.Join(s.unpinned, fmt.Errorf("%s: %w", instance.Key, broken.err))
	}
	if _, ok := cfg.(connector.Setter); ok {
		src.Narrowed = slices.ContainsFunc(f.apply(cfg), narrows)
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

// narrows reports whether a key that a flag sets makes a run one of its own.
func narrows(key string) bool {
	switch key {
	case "namespaces", "label_selector", "from", "repositories":
		return true
	}
	return false
}

// nothingToAsk says that there is no source, and how to name one.
func (s *setup) nothingToAsk() error {
	if s.where != "" {
		return fail(exitUsage, fmt.Errorf("there is nothing to ask: %s configures no connector", s.where), "add one under connectors:")
	}
	if len(builtin.Registry().Types()) == 0 {
		return fail(exitUsage, errors.New("there is nothing to ask: this build has no connector"), "build without the tag rcactl_minimal, or add one such as rcactl_kubernetes")
	}
	return fail(exitUsage, errors.New("there is nothing to ask: no config, no kubeconfig with a current context, this is not a pod with a ServiceAccount, and there is no GITHUB_TOKEN"),
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
	for _, hint := range s.hints {
		p.line("  %s", p.dim.Render(hint))
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
	add("repository", strings.Join(f.repositories, ","))
	add("registry", strings.Join(f.registries, ","))
	if f.noImages {
		text += " --no-images"
	}
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
	policy := redact.Policy{Personal: s.cfg.Redaction.Personal, Identifiers: s.cfg.Redaction.Identifiers, Text: s.cfg.Redaction.Text}
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
	images, err := s.images(ctx)
	if err != nil {
		return collect.Options{}, err
	}
	env := s.env
	env.Fingerprints = key.Fingerprints
	return collect.Options{
		Sources: s.sources, Env: env,
		Since: s.cfg.DefaultSince, Timeout: s.cfg.Timeout,
		StateDir: s.stateDir,
		Images:   images, Services: services(s.cfg),
		Redactor: redactor, Signer: signer,
		Collector: manifest.Collector{
			Name: "rcactl", Version: s.build.Version, Commit: s.build.Commit, GoVersion: s.build.Go,
			ConfigDigest: manifest.Digest{SHA256: digest},
		},
		Now: keys.sys.Now, Rand: keys.sys.Rand,
	}, nil
}
