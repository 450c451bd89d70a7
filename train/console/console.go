// Package console shows a run to a person: on a terminal one line that is rewritten,
// elsewhere a plain line now and then.
//
// [New] makes a [Progress] that writes to a terminal or a log. What a run tells goes
// through [Progress.Listener]; [Progress.Finish] ends the report with what was
// forecast beside what the run took, which is why [Progress.Measure] comes first; the
// run's directory keeps the forecast for the plans of later runs. A
// Progress is used by one goroutine.
package console

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"example.com/gotrain/data"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/units"
)

// Progress shows a run.
type Progress struct {
	w       io.Writer
	live    bool
	dirty   bool      // the live line is on the screen
	last    time.Time // of the last line
	started events.Started
	device  device.Device
	kind    string // of the machine
	// interval lies between two plain lines.
	interval time.Duration
	base     int64 // resident before the run, in bytes
	memory   forecast.Memory
	stepMS   []float64 // of each step made now
	waited   bool      // a save waited for an earlier one
	began    time.Time // the first Count
	// law is what those of the run's folder expect, nil where it has none.
	law *forecast.Law
}

// liveInterval lies between two states of the live line; plain lines have run.progress_s.
const liveInterval = 100 * time.Millisecond

// New shows runs on w.
func New(w io.Writer) *Progress { return &Progress{w: w, live: Terminal(w), interval: 5 * time.Second} }

// Terminal tells whether w is read by eyes.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Line prints a line of its own, below which the live line goes on.
func (p *Progress) Line(format string, args ...any) {
	p.Clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// Clear takes the live line off the screen.
func (p *Progress) Clear() {
	if p.dirty {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.dirty = false
	}
}

// due tells whether it is time for another line.
func (p *Progress) due() bool {
	interval := p.interval
	if p.live {
		interval = liveInterval
	}
	if time.Since(p.last) < interval {
		return false
	}
	p.last = time.Now()
	return true
}

// Status shows the state of things: the live line, or a plain one.
func (p *Progress) Status(format string, args ...any) {
	if !p.live {
		fmt.Fprintf(p.w, format+"\n", args...)
		return
	}
	p.Clear()
	fmt.Fprintf(p.w, format, args...)
	p.dirty = true
}

// Preparing tells how far what comes before the first step is.
func (p *Progress) Preparing(d data.Progress) {
	if d.Doing != data.Encoding && p.last.IsZero() && !p.live {
		p.last = time.Now() // what ends soon needs no line in a log
		return
	}
	if !p.due() {
		return
	}
	among := ""
	if d.Files > 1 {
		among = fmt.Sprintf(", file %d of %d", d.Finished+1, d.Files)
	}
	switch {
	case d.Doing == data.Looking:
		p.Status("files      %s looked at%s", units.Bytes(d.DiskBytes), among)
	case d.Doing == data.Fitting && d.Merges > 0:
		p.Status("tokenizer  merge %d of %d", d.Merges, d.Total)
	case d.Doing == data.Fitting:
		p.Status("tokenizer  %s of text read", units.Bytes(d.TextBytes))
	case d.Doing == data.Conversing:
		p.Status("reading    %d conversations", d.Documents)
	default:
		p.Status("shards     %s of text, %d tokens%s", units.Bytes(d.TextBytes), d.Tokens, among)
	}
}
