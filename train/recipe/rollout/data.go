package rollout

import (
	"io"

	"example.com/gotrain/data"
	"example.com/gotrain/data/prompts"
	"example.com/gotrain/train/config"
)

// Format is the data.format of prompts.
const Format = "prompts"

// Data is the section data of prompts: data.text_key is that of the prompt in a record.
type Data struct {
	data.Config `yaml:",inline"`
}

// NewData returns the defaults.
func NewData() any {
	return &Data{Config: data.Config{Format: data.FormatText, TextKey: "prompt", BOS: true}}
}

// Texts are the prompts alone, to which a tokenizer may be fitted.
func (d *Data) Texts() data.Config {
	c := d.Config
	if len(c.Paths) > 0 {
		c.Format = data.FormatOf(c.Paths[0])
	}
	return c
}

// read returns the prompts that are learnt from and those that are held out.
func read(c config.Config) (train, held []prompts.Prompt, err error) {
	d := c.Data.Value().(*Data)
	paths, err := data.ExpandPaths(d.Paths)
	if err != nil {
		return nil, nil, err
	}
	all, err := prompts.Read(paths, d.Encoding, d.TextKey)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		if d.Validation > 0 && p.HeldOut(d.Validation) {
			held = append(held, p)
		} else {
			train = append(train, p)
		}
	}
	if len(d.ValidationPaths) > 0 {
		if paths, err = data.ExpandPaths(d.ValidationPaths); err != nil {
			return nil, nil, err
		}
		if held, err = prompts.Read(paths, d.Encoding, d.TextKey); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case len(train) == 0:
		return nil, nil, config.Faultf("data.train: there is nothing to answer: the files have no prompts, or all are held out")
	case len(held) == 0 && (d.Validation > 0 || len(d.ValidationPaths) > 0):
		return nil, nil, config.Faultf("data.validation %g holds none of %d prompts out: give more of them, or name data.validation_paths", d.Validation, len(train))
	}
	return train, held, nil
}

// Source gives batches that Prepare fills.
type Source struct {
	data.Rows
	Row []data.Field // fields of a row
}

// Fields are those of a row.
func (s *Source) Fields() []data.Field { return s.Row }

// NewBatch allocates a batch of this rank's rows.
func (s *Source) NewBatch() *data.Batch { return data.NewBatch(s.Batch, s.Row) }

// Fill sets the position of dst.
func (s *Source) Fill(dst *data.Batch, position uint64) error {
	dst.Position = position
	return nil
}

// Reward is the field of what an evaluation measures, of each row.
const Reward = "reward"

// held are prompts that are held out: a batch is made of the rewards of their greedy answers.
type held struct {
	data.Rows
	set    []prompts.Prompt
	answer func(asked []*prompts.Prompt) ([]Text, error)
}

func (h *held) Fields() []data.Field { return []data.Field{{Name: Reward, Kind: data.Float32}} }

func (h *held) NewBatch() *data.Batch { return data.NewBatch(h.Batch, h.Fields()) }

// Fill answers this rank's share of the prompts from position on; behind the last it is io.EOF.
func (h *held) Fill(dst *data.Batch, position uint64) error {
	if position >= uint64(len(h.set)) {
		return io.EOF
	}
	dst.Position, dst.Weight = position, 0
	clear(dst.Floats[Reward])
	clear(dst.From)
	first, rows := h.Share()
	var asked []*prompts.Prompt
	for row := range rows {
		if i := position + first + uint64(row); i < uint64(len(h.set)) {
			asked = append(asked, &h.set[i])
		}
	}
	texts, err := h.answer(asked)
	for i, t := range texts {
		dst.Floats[Reward][i], dst.From[i] = float32(t.Reward), t.Prompt.Origin
		dst.Weight++
	}
	return err
}
