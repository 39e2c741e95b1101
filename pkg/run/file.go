package run

// Names inside a run directory. All names in a manifest are relative to the
// run directory and use slashes.
const (
	EvidenceDir  = "evidence"
	ActionsFile  = "actions.jsonl"
	ManifestFile = "manifest.json"
	BundleFile   = "manifest.sigstore.json"
)

// File is a finished file of a run, as the writer saw its bytes go by.
type File struct {
	// Name is relative to the run directory, with slashes.
	Name string
	// SHA256 is the lower-case hexadecimal digest of the whole file.
	SHA256 string
	// Bytes is the file's size; Records is its number of lines.
	Bytes, Records int64
}
