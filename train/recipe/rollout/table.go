package rollout

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"example.com/gotrain/data/vfs"
)

// Table is a file of texts, JSON Lines, that this rank has written: RUN/samples.jsonl, of other
// ranks than 0 RUN/samples.RANK.jsonl.
type Table struct {
	fs    vfs.FS
	path  string
	begun bool
}

// NewTable returns that of a rank of a run.
func NewTable(fsys vfs.FS, runDir string, rank int) *Table {
	name := "samples.jsonl"
	if rank > 0 {
		name = fmt.Sprintf("samples.%d.jsonl", rank)
	}
	return &Table{fs: fsys, path: filepath.Join(runDir, name)}
}

// line is a text in the table. Float32 numbers come back to the bit.
type line struct {
	Rollout  uint64    `json:"rollout"`
	Sample   uint64    `json:"sample"`
	Prompt   string    `json:"prompt"`
	Answer   string    `json:"answer"`
	Reward   float64   `json:"reward"`
	Ended    bool      `json:"ended"`
	From     string    `json:"from"` // file and line of the prompt
	Tokens   []int32   `json:"tokens"`
	First    int       `json:"prompt_tokens"`
	LogProbs []float32 `json:"logprobs"`
	Kept     [][]int32 `json:"kept,omitempty"`
	Learnt
}

// begin cuts off, as the run begins, what the table has of a later part of it than that it goes
// on from: rollout number and what follows. Where the run goes on in the middle of it, it
// returns the texts of that.
func (t *Table) begin(number uint64, middle bool, w *Writer) ([]Text, error) {
	if t.begun {
		return nil, nil
	}
	texts, size, err := t.read(number, middle, w)
	if err != nil {
		return nil, err
	}
	if middle && len(texts) != w.count() {
		return nil, fmt.Errorf("%s has %d texts of rollout %d, and the run goes on in the middle of it with %d: resume with as many ranks and the directory that the run has had, or from a checkpoint whose step is a multiple of recipe.updates × minibatches, %d",
			t.path, len(texts), number, w.count(), w.Updates*w.Minibatches)
	}
	t.begun = true
	if size < 0 {
		return texts, nil
	}
	file, err := t.fs.OpenAppend(t.path)
	if err != nil {
		return nil, err
	}
	return texts, errors.Join(file.Truncate(size), file.Close())
}

// read returns the texts of rollout number, where they are wanted, and the size of the file up
// to there; -1 without a file.
func (t *Table) read(number uint64, middle bool, w *Writer) (texts []Text, size int64, err error) {
	file, err := t.fs.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, -1, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	byOrigin := map[string]int{}
	for i, p := range w.Prompts {
		byOrigin[p.Origin.String()] = i
	}
	for in := bufio.NewReader(file); ; {
		text, err := in.ReadBytes('\n')
		if err == io.EOF { // what has no end was being written
			return texts, size, nil
		}
		var l line
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", t.path, err)
		}
		if l.Rollout > number || l.Rollout == number && !middle {
			return texts, size, nil
		}
		size += int64(len(text))
		if l.Rollout < number {
			continue
		}
		i, ok := byOrigin[l.From]
		if !ok {
			return nil, 0, fmt.Errorf("%s: the prompt of sample %d, %s, is no longer in the data: go on with the same files", t.path, l.Sample, l.From)
		}
		texts = append(texts, Text{Sample: l.Sample, Prompt: &w.Prompts[i], Tokens: l.Tokens, First: l.First, LogProbs: l.LogProbs, Kept: l.Kept, Answer: l.Answer, Reward: l.Reward, Ended: l.Ended, Learnt: l.Learnt})
	}
}

// append adds the texts of a rollout and syncs the file.
func (t *Table) append(number uint64, texts []Text) error {
	var lines bytes.Buffer
	if err := encode(&lines, number, texts); err != nil {
		return err
	}
	file, err := t.fs.OpenAppend(t.path)
	if err != nil {
		return err
	}
	_, err = file.Write(lines.Bytes())
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func encode(out io.Writer, number uint64, texts []Text) error {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, t := range texts {
		if err := lines.Encode(line{number, t.Sample, t.Prompt.Text, t.Answer, t.Reward, t.Ended, t.Prompt.Origin.String(), t.Tokens, t.First, t.LogProbs, t.Kept, t.Learnt}); err != nil {
			return err
		}
	}
	return nil
}
