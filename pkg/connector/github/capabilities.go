package github

import (
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// lateData is how far back a continued stream looks: GitHub shows some things later
// than it dates them.
const lateData = 5 * time.Minute

// Capabilities implements connector.Connector.
func (s *source) Capabilities() connector.Capabilities {
	metadata := grant(permissionMetadata)
	metadata.Namespace = s.cfg.where()
	out := connector.Capabilities{Identity: []connector.Grant{metadata}, NeverReads: []string{
		"the content of files into evidence (GitHub sends changed lines with the summary of a commit; they are dropped unread)",
		"messages of commits, titles and bodies of pull requests and releases into evidence, unless redaction.text is scrub",
		"names and addresses of people into evidence or onto a disk, but for pseudonyms",
		"secrets, variables, logs and artifacts of workflows",
		"issues, comments, reviews, webhooks, members and settings of repositories",
	}}
	for _, name := range s.cfg.streams() {
		out.Streams = append(out.Streams, connector.Stream{Name: name, Needs: s.cfg.needs(name), Incremental: true, Overlap: lateData})
	}
	return out
}
