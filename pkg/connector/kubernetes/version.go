package kubernetes

import (
	"encoding/json"
	"regexp"
)

var gitVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9A-Za-z.+-]{1,64}$`)

// parseVersion reads the gitVersion of /version; empty when there is none that
// looks like a version.
func parseVersion(body []byte) string {
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if json.Unmarshal(body, &v) != nil || !gitVersion.MatchString(v.GitVersion) {
		return ""
	}
	return v.GitVersion
}
