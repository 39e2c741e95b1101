package kubernetes

import (
	"bytes"
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

// The rules that are asked for every field and object go without a pattern.

// isFieldName takes the names of fields of the API.
func isFieldName(s []byte) bool {
	for _, b := range s {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63 && (s[0] < '0' || s[0] > '9')
}

// isMapKey takes the keys of labels, of resources and the like.
func isMapKey(s []byte) bool {
	prefix, name, prefixed := bytes.Cut(s, []byte("/"))
	return isDataKey(prefix) && (!prefixed || isDataKey(name) && len(name) <= 63)
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// isLowerWord: memory, cpu.
func isLowerWord(s []byte) bool {
	for _, b := range s {
		if b < 'a' || b > 'z' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63
}

// isLabelName is the name of a container or volume.
func isLabelName(s []byte) bool {
	for _, b := range s {
		if (b < 'a' || b > 'z') && !isDigit(b) && b != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
}

// isEnvName is narrower than the API, which takes nearly any text.
func isEnvName(s []byte) bool {
	for _, b := range s {
		if !isLetter(b) && !isDigit(b) && b != '_' && b != '-' && b != '.' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 253 && !isDigit(s[0])
}

// isMetadataKey is the key of a label or annotation, or the name of a resource: a
// name, with a DNS name before a slash.
func isMetadataKey(s []byte) bool {
	slashes := 0
	for _, b := range s {
		switch {
		case isLetter(b), isDigit(b), b == '_', b == '-', b == '.':
		case b == '/':
			slashes++
		default:
			return false
		}
	}
	return len(s) > 0 && len(s) <= 317 && slashes <= 1 && s[0] != '/' && s[len(s)-1] != '/'
}

// isPlainName takes the names of objects. It is called for every object.
func isPlainName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return s[0] != '-' && s[0] != '.' && s[len(s)-1] != '-' && s[len(s)-1] != '.'
}
