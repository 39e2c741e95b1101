package github

import "github.com/rcactl/rcactl/pkg/connector"

// capabilities says what the config reads and what that needs. kind gives how each
// stream continues; its name and grants are filled in.
func (c *Config) capabilities(kind func(name string) connector.Stream) connector.Capabilities {
	metadata := grant(permissionMetadata)
	metadata.Namespace = c.where()
	out := connector.Capabilities{Identity: []connector.Grant{metadata}, NeverReads: []string{
		"the content of files into evidence (GitHub sends changed lines with the summary of a commit; they are dropped unread)",
		"messages of commits, titles and bodies of pull requests and releases into evidence, unless redaction.text is scrub",
		"names and addresses of people into evidence or onto a disk, but for pseudonyms",
		"secrets, variables, logs and artifacts of workflows",
		"issues, comments, reviews, webhooks, members and settings of repositories",
	}}
	for _, name := range c.streams() {
		stream := kind(name)
		stream.Name, stream.Needs = name, c.needs(name)
		out.Streams = append(out.Streams, stream)
	}
	return out
}
