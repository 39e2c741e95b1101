package kubernetes

import (
	"regexp"
	"strings"
)

// The forms of the names that are written down. Whoever may create objects
// chooses them, and the API checks some of them hardly at all. Lengths are
// compared apart from the patterns, because compiling a bounded repetition costs
// a millisecond at every start of the program.
var (
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$`)
	labelName    = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	clusterName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$`)
	camelCase    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	program      = regexp.MustCompile(`^[A-Za-z0-9._/:-]+$`)
	uuid         = regexp.MustCompile(`^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$`)
)

func isNamespace(s string) bool { return len(s) <= 63 && dnsLabel.MatchString(s) }

// isNamespacePattern takes a '*' at the end of a name too, and not "*" alone.
func isNamespacePattern(s string) bool {
	prefix, pattern := strings.CutSuffix(s, "*")
	return isNamespace(s) || pattern && len(s) <= 63 && isNamespace(strings.TrimRight(prefix, "-"))
}

func isContainer(s string) bool { return isNamespace(s) }

// isObject takes ':' too, which names of RBAC objects have.
func isObject(s string) bool { return len(s) <= 253 && dnsSubdomain.MatchString(s) }

func isKind(s string) bool { return len(s) <= 63 && camelCase.MatchString(s) }

// isUID takes what the API server itself gives to objects.
func isUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && uuid.MatchString(s)
}

func isClusterID(s string) bool { return len(s) <= 253 && clusterName.MatchString(s) }

func isReason(s string) bool { return len(s) <= 64 && camelCase.MatchString(s) }

// isManager takes names of programs, and no addresses: it has no '@'.
func isManager(s string) bool { return len(s) <= 128 && program.MatchString(s) }

// isDataKey takes the keys of ConfigMaps and Secrets. There are many of them, so
// that no pattern is run.
func isDataKey[T string | []byte](s T) bool {
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 253
}

// isLabelKey: a name, with the DNS name of its owner before a slash.
func isLabelKey(s string) bool {
	prefix, name, prefixed := strings.Cut(s, "/")
	if !prefixed {
		prefix, name = "", s
	}
	return (!prefixed || isObject(prefix)) && len(name) <= 63 && labelName.MatchString(name)
}
