package mlm

import (
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/text"
)

// source makes rows with masks of windows of text: [CLS] text [SEP], or [CLS] first [SEP]
// second [SEP]. A row, its masks among it, is a function of the seed and its number.
type source struct {
	text.Windows     // of the tokens of a row that are text
	context      int // T
	asked        int // A
	micro        int // rows of a micro-batch
	pair         bool
	seed         uint64
	masker       *masker
	pool         sync.Pool // of *work
}

// work is what Fill needs for a row.
type work struct {
	batch *data.Batch
	scratch
}

// batches are those of training and of held-out text, nil where there is none.
func batches(c config.Config, p *data.Prepared, enc tokenizers.Encoder, m *masker) (train, eval *source, err error) {
	micro, _ := c.MicroBatches()
	s := func(w *text.Windows) *source {
		return &source{Windows: *w, context: c.Length(), asked: askedPerRow(c), micro: micro, pair: own(c).NextSentence, seed: c.Run.Seed, masker: m}
	}
	w, held, err := text.NewWindows(c, p, enc, c.Length()-specials(c))
	if err != nil {
		return nil, nil, err
	}
	train = s(w)
	if train.pair && train.Of.Windows() < 2 {
		return nil, nil, config.Faultf("recipe.next_sentence needs text from elsewhere, and there is one row of it: add text, or shorten train.context")
	}
	if held != nil {
		eval = s(held)
	}
	return train, eval, nil
}

// Fields are those of a row.
func (s *source) Fields() []data.Field {
	t, a := []int{s.context}, []int{s.asked}
	fields := []data.Field{
		{Name: data.IDs, Kind: data.Int32, Shape: t}, {Name: data.Positions, Kind: data.Int32, Shape: t}, {Name: data.Segments, Kind: data.Int32, Shape: t},
		{Name: kinds, Kind: data.Int32, Shape: t}, {Name: asked, Kind: data.Int32, Shape: a}, {Name: data.Targets, Kind: data.Int32, Shape: a},
	}
	if s.pair {
		fields = append(fields, data.Field{Name: next, Kind: data.Int32})
	}
	return fields
}

// NewBatch allocates a batch of this rank's rows.
func (s *source) NewBatch() *data.Batch {
	b := data.NewBatch(s.Batch, s.Fields())
	for i := range b.Ints[data.Positions] {
		b.Ints[data.Positions][i] = int32(i % s.context)
	}
	return b
}

// Fill sets dst to this rank's share of the step that begins at row position; that of
// held-out text ends with io.EOF.
func (s *source) Fill(dst *data.Batch, position uint64) error {
	w, ok := s.pool.Get().(*work)
	if !ok {
		w = &work{batch: s.Of.NewBatch()}
	}
	defer s.pool.Put(w)
	return s.Each(dst, position, func(row int, sample uint64, there bool) (int, error) {
		if !there {
			s.blank(dst, row)
			return 0, nil
		}
		return s.row(dst, row, sample, w)
	})
}

// part is what a row has of a field.
func (s *source) part(dst *data.Batch, field string, row, size int) []int32 {
	return dst.Ints[field][row*size : (row+1)*size]
}

// blank fills a row with padding.
func (s *source) blank(dst *data.Batch, row int) {
	s.pad(dst, row, 0)
	s.ignore(dst, row, 0)
	if s.pair {
		dst.Ints[next][row] = data.Ignore
	}
	dst.From[row] = data.Origin{}
}

// pad fills a row with padding from a place on.
func (s *source) pad(dst *data.Batch, row, from int) {
	ids, segments, kind := s.part(dst, data.IDs, row, s.context), s.part(dst, data.Segments, row, s.context), s.part(dst, kinds, row, s.context)
	for i := from; i < s.context; i++ {
		ids[i], segments[i], kind[i] = s.masker.marks.Pad, -1, 0
	}
}

