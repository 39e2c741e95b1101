package config

const (
	ruleFileTooLarge      = "file-too-large"
	ruleEmptyFile         = "empty-file"
	ruleYAMLSyntax        = "yaml-syntax"
	ruleTabIndent         = "tab-indent"
	ruleSeveralDocuments  = "several-documents"
	ruleUnknownAnchor     = "unknown-anchor"
	ruleCustomTag         = "custom-tag"
	ruleTooComplex        = "too-complex"
	ruleNonStringKey      = "non-string-key"
	ruleBadMerge          = "bad-merge"
	ruleRepeatedKey       = "repeated-key"
	ruleBadVersion        = "bad-version"
	ruleUnknownKey        = "unknown-key"
	ruleNoSQL             = "no-sql"
	ruleMissingKey        = "missing-key"
	ruleWrongType         = "wrong-type"
	ruleBadDuration       = "bad-duration"
	ruleBadPath           = "bad-path"
	ruleBadValue          = "bad-value"
	ruleNotAllowed        = "not-allowed"
	ruleOutOfRange        = "out-of-range"
	ruleRepeatedItem      = "repeated-item"
	ruleLiteralCredential = "literal-credential" //nolint:gosec // G101: the name of a rule
	ruleBadReference      = "bad-reference"
	ruleUnknownConnector  = "unknown-connector"
	ruleConnectorName     = "connector-name"
	ruleConnectorTwin     = "connector-twin"
	ruleConnectorOmitted  = "connector-omitted"
	ruleConnectorValue    = "connector-value"
	ruleServiceKey        = "service-key"
	ruleBroadScope        = "broad-scope"
	ruleNoExpansion       = "no-expansion"
)

// Rule is one thing that a config file is checked for.
type Rule struct {
	ID       string
	Severity Severity
	// Says is a sentence for the documentation.
	Says string
}

// Rules lists every rule. The ids are stable: suppressions, dashboards and code
// scanning refer to them.
func Rules() []Rule {
	return []Rule{
		{ruleFileTooLarge, Error, "The file is larger than 1 MiB."},
		{ruleEmptyFile, Error, "The file holds nothing but space and comments."},
		{ruleYAMLSyntax, Error, "The file is not YAML."},
		{ruleTabIndent, Error, "A tab where YAML takes spaces only."},
		{ruleSeveralDocuments, Error, "More than one YAML document (`---`) in the file."},
		{ruleUnknownAnchor, Error, "`*name` without an `&name` before it; often text that begins with `*` and lacks quotes. The name is not shown, as it may be a credential."},
		{ruleCustomTag, Error, "A YAML tag (`!name`) other than the plain ones; often text that begins with `!` and lacks quotes. The tag is not shown, as it may be a credential."},
		{ruleTooComplex, Error, "More than 10000 values or 64 levels once aliases are followed, or an alias inside its own anchor."},
		{ruleNonStringKey, Error, "A key that is a number, true, false, null, a list or a mapping. Quotes make it text."},
		{ruleBadMerge, Error, "`<<` with something other than a mapping or a list of mappings."},
		{ruleRepeatedKey, Error, "A key twice in one mapping."},
		{ruleBadVersion, Error, "`version` is not one that this rcactl reads. Nothing else is checked then."},
		{ruleUnknownKey, Error, "A key that means nothing at this place."},
		{ruleNoSQL, Error, "A key such as `query` or `sql` below a connector. rcactl never takes SQL."},
		{ruleMissingKey, Error, "A key that must be there is not."},
		{ruleWrongType, Error, "Text where a number belongs, a list where a mapping belongs, and so on."},
		{ruleBadDuration, Error, "Not a duration such as `90s`, `30m`, `1h30m`, `7d` or `2w`, or not above zero."},
		{ruleBadPath, Error, "A path that begins with `~`, which nobody expands, or holds a NUL."},
		{ruleBadValue, Error, "Text of the wrong form, or an empty list."},
		{ruleNotAllowed, Error, "Not one of the words that the key takes."},
		{ruleOutOfRange, Error, "A number below or above the bounds of the key."},
		{ruleRepeatedItem, Error, "An item twice in one list."},
		{ruleLiteralCredential, Error, "A credential, or anything that is not a reference, where only `env:NAME` or `file:/path` is taken; or a credential in the address of a repository. It is not shown."},
		{ruleBadReference, Error, "A reference that cannot name anything: `env:` without a name, `file:` with a relative path."},
		{ruleUnknownConnector, Error, "A connector type that this version does not have."},
		{ruleConnectorName, Error, "The name in `type/name` has other characters than letters, digits, `.`, `_` and `-`, does not begin with a letter or digit, or is longer than 63."},
		{ruleConnectorTwin, Error, "Two connectors whose keys differ only in case, or in `/` and `-`: they would share their files."},
		{ruleConnectorOmitted, Error, "A connector type that this build was made without. The message names the build tag."},
		{ruleConnectorValue, Error, "The connector itself says that a value, or two together, cannot be used."},
		{ruleServiceKey, Error, "A key below `services` that is neither `namespace/service` nor `cluster/namespace/service`."},
		{ruleBroadScope, Warning, "A value that reads more than most need, such as every namespace."},
		{ruleNoExpansion, Warning, "Text with `${`: rcactl expands nothing, it is kept as written."},
	}
}
