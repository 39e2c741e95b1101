package window_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/window"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestNewIsInUTCAndNeverEmpty(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	w, err := window.New(noon().In(zone), noon().Add(time.Hour).In(zone))
	if err != nil || w.Start.Location() != time.UTC || w.End.Location() != time.UTC {
		t.Errorf("%v, %v", w, err)
	}
	for _, end := range []time.Time{noon(), noon().Add(-time.Second)} {
		if _, err := window.New(noon(), end); err == nil {
			t.Errorf("a window from %v to %v", noon(), end)
		}
	}
}

// Two windows that touch share no fact and miss none.
func TestTouchingWindowsShareNothingAndMissNothing(t *testing.T) {
	a := window.Window{Start: noon(), End: noon().Add(time.Hour)}
	b := window.Window{Start: a.End, End: a.End.Add(time.Hour)}
	for at := a.Start; at.Before(b.End); at = at.Add(time.Minute) {
		if a.Contains(at) == b.Contains(at) {
			t.Errorf("%v is in both or in none", at)
		}
	}
	if b.Contains(b.End) || a.Contains(a.Start.Add(-1)) || !a.Contains(a.Start) || (window.Window{}).Contains(time.Time{}) {
		t.Error("the ends are wrong")
	}
}

func TestOverlaps(t *testing.T) {
	w := window.Window{Start: noon(), End: noon().Add(time.Hour)}
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	var never time.Time
	for _, tt := range []struct {
		name     string
		from, to time.Time
		want     bool
	}{
		{"before", at(-20), at(-10), false},
		{"ends at the start", at(-20), at(0), true},
		{"inside", at(10), at(20), true},
		{"around", at(-10), at(100), true},
		{"begins at the end", at(60), at(70), false},
		{"still going on", at(-20), never, true},
		{"going on later", at(61), never, false},
		{"never began", never, at(10), false},
	} {
		if got := w.Overlaps(tt.from, tt.to); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestBackAndIn(t *testing.T) {
	w := window.Window{Start: noon(), End: noon().Add(time.Hour)}
	if got := w.Back(time.Minute); !got.Start.Equal(noon().Add(-time.Minute)) || got.End != w.End {
		t.Errorf("Back: %v", got)
	}
	if got := w.Back(-time.Minute); got != w {
		t.Errorf("Back by a negative duration: %v", got)
	}
	if got := w.In(time.Minute).In(-time.Minute); got != w || w.In(time.Minute).Start != noon().Add(time.Minute) {
		t.Errorf("In: %v", got)
	}
	if w.IsZero() || !(window.Window{}).IsZero() {
		t.Error("IsZero")
	}
	if got := w.String(); got != "2026-03-01T12:00:00Z/2026-03-01T13:00:00Z" {
		t.Error(got)
	}
}

func TestParse(t *testing.T) {
	now := noon()
	at := func(d time.Duration) time.Time { return now.Add(d) }
	tests := []struct {
		since, from, to string
		want            window.Window
		wantErr         string
	}{
		{since: "2h", want: window.Window{Start: at(-2 * time.Hour), End: now}},
		{since: "7d", want: window.Window{Start: at(-7 * 24 * time.Hour), End: now}},
		{from: "3h", want: window.Window{Start: at(-3 * time.Hour), End: now}},
		{from: "3h", to: "1h", want: window.Window{Start: at(-3 * time.Hour), End: at(-time.Hour)}},
		{from: "2026-03-01T10:00:00+01:00", to: "2026-03-01 11:00", want: window.Window{Start: at(-3 * time.Hour), End: at(-time.Hour)}},
		{from: "2026-03-01", to: "now", want: window.Window{Start: at(-12 * time.Hour), End: now}},
		{from: "1h", to: "2030-01-01", want: window.Window{Start: at(-time.Hour), End: now}}, // nobody answers for the future
		{since: "2h", from: "3h", wantErr: "cannot be combined"},
		{to: "1h", wantErr: "--to needs --from"},
		{since: "-2h", wantErr: "--since"},
		{since: "x", wantErr: "is not a duration"},
		{from: "yesterday", wantErr: "--from"},
		{from: "2h", to: "yesterday", wantErr: "--to"},
		{from: "1h", to: "2h", wantErr: "swap"},
		{from: "2030-01-01", wantErr: "--from is in the future (now is 2026-03-01T12:00:00Z)"},
		{from: "2030-01-01", to: "2031-01-01", wantErr: "--from is in the future"},
		{from: "now", wantErr: "swap"},
	}
	for _, tt := range tests {
		got, ok, err := window.Parse(tt.since, tt.from, tt.to, now)
		if tt.wantErr != "" {
			if err == nil || ok || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%+v: %v, %v", tt, ok, err)
			}
			continue
		}
		if err != nil || !ok || got != tt.want {
			t.Errorf("%+v: got %v, %v, %v", tt, got, ok, err)
		}
	}
	if _, ok, err := window.Parse("", "", "", now); ok || err != nil {
		t.Errorf("no flags: %v, %v", ok, err)
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1w": 7 * 24 * time.Hour,
	} {
		if got, err := window.ParseDuration(in); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "0s", "d", "-1d", "1.5d", "1d2h", "99999999999d", "2", "h", "-5m"} {
		if got, err := window.ParseDuration(in); err == nil {
			t.Errorf("%q gave %v", in, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2h", "2026-01-31T14:00:00Z", "2026-01-31 14:00", "now", "7d", "9999999w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := window.ParseTime(s, noon())
		if err == nil && at.Location() != time.UTC {
			t.Errorf("%q: %v is not in UTC", s, at)
		}
	})
}
