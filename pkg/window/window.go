// Package window holds the time window of a run: a half-open interval in UTC
// that is frozen once, before the first request is sent.
//
// A fact at time t belongs to a window when Start <= t < End, so that two
// windows that touch share no fact and miss none.
package window

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Window is the half-open interval [Start, End). Both ends are in UTC.
// The zero Window contains nothing.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// New returns [start, end) in UTC. It fails when end is not after start.
func New(start, end time.Time) (Window, error) {
	w := Window{Start: start.UTC(), End: end.UTC()}
	if !w.End.After(w.Start) {
		return Window{}, fmt.Errorf("the window ends (%s) before it starts (%s); swap the two times",
			w.End.Format(time.RFC3339), w.Start.Format(time.RFC3339))
	}
	return w, nil
}

// Contains reports whether t lies in [Start, End). The zero time never does.
func (w Window) Contains(t time.Time) bool {
	return !t.IsZero() && !t.Before(w.Start) && t.Before(w.End)
}

// Overlaps reports whether the closed interval [from, to] shares an instant
// with the window. A zero to means "still going on".
func (w Window) Overlaps(from, to time.Time) bool {
	if from.IsZero() || !from.Before(w.End) {
		return false
	}
	return to.IsZero() || !to.Before(w.Start)
}

// Back returns the window with its start moved back by d, for sources that
// deliver late. A negative d counts as zero.
func (w Window) Back(d time.Duration) Window {
	if d > 0 {
		w.Start = w.Start.Add(-d)
	}
	return w
}

// In returns the window as a clock that runs offset ahead of ours shows it.
func (w Window) In(offset time.Duration) Window {
	return Window{Start: w.Start.Add(offset), End: w.End.Add(offset)}
}

// IsZero reports whether the window was never set.
func (w Window) IsZero() bool { return w.Start.IsZero() && w.End.IsZero() }

// String gives both ends in RFC 3339, UTC.
func (w Window) String() string {
	return w.Start.UTC().Format(time.RFC3339) + "/" + w.End.UTC().Format(time.RFC3339)
}

// Parse reads the three window flags. With none set it returns ok == false:
// the caller then takes the window from the cursor. since is a positive
// duration (see ParseDuration); from and to are times (see ParseTime).
// to defaults to now, and a future end is cut back to now, because nobody can
// answer for the future.
func Parse(since, from, to string, now time.Time) (w Window, ok bool, err error) {
	now = now.UTC()
	switch {
	case since == "" && from == "" && to == "":
		return Window{}, false, nil
	case since != "" && (from != "" || to != ""):
		return Window{}, false, errors.New("--since cannot be combined with --from or --to; choose one")
	case since != "":
		d, err := ParseDuration(since)
		if err != nil {
			return Window{}, false, fmt.Errorf("--since: %w", err)
		}
		w, err = New(now.Add(-d), now)
		return w, err == nil, err
	case from == "":
		return Window{}, false, errors.New("--to needs --from")
	}
	start, err := ParseTime(from, now)
	if err != nil {
		return Window{}, false, fmt.Errorf("--from: %w", err)
	}
	if start.After(now) {
		return Window{}, false, fmt.Errorf("--from is in the future (now is %s); nothing has happened there yet", now.Format(time.RFC3339))
	}
	end := now
	if to != "" {
		if end, err = ParseTime(to, now); err != nil {
			return Window{}, false, fmt.Errorf("--to: %w", err)
		}
		if end.After(now) {
			end = now
		}
	}
	w, err = New(start, end)
	return w, err == nil, err
}

// ParseDuration reads a positive duration such as 90s, 30m, 2h or 1h30m, and,
// beyond time.ParseDuration, whole days (7d) and weeks (2w).
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write for example 30m, 2h or 7d", s)
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(s); n > 1 && units[s[n-1]] != 0 {
		count, err := strconv.ParseInt(s[:n-1], 10, 32)
		if err != nil || count <= 0 || count > 36500 {
			return 0, bad
		}
		return time.Duration(count) * units[s[n-1]], nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, bad
	}
	return d, nil
}

// ParseTime reads an RFC 3339 time, a date and time without zone (read as
// UTC), a date (its midnight, UTC), or a duration ago ("2h" is two hours before
// now). Times are cut to whole microseconds, the finest that every source has.
func ParseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	if strings.EqualFold(s, "now") {
		return now.UTC(), nil
	}
	if d, err := ParseDuration(s); err == nil {
		return now.UTC().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write for example 2026-01-31T14:00:00Z, \"2026-01-31 14:00\" (UTC) or 2h (ago)", s)
}
