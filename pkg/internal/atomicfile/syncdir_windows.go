package atomicfile

// SyncDir does nothing: Windows has no call that syncs a directory, and NTFS
// journals renames itself.
func SyncDir(string) error { return nil }
