package main

// How rcactl talks to people. All of it is here, so that it has one voice:
//
//   - stdout carries data; sentences go to stderr.
//   - An error is "rcactl: error: ..." and, where there is something to do,
//     "rcactl: hint: ..." on a line of its own.
//   - Colour only on a terminal, never with NO_COLOR, and never the only bearer
//     of a meaning.
//   - A narrow terminal loses columns from the right, and long names their middle;
//     rows are never broken. Sentences wrap, and so does what stands below a row.
//   - Times are UTC.
//   - Order in time is told as order in time. No sentence says what caused what.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// printer writes for people.
type printer struct {
	w io.Writer
	// width is the number of columns, 0 for no limit.
	width                         int
	title, dim, bad, warn, good   lipgloss.Style
	markOK, markWarn, markFailure string
}

func newPrinter(sys *System, w io.Writer) *printer {
	r := lipgloss.NewRenderer(w)
	r.SetHasDarkBackground(true) // never ask the terminal
	r.SetColorProfile(termenv.Ascii)
	if sys.Terminal && sys.getenv("NO_COLOR") == "" && sys.getenv("TERM") != "dumb" {
		r.SetColorProfile(termenv.ANSI)
	}
	return &printer{
		w: w, width: sys.Width,
		title:  r.NewStyle().Bold(true),
		dim:    r.NewStyle().Faint(true),
		bad:    r.NewStyle().Foreground(lipgloss.ANSIColor(1)),
		warn:   r.NewStyle().Foreground(lipgloss.ANSIColor(3)),
		good:   r.NewStyle().Foreground(lipgloss.ANSIColor(2)),
		markOK: "✓", markWarn: "!", markFailure: "✗",
	}
}

// line writes one line. What cannot be written to a person's screen is nothing
// that the run depends on.
func (p *printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format+"\n", args...)
}

// clean makes text from outside fit for a terminal: what moves the cursor, changes
// colours or the direction of writing is shown and does nothing.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// shellQuote quotes text so that it can be pasted into a POSIX shell.
func shellQuote(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// cell is a piece of a table with its style.
type cell struct {
	text  string
	style lipgloss.Style
}

// sentence writes text that wraps at the width of the terminal. What follows the
// first line is indented a little more.
func (p *printer) sentence(indent, text string) {
	text = clean(text)
	if p.width == 0 || lipgloss.Width(indent+text) <= p.width {
		p.line("%s%s", indent, text)
		return
	}
	line := indent
	for _, word := range strings.Fields(text) {
		switch {
		case strings.TrimSpace(line) == "":
			line += word
		case lipgloss.Width(line)+1+lipgloss.Width(word) > p.width:
			p.line("%s", line)
			line = indent + "  " + word
		default:
			line += " " + word
		}
	}
	p.line("%s", line)
}

// maxCell is the widest that a cell of a table gets on a terminal.
const maxCell = 44

// shorten takes out the middle of a long name: both ends tell more.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	head := (width - 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(width-1-head):])
}

// table writes rows with aligned columns. Columns that do not fit are left out
// from the right; the first one always stays.
func (p *printer) table(indent string, rows [][]cell) { p.tableWith(indent, rows, nil) }

// tableWith is table with a line of its own below some rows, by their index, which
// begins under their second column.
func (p *printer) tableWith(indent string, rows [][]cell, below map[int][]cell) {
	if p.width > 0 {
		for _, row := range rows {
			for i := range row {
				row[i].text = shorten(row[i].text, min(maxCell, max(p.width/3, 24)))
			}
		}
	}
	widths := widthsOf(rows)
	columns, used := 0, lipgloss.Width(indent)
	for i, w := range widths {
		if w == 0 {
			columns++
			continue
		}
		used += w
		if p.width > 0 && used > p.width && i > 0 {
			break
		}
		used += 2
		columns++
	}
	for n, row := range rows {
		p.row(indent, row[:min(len(row), columns)], widths)
		if len(below[n]) > 0 {
			under := indent + strings.Repeat(" ", widths[0]+2)
			for _, line := range p.wrapped(under, below[n]) {
				p.row(under, line, nil)
			}
		}
	}
}

// row writes the cells of a row, each as wide as its column, or as itself where
// there are no widths.
func (p *printer) row(indent string, row []cell, widths []int) {
	var b strings.Builder
	pad := 0
	for i, c := range row {
		width := lipgloss.Width(c.text)
		if widths != nil {
			width = widths[i]
		}
		if width == 0 {
			continue
		}
		if c.text != "" {
			b.WriteString(strings.Repeat(" ", pad))
			b.WriteString(c.style.Render(clean(c.text)))
			pad = 0
		}
		pad += width - lipgloss.Width(c.text) + 2
	}
	p.line("%s%s", indent, b.String())
}

// minBelow is the narrowest that a cell below a row gets.
const minBelow = 20

// wrapped breaks a line between cells where they do not fit. One that is too long for
// a line loses its middle.
func (p *printer) wrapped(indent string, row []cell) (lines [][]cell) {
	if p.width <= 0 {
		return [][]cell{row}
	}
	room, used := max(p.width-lipgloss.Width(indent), minBelow), 0
	for _, c := range row {
		c.text = shorten(c.text, room)
		width := lipgloss.Width(c.text)
		if used += 2 + width; len(lines) == 0 || used > room {
			lines, used = append(lines, nil), width
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], c)
	}
	return lines
}

// fits reports whether a table has room for all its columns.
func (p *printer) fits(indent string, rows [][]cell) bool {
	used := lipgloss.Width(indent) - 2
	for _, w := range widthsOf(rows) {
		if w > 0 {
			used += w + 2
		}
	}
	return p.width <= 0 || used <= p.width
}

func widthsOf(rows [][]cell) (widths []int) {
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(c.text))
		}
	}
	return widths
}

// printError says what went wrong, and what to do next.
func printError(w io.Writer, err error) {
	var coded *codedError
	if errors.As(err, &coded) && coded.quiet {
		return
	}
	switch {
	case err == nil:
		return
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(w, "rcactl: interrupted; nothing was left half-written")
		return
	}
	_, _ = fmt.Fprintf(w, "rcactl: error: %s\n", clean(strings.TrimSpace(err.Error())))
	hint := "rcactl help shows the commands; rcactl COMMAND --help shows one"
	if errors.As(err, &coded) {
		hint = coded.hint
	}
	if hint != "" {
		_, _ = fmt.Fprintf(w, "rcactl: hint: %s\n", clean(hint))
	}
}

// plural gives "1 event", "3 events".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}