// ignore asks for nothing in the places of a row from one on.
func (s *source) ignore(dst *data.Batch, row, from int) {
	places, targets := s.part(dst, asked, row, s.asked), s.part(dst, data.Targets, row, s.asked)
	for i := from; i < s.asked; i++ {
		places[i], targets[i] = s.offset(row), data.Ignore
	}
}

// offset is where in its micro-batch a row begins.
func (s *source) offset(row int) int32 { return int32(row % s.micro * s.context) }

// row makes a row of a sample and returns how many of its tokens are asked for.
func (s *source) row(dst *data.Batch, row int, sample uint64, w *work) (int, error) {
	r := newRandom(s.seed^0x6d61736b, sample)
	if s.Held {
		r = newRandom(s.seed^0x68656c64, sample)
	}
	ids := s.part(dst, data.IDs, row, s.context)
	tokens, n, err := s.Read(w.batch, sample)
	if err != nil {
		return 0, err
	}
	copy(ids[1:], tokens)
	n = max(n, 1)
	dst.From[row] = w.batch.From[0]
	end := 1 + n + 1 // [CLS] text [SEP]
	ids[0] = s.masker.marks.CLS
	split := s.context
	if s.pair && n >= 2 {
		if split, err = s.second(dst, row, sample, n, w, &r); err != nil {
			return 0, err
		}
		end++
	} else if s.pair {
		dst.Ints[next][row] = data.Ignore
	}
	ids[end-1] = s.masker.marks.Sep
	segments, kind := s.part(dst, data.Segments, row, s.context), s.part(dst, kinds, row, s.context)
	for i := range end {
		segments[i], kind[i] = 0, 0
		if i >= split {
			kind[i] = 1
		}
	}
	s.pad(dst, row, end)
	places, targets := s.part(dst, asked, row, s.asked), s.part(dst, data.Targets, row, s.asked)
	counted := s.masker.choose(ids[:end], places, targets, &w.scratch, &r)
	for i := range counted {
		places[i] += s.offset(row)
	}
	s.ignore(dst, row, counted)
	return counted, nil
}

// second splits a row of n tokens of text in two, with a [SEP] between them, and returns where
// the second begins. Half of them go on with the first; the others come from another window.
func (s *source) second(dst *data.Batch, row int, sample uint64, n int, w *work, r *random) (begin int, err error) {
	ids := s.part(dst, data.IDs, row, s.context)
	begin = 2 + 1 + r.below(n-1) // at least a token in each
	elsewhere := r.float() < 0.5 && s.Of.Windows() > 1
	dst.Ints[next][row] = 0
	copy(ids[begin:2+n], ids[begin-1:1+n])
	if elsewhere {
		dst.Ints[next][row] = 1
		all := s.Of.Windows()
		other := sample/all*all + (sample%all+1+uint64(r.below(int(all-1))))%all
		tokens, _, err := s.Read(w.batch, other)
		if err != nil {
			return 0, err
		}
		copy(ids[begin:2+n], tokens[begin-2:n])
	}
	ids[begin-1] = s.masker.marks.Sep
	return begin, nil
}

// rows are those of a batch that hold text, as package encode reads them.
func (s *source) rows(b *data.Batch) []encode.Row {
	var rows []encode.Row
	for row := range b.Rows {
		if b.From[row] == (data.Origin{}) {
			break
		}
		n := 0
		for _, segment := range s.part(b, data.Segments, row, s.context) {
			n += int(segment) + 1
		}
		r := encode.Row{IDs: s.part(b, data.IDs, row, s.context)[:n], Kinds: s.part(b, kinds, row, s.context)[:n]}
		for k, place := range s.part(b, asked, row, s.asked) {
			if s.part(b, data.Targets, row, s.asked)[k] >= 0 {
				r.Asked = append(r.Asked, place-s.offset(row))
			}
		}
		rows = append(rows, r)
	}
	return rows
}
