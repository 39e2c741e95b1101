package github

import "github.com/rcactl/rcactl/pkg/record"

// RepositoryNames implements connector.RepositoryNamer.
func (c *Config) RepositoryNames() (names []string) {
	at, err := c.endpoint()
	if err != nil {
		return nil
	}
	for _, repository := range c.Repositories {
		if name := record.RepositoryName(at.host + "/" + repository); name != "" {
			names = append(names, name)
		}
	}
	return names
}
