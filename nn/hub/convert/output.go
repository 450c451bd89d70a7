package convert

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
)

// ParityName is the certificate's file in a directory. Beside a GGUF file it has
// the file's name in front: model.gguf has model.parity.json.
const ParityName = "parity.json"

// output is a result that is ready to be written.
type output interface {
	// write writes everything but the certificate to temp.
	write(ctx context.Context, fsys vfs.FS, temp string) error
	// finish adds the certificate, unless it is nil, and renames temp to dst.
	finish(fsys vfs.FS, temp, dst string, c *Certificate) error
}

// newOutput decides types and files, and puts types, bytes and notes into r.
func newOutput(s *source, opt Options, r *Report) (output, error) {
	if opt.Format == GGUF {
		return newGGUFOutput(s, opt, r)
	}
	return newDirectoryOutput(s, opt, r)
}

// directoryOutput is a Hugging Face directory in the making.
type directoryOutput struct {
	files   []file // config.json, tokenizer.json, …
	weights string // name of the file with the tensors
	tensors []safetensors.Tensor
	// metadata are texts beside them.
	metadata map[string]string
}

type file struct {
	name    string
	content []byte
}

// written pairs the types that a directory holds with their dtype and the name in
// config.json.
var written = map[gguf.Type]struct {
	dtype safetensors.DType
	name  string
}{
	gguf.F32: {safetensors.F32, "float32"}, gguf.F16: {safetensors.F16, "float16"}, gguf.BF16: {safetensors.BF16, "bfloat16"},
}

func newDirectoryOutput(s *source, opt Options, r *Report) (output, error) {
	if !opt.Own {
		if _, err := s.model.HuggingFace(); err != nil {
			return nil, err
		}
	}
	out := &directoryOutput{weights: safetensors.SingleName, metadata: hub.ModelMetadata()}
	elements := map[string]int{} // of each type
	for _, t := range s.tensors {
		as := out.add(t, opt, r)
		elements[written[as].name] += t.size()
	}
	dtype := "float32"
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		if elements[name] > elements[dtype] {
			dtype = name
		}
	}
	config, err := nn.ConfigJSON(s.model, s.special)
	if err != nil {
		return nil, err
	}
	if config, err = setKey(config, "dtype", dtype); err != nil {
		return nil, err
	}
	generation := s.generation
	if generation == nil {
		if generation, err = nn.GenerationJSON(s.special); err != nil {
			return nil, err
		}
	}
	out.files = []file{
		{"config.json", config}, {"generation_config.json", generation},
		{"tokenizer.json", s.tokenizer.tokenizer}, {"tokenizer_config.json", s.tokenizer.config},
	}
	return out, nil
}

// add appends a tensor and returns the type that it is written as.
func (o *directoryOutput) add(t tensor, opt Options, r *Report) gguf.Type {
	as := t.typ
	if opt.Type != nil {
		as = *opt.Type
	}
	if _, ok := written[as]; !ok {
		as = gguf.F32
	}
	dtype := written[as].dtype
	o.tensors = append(o.tensors, safetensors.Tensor{Name: t.name, DType: dtype, Shape: t.shape, From: encoded{t, as}})
	r.Types[dtype.String()]++
	r.Bytes += int64(t.bytes(as))
	return as
}

func (o *directoryOutput) write(ctx context.Context, fsys vfs.FS, temp string) error {
	if err := fsys.Mkdir(temp); err != nil {
		return err
	}
	for _, f := range o.files {
		if err := writeBytes(fsys, filepath.Join(temp, f.name), f.content); err != nil {
			return err
		}
	}
	return vfs.WriteFile(fsys, filepath.Join(temp, o.weights), func(w io.Writer) error {
		return safetensors.Write(interruptible{ctx, w}, o.tensors, o.metadata)
	})
}

func (o *directoryOutput) finish(fsys vfs.FS, temp, dst string, c *Certificate) error {
	if c != nil {
		if err := c.write(fsys, filepath.Join(temp, ParityName)); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(temp); err != nil {
		return err
	}
	if err := checkFree(fsys, dst); err != nil {
		return err
	}
	if err := fsys.Rename(temp, dst); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(dst))
}

// ggufParity is the certificate's file beside a GGUF file.
func ggufParity(dst string) string { return strings.TrimSuffix(dst, ".gguf") + "." + ParityName }

func writeBytes(fsys vfs.FS, name string, content []byte) error {
	return vfs.WriteFile(fsys, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// interruptible fails once ctx has ended. It hands large writes on in parts, so
// that an interrupt is soon felt.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

// part is the most that interruptible writes at once, in bytes.
const part = 16 << 20

func (w interruptible) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := w.ctx.Err(); err != nil {
			return written, fmt.Errorf("interrupted: %w", err)
		}
		n, err := w.w.Write(p[written:min(len(p), written+part)])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}
