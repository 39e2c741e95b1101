package github

import (
	"context"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// source is one configured GitHub: what one credential may see of it.
type source struct {
	cfg    *Config
	env    connector.Env
	client *client
	// summaries is how commits are cut down.
	summaries *summarizer
}

// newSource makes the connector. Its error is a *connector.Error of the class
// config.
func newSource(cfg *Config, env connector.Env, c *client) (*source, error) {
	sorter, err := newSorter(cfg)
	if err != nil {
		return nil, err
	}
	return &source{
		cfg: cfg, env: env, client: c,
		summaries: &summarizer{sorter: sorter, people: people{env.Pseudonym}, scrub: env.Scrub},
	}, nil
}

// Collect implements connector.Connector.
func (s *source) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	_, _, _ = ctx, req, emit
	return connector.Result{}, nil
}
