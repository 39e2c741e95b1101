package record

// HistoryQuestion asks something of the history of a repository: what Revision
// names, or, with Base and Head, what lies between two commits.
type HistoryQuestion struct {
	// Repository is "github.com/acme/shop".
	Repository string
	// Revision is a commit, the beginning of one (at least 7 digits), or a tag.
	Revision string
	// Base and Head are full commits.
	Base, Head string
}

// Finding says how a question was answered.
type Finding string

// The findings.
const (
	Found      Finding = "found"
	NotFound   Finding = "not_found"  // the repository can be read, and has nothing of that name
	Ambiguous  Finding = "ambiguous"  // the beginning of several commits
	Unreadable Finding = "unreadable" // no such repository, or none that this credential may read
	Unanswered Finding = "unanswered" // a limit, a failure, or nobody to ask; another run may know
)

// Reach says how a commit stands to the default branch.
type Reach string

// The reaches.
const (
	ReachUnknown Reach = ""
	ReachOn      Reach = "on_default_branch"
	ReachOff     Reach = "off_default_branch" // on another branch, or on none that is known
	ReachForced  Reach = "forced_away"        // a branch was seen to have it, and then no more
)

// HistoryAnswer answers a HistoryQuestion.
type HistoryAnswer struct {
	Question HistoryQuestion
	Finding  Finding
	// Reason says in our own words why a question was not answered. Final says of an
	// Unanswered one that another run will not be told either: nobody is there for the
	// repository.
	Reason string
	Final  bool
	// Commit is what a Revision names, ReachOf how it stands to the default branch.
	Commit  Commit
	ReachOf Reach
	// Range is what lies between Base and Head.
	Range Range
}

// RangeStatus says how Head stands to Base, in the words of GitHub.
type RangeStatus string

// The statuses of a range.
const (
	RangeIdentical RangeStatus = "identical"
	RangeAhead     RangeStatus = "ahead"    // base is an ancestor of head
	RangeBehind    RangeStatus = "behind"   // head is an ancestor of base: it was gone back
	RangeDiverged  RangeStatus = "diverged" // neither is
)

// Range is what lies between two commits.
type Range struct {
	Status        RangeStatus
	Ahead, Behind int32
	// Commits are those that head has and base has not, or, of a range that is
	// behind, those that base has and head has not: what was taken back. They are in
	// the order of the source, oldest first, and some may lack details.
	Commits []Commit
	// More is how many further commits there are.
	More int32
	// PullRequests are the merged pull requests that brought these commits, as far
	// as they are known; sorted.
	PullRequests []int64
	// Files and Categories are of the difference as a whole. FilesKnown says that
	// they are known, FilesTruncated that there are more.
	FilesKnown, FilesTruncated bool
	Files                      int32
	Categories                 []CategoryCount
}
