package evidence_test

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// What names the commit beside the image is told as the commit, and not once more as
// a field that changed.
func TestFieldsBesideImagesLeaveOutWhatIsToldElsewhere(t *testing.T) {
	const revision = "org.opencontainers.image.revision"
	d := evidence.Deployment{
		To: &evidence.Template{Claims: []evidence.Claim{{Kind: "revision", Key: revision, Value: "4f2a91c"}}},
		TemplateChanges: []evidence.TemplateChange{
			{Path: "metadata.annotations[" + revision + "]", Change: evidence.FieldChanged},
			{Path: "metadata.annotations[team]", Change: evidence.FieldChanged},
			{Path: "spec.containers[app].image", Change: evidence.FieldChanged},
		},
	}
	if got := d.FieldsBesideImages(); got != "annotation team" {
		t.Errorf("the fields are %q", got)
	}
	d.To = nil
	if got := d.FieldsBesideImages(); got != "annotation "+revision+", annotation team" {
		t.Errorf("without a claim the fields are %q", got)
	}
}
