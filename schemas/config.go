package schemas

import _ "embed"

//go:generate go run ./gen/configdoc ../docs/config.md

//go:embed config.v1.json
var config []byte

// Config returns the schema of the config file. The bytes must not be changed.
// Beside the standard keywords it carries annotations that validators ignore:
//
//   - x-rcactl-type: duration, path, folder, repository or secret-ref; decides who
//     reads the text and how problems with it are worded
//   - x-rcactl-short: the key of a mapping that its value alone may stand for
//   - x-rcactl-keys: what the keys of a mapping look like, in words
//   - x-rcactl-wants: what a pattern asks for, in words
//   - x-rcactl-broad: values that are legal and warned of, as a mapping of patterns
//     to what is said
//   - x-rcactl-connector, x-rcactl-also: the name of a connector type and what
//     people call it as well
func Config() []byte { return config }
