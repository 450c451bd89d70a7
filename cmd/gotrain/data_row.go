package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/train"
)

// row is one sequence of a batch.
type row struct {
	Split     string  `json:"split"`
	Sample    uint64  `json:"sample"`
	Windows   uint64  `json:"windows"` // sequences in a pass over the text
	Inputs    []int32 `json:"inputs"`
	Targets   []int32 `json:"targets"` // -1 does not count towards the loss
	Segments  []int32 `json:"segments,omitempty"`
	Positions []int32 `json:"positions,omitempty"`
	Counted   int     `json:"counted"`
	EndOfText int32   `json:"end_of_text"`
}

// row reads the sequence that the flags name.
func (f *dataInspectFlags) row(cfg train.Config, p *prepared) (*row, error) {
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: cfg.Text().Context, DocumentMask: cfg.Train.DocumentMask}
	r := &row{Split: f.split, Sample: f.sample, EndOfText: p.enc.EndOfText()}
	var source data.Source
	if f.split == "train" {
		l, err := data.NewLoader(p.Train, data.LoaderConfig{Sequences: size, Seed: cfg.Run.Seed})
		if err != nil {
			return nil, err
		}
		source, r.Windows = l, l.Windows()
	} else {
		if p.Validation == nil {
			return nil, usagef("--split validation: the configuration holds no text out; set data.validation or data.validation_paths")
		}
		e, err := data.NewEval(p.Validation, size, p.enc)
		if err != nil {
			return nil, err
		}
		if f.sample >= e.Windows() {
			return nil, usagef("--sample is %d; the held-out text has sequences 0 to %d", f.sample, e.Windows()-1)
		}
		source, r.Windows = e, e.Windows()
	}
	batch := source.NewBatch()
	if err := source.Fill(batch, f.sample); err != nil {
		return nil, err
	}
	columns, err := size.Columns(batch)
	if err != nil {
		return nil, err
	}
	r.Inputs, r.Targets, r.Counted = columns.IDs, columns.Targets, int(batch.Weight)
	if size.DocumentMask {
		r.Segments, r.Positions = columns.Segments, columns.Positions
	}
	return r, nil
}

func (r *row) title() string {
	return fmt.Sprintf("%s sequence %d of %d in a pass: %d tokens, %d targets count\n", r.Split, r.Sample, r.Windows, len(r.Inputs), r.Counted)
}

// printLines prints a line for each token: its place, id, text, the target that
// it predicts, and where a document ends.
func (r *row) printLines(w io.Writer, enc tokenizers.Encoder) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%5s %7s %-24s %7s\n", "place", "id", "token", "target")
	for i, id := range r.Inputs {
		target := strconv.Itoa(int(r.Targets[i]))
		if r.Targets[i] < 0 {
			target = "ignored"
		}
		note := ""
		if id == r.EndOfText {
			note = "  end of a document"
		}
		fmt.Fprintf(&b, "%5d %7d %-24q %7s%s\n", i, id, enc.TokenBytes(id), target, note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Colours of tokens in turn, of tokens that are no target, and of the end of a
// document.
const (
	evenToken = "\x1b[48;5;24m\x1b[97m"
	oddToken  = "\x1b[48;5;239m\x1b[97m"
	unscored  = "\x1b[2m"
	endToken  = "\x1b[7m"
	plain     = "\x1b[0m"
)

// printColoured prints the text with its tokens in two colours in turn. A token
// whose prediction does not count is dim.
func (r *row) printColoured(w io.Writer, enc tokenizers.Encoder) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%stokens%s in%s turn%s, %send of a document%s, %snot a target%s\n\n",
		evenToken, oddToken, evenToken, plain, endToken, plain, unscored, plain)
	for i, id := range r.Inputs {
		colour := evenToken
		if i%2 == 1 {
			colour = oddToken
		}
		// Token i is the target of the one before it.
		if i > 0 && r.Targets[i-1] < 0 {
			colour = unscored
		}
		text := string(enc.TokenBytes(id))
		if id == r.EndOfText {
			colour = endToken
		}
		text = strings.ReplaceAll(text, "\n", "↵"+plain+"\n"+colour)
		b.WriteString(colour + text + plain)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
