package denoise

import (
	"errors"
	"io"
	"slices"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/train/recipe/text"
)

// numbered is text of which window i has the tokens from 100 + 20·i on.
type numbered struct {
	data.Sequences
	windows uint64
	short   int // tokens of the last window
}

func (f *numbered) Windows() uint64 { return f.windows }

func (f *numbered) Fill(dst *data.Batch, position uint64) error {
	c, err := f.Columns(dst)
	if err != nil {
		return err
	}
	for i := range c.IDs {
		c.IDs[i], c.Targets[i] = 100+int32(position%f.windows)*20+int32(i), 0
		if position == f.windows-1 && i >= f.short {
			c.Targets[i] = data.Ignore
		}
	}
	dst.From[0] = data.Origin{File: "text", Offset: int64(position) + 1}
	return nil
}

func sourceOf(rows int, held bool, short int) *source {
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: 13}
	lengths := make([]int32, 300)
	for i := 100; i < 300; i++ {
		lengths[i] = 2
	}
	return &source{
		Windows: text.Windows{Rows: data.Rows{Batch: rows}, Of: &numbered{size, 5, short}, Size: size, Held: held}, length: 12, target: 7, seed: 3,
		cfg: denoise.Config{Rate: 0.3, Span: 2}, marks: denoise.Marks{After: []int32{1}, End: 1, Sentinels: []int32{50, 51}}, start: 2, lengths: lengths,
	}
}

// whole is the text of a row, its spans put back.
func whole(b *data.Batch, row int) (text []int32) {
	spans, of := map[int32][]int32{}, int32(0)
	for _, id := range b.Ints[data.Targets][row*7 : (row+1)*7] {
		if id == 50 || id == 51 {
			of = id
		} else if id > 51 {
			spans[of] = append(spans[of], id)
		}
	}
	for i, id := range b.Ints[pairs.SourceIDs][row*12 : (row+1)*12] {
		switch {
		case b.Ints[pairs.SourceSegments][row*12+i] < 0 || id == 1:
		case id < 100:
			text = append(text, spans[id]...)
		default:
			text = append(text, id)
		}
	}
	return text
}

func consecutive(first int32, n int) (ids []int32) {
	for i := range n {
		ids = append(ids, first+int32(i))
	}
	return ids
}

// TestRows: a row is a window whose spans stand in the target; it is the same alone and in a
// batch, and does not allocate.
func TestRows(t *testing.T) {
	s := sourceOf(4, false, 13)
	b := s.NewBatch()
	if err := s.Fill(b, 8); err != nil {
		t.Fatal(err)
	}
	for row := range 4 {
		if got, want := whole(b, row), consecutive(100+int32((8+row)%5)*20, 13); !slices.Equal(got, want) {
			t.Errorf("row %d is %v, want %v", row, got, want)
		}
		ids, targets := b.Ints[data.IDs][row*7:(row+1)*7], b.Ints[data.Targets][row*7:(row+1)*7]
		if ids[0] != 2 || !slices.Equal(ids[1:], targets[:6]) || targets[0] != 50 || targets[6] != 1 {
			t.Errorf("the decoder reads %v and is asked for %v", ids, targets)
		}
		if b.Ints[data.Positions][row*7+6] != 6 || b.Ints[pairs.SourcePositions][row*12+11] != 11 || slices.Min(b.Ints[data.Segments]) != 0 || slices.Min(b.Ints[pairs.SourceSegments]) != 0 {
			t.Errorf("positions or segments of row %d: %v", row, b.Ints)
		}
		if b.From[row].Offset != int64(8+row)+1 {
			t.Errorf("row %d comes from %v", row, b.From[row])
		}
	}
	if b.Weight != 28 || b.TextBytes != 4*4*2 {
		t.Errorf("weight %g, %d bytes", b.Weight, b.TextBytes)
	}
	one := sourceOf(1, false, 13)
	single := one.NewBatch()
	if err := one.Fill(single, 10); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(single.Ints[pairs.SourceIDs], b.Ints[pairs.SourceIDs][24:36]) || !slices.Equal(single.Ints[data.Targets], b.Ints[data.Targets][14:21]) {
		t.Error("row 10 alone is another than in a batch")
	}
	again := one.NewBatch()
	if err := one.Fill(again, 15); err != nil || slices.Equal(again.Ints[data.Targets], single.Ints[data.Targets]) {
		t.Errorf("the second pass over a window takes out the same: %v, %v", again.Ints[data.Targets], err)
	}
}

// TestHeldOut: the last window is shorter and its row padded; a window of one token and rows
// behind it are padding; the source ends.
func TestHeldOut(t *testing.T) {
	s := sourceOf(3, true, 8)
	b := s.NewBatch()
	if err := s.Fill(b, 3); err != nil {
		t.Fatal(err)
	}
	if got := whole(b, 1); !slices.Equal(got, consecutive(180, 8)) {
		t.Errorf("the last window is %v", got)
	}
	// 2 of 8 are taken out, in a span: 6 + 1 + 1 tokens and 1 + 2 + 1.
	if segments := b.Ints[pairs.SourceSegments][12:24]; segments[7] != 0 || segments[8] != -1 {
		t.Errorf("segments of its source %v", segments)
	}
	if segments, targets := b.Ints[data.Segments][7:14], b.Ints[data.Targets][7:14]; segments[3] != 0 || segments[4] != -1 || targets[4] != data.Ignore {
		t.Errorf("segments of its target %v, targets %v", segments, targets)
	}
	if slices.Max(b.Ints[pairs.SourceSegments][24:]) != -1 || slices.Max(b.Ints[data.Targets][14:]) != data.Ignore || b.From[2] != (data.Origin{}) {
		t.Error("a row behind the last one is not padding")
	}
	if b.Weight != 7+4 {
		t.Errorf("weight %g", b.Weight)
	}
	if err := s.Fill(b, 6); !errors.Is(err, io.EOF) {
		t.Errorf("behind its end: %v", err)
	}
	single := sourceOf(1, true, 1)
	b = single.NewBatch()
	if err := single.Fill(b, 4); err != nil || b.Weight != 0 || slices.Max(b.Ints[data.Segments]) != -1 {
		t.Errorf("a window of one token has weight %g, %v", b.Weight, err)
	}
}
