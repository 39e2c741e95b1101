package github

import (
	"slices"

	"github.com/rcactl/rcactl/pkg/record"
)

// risks gives the marks of a commit, sorted. What needs the files is there only when
// they are known, and what says that nothing else was touched only when all are.
func risks(c record.Commit, m message, files *counting) []record.Risk {
	var out []record.Risk
	mark := func(r record.Risk, is bool) {
		if is {
			out = append(out, r)
		}
	}
	mark(record.RiskBreaking, m.conventional.Breaking)
	mark(record.RiskRevert, m.revert)
	if files != nil {
		mark(record.RiskCIChanged, files.pipelines)
		mark(record.RiskSensitivePath, files.sensitive)
		mark(record.RiskMigrationWithCode, files.count[record.CategoryMigration] > 0 && files.count[record.CategoryCode] > 0)
		mark(record.RiskLockFileOnly, files.files > 0 && files.locks == files.files && !c.FilesTruncated)
		mark(record.RiskLarge, c.Additions+c.Deletions >= files.sorter.largeLines || files.files >= files.sorter.largeFiles)
	}
	slices.Sort(out)
	return out
}
