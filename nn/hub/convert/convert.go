// Package convert turns models of other programs into checkpoints and back: Hugging
// Face directories (one safetensors file or several) and GGUF files of llama.cpp.
//
// [Convert] does both directions. It opens the source, a directory or a file, as a
// model of a known family with its parameters under Hugging Face's names; writes the
// result tensor by tensor from the mapped source, in a temporary sibling; computes
// with both what a [Certificate] holds; and only then gives the result its name. A
// checkpoint is a Hugging Face directory, so that importing is writing one and
// exporting may be too.
//
// The parts in reading order: source.go (what is opened), directory.go and
// ggufread.go (how), tensor.go (how a parameter streams), adapter.go (low-rank
// adapters, merged, taken out or alone), tokenizer.go (GGUF's tokenizer and
// tokenizer.json), output.go and ggufwrite.go (what is written), parity.go (the
// certificate). llama.cpp stores the rows of the query and key
// projections of architecture llama in another order than transformers; names.go
// has it beside the names.
//
// Nothing of the source is trusted: sizes are checked by the readers, names and
// shapes against the model. Errors name file, key or tensor.
package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// Format is what a model is stored as.
type Format string

// The formats.
const (
	HuggingFace Format = "hf"   // a directory with model.safetensors, config.json, tokenizer.json, …
	GGUF        Format = "gguf" // one file
	PEFT        Format = "peft" // a directory with an adapter alone; see ExportAdapter
)

// Deps is what a conversion takes from outside.
type Deps struct {
	FS       vfs.FS
	Families nn.Families
	// Backend computes the certificate; Convert closes what it opens.
	Backend func() (exec.Backend, error)
}

// Options say what Convert makes.
type Options struct {
	Format Format
	// Type is that of the result's tensors; nil keeps the source's where the format
	// has it, and gives float32 for others. Vectors are float32 in GGUF whatever
	// Type is, as llama.cpp wants them.
	Type *gguf.Type
	// Own lets a directory have a model that transformers has not, which only gotrain
	// loads; without it such a model is an error.
	Own bool
	// Tokenizer is a directory to take the tokenizer from in place of the source's.
	Tokenizer string
	// Adapter is the directory of an adapter that is merged into the source or, with
	// Unmerge, taken out of it.
	Adapter string
	Unmerge bool
	// Verify computes the certificate and writes it beside the weights.
	Verify bool
	// Measure is a text of which the certificate has the NLL before and after; "" is none.
	Measure []byte
}

// Report is what Convert did.
type Report struct {
	Source       string         `json:"source"`
	Result       string         `json:"result"`
	Format       Format         `json:"format"`
	ModelType    string         `json:"model_type"` // of config.json
	Parameters   int64          `json:"parameters"`
	Adapter      string         `json:"adapter,omitempty"`  // that was merged
	Unmerged     bool           `json:"unmerged,omitempty"` // or taken out
	Base         string         `json:"base,omitempty"`     // whose weights it changes
	Rank         int            `json:"rank,omitempty"`     // of the adapter
	Changed      int            `json:"changed,omitempty"`  // tensors that it changes
	Types        map[string]int `json:"types"`              // tensors of each type in the result
	Bytes        int64          `json:"bytes"`              // of the result's weights
	WriteSeconds float64        `json:"write_seconds"`
	Notes        []string       `json:"notes,omitempty"`  // what a user should know: what the format cannot hold, keys that nobody knows
	Parity       *Certificate   `json:"parity,omitempty"` // nil without Verify
}

// AdapterText tells what became of an adapter, "" where there is none.
func (r Report) AdapterText() string {
	switch {
	case r.Format == PEFT:
		return "the adapter alone, to " + cmp.Or(r.Base, "a base that it does not name")
	case r.Unmerged:
		return "without the adapter " + r.Adapter
	case r.Adapter != "":
		return fmt.Sprintf("with the adapter %s of rank %d merged into %d tensors of %s", r.Adapter, r.Rank, r.Changed, r.Base)
	}
	return ""
}

// ErrExists says that the result's name is taken.
var ErrExists = errors.New("exists already")

// Convert converts the model at src, a Hugging Face directory, a checkpoint or a
// GGUF file, to dst, which must not exist. An adapter at src is merged into its base: in
// float32, W + scale·B·A rounded once to the type of the result. On failure nothing is
// left.
func Convert(ctx context.Context, src, dst string, opt Options, deps Deps) (Report, error) {
	if opt.Format == HuggingFace && opt.Type != nil {
		if _, ok := written[*opt.Type]; !ok {
			return Report{}, fmt.Errorf("safetensors has no type %v: use f32, f16 or bf16, or the format gguf", *opt.Type)
		}
	}
	if err := checkFree(deps.FS, dst); err != nil {
		return Report{}, err
	}
	start := time.Now()
	s, err := open(src, deps)
	if err != nil {
		return Report{}, err
	}
	defer s.close()
	if opt.Tokenizer != "" {
		if s.tokenizer, err = readTokenizer(opt.Tokenizer); err != nil {
			return Report{}, err
		}
	}
	r := Report{Source: src, Result: filepath.Clean(dst), Format: opt.Format, ModelType: s.modelType(), Types: map[string]int{}, Unmerged: opt.Unmerge}
	if r.Adapter, err = s.chooseAdapter(opt); err != nil {
		return Report{}, err
	}
	if r.Adapter != "" {
		r.Base = cmp.Or(s.place.Base, s.path)
		if r.Changed, r.Rank, err = s.adapt(r.Adapter, opt.Unmerge, deps.FS); err != nil {
			return Report{}, err
		}
	}
	r.Notes = s.notes
	note, err := s.readEncoder()
	if err != nil {
		return Report{}, err
	}
	if note != "" {
		r.Notes = append(r.Notes, note)
	}
	for _, t := range s.tensors {
		r.Parameters += int64(t.size())
	}
	out, err := newOutput(s, opt, &r)
	if err != nil {
		return Report{}, err
	}
	err = produce(ctx, out, &r, start, deps.FS, func(temp string) error {
		if !opt.Verify {
			return nil
		}
		certificate, err := certify(ctx, s, temp, opt.Measure, deps)
		certificate.Source, certificate.Result = r.Source, r.Result
		r.Parity = &certificate
		return err
	})
	return r, err
}

// checkFree wants a name that nothing has.
func checkFree(fsys vfs.FS, dst string) error {
	if _, err := fsys.Stat(dst); err == nil {
		return fmt.Errorf("%s %w: name another place, or remove it", dst, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// produce writes out to a temporary sibling of r.Result, has it verified, which may
// set r.Parity, and renames it. On failure nothing is left, and *r is zero.
func produce(ctx context.Context, out output, r *Report, start time.Time, fsys vfs.FS, verify func(temp string) error) error {
	temp := r.Result + vfs.TempSuffix
	err := vfs.MkdirAll(fsys, filepath.Dir(r.Result))
	if err == nil {
		err = vfs.RemoveAll(fsys, temp)
	}
	if err != nil {
		*r = Report{}
		return err
	}
	if err = out.write(ctx, fsys, temp); err == nil {
		r.WriteSeconds = time.Since(start).Seconds()
		err = verify(temp)
	}
	if err == nil {
		err = out.finish(fsys, temp, r.Result, r.Parity)
	}
	if err != nil {
		*r = Report{}
		return errors.Join(err, vfs.RemoveAll(fsys, temp))
	}
	return nil
}
