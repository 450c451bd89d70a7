package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/nn/hub/safetensors"
	"gotrain/train"
	"gotrain/train/checkpoint"
	"gotrain/train/config"
	"gotrain/train/units"
)

func newInspect() *cobra.Command {
	return group(&cobra.Command{
		Use:     "inspect",
		Short:   "Look inside a configuration, a checkpoint, a plan or a shard",
		Example: "  gotrain inspect checkpoint runs/opticks",
	}, newInspectConfig(), newInspectCheckpoint(), newInspectPlan(), newInspectShard())
}

func newInspectConfig() *cobra.Command {
	var set []string
	c := &cobra.Command{
		Use:   "config FILE",
		Short: "Print a configuration with every default spelled out",
		Example: `  gotrain inspect config configs/opticks.yaml
  gotrain inspect config configs/opticks.yaml --set optimizer.kind=muon > muon.yaml`,
		Args: oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0], set)
			if err != nil {
				return err
			}
			text, err := config.Encode(cfg)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
		ValidArgsFunction: filesWith("yaml", "yml"),
	}
	c.Flags().StringArrayVar(&set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	return c
}

// tensorInfo is a tensor of a checkpoint.
type tensorInfo struct {
	Name  string  `json:"name"`
	DType string  `json:"dtype"`
	Shape []int   `json:"shape"`
	Norm  float64 `json:"norm"` // √Σ x²
	RMS   float64 `json:"rms"`
	Max   float64 `json:"max_abs"`
	Bad   int     `json:"not_finite"` // NaN and infinities, left out of the others
}

// checkpointInfo is what inspect checkpoint prints.
type checkpointInfo struct {
	Dir      string       `json:"dir"`
	Verified bool         `json:"verified"` // every byte agrees with the manifest; false where there is none
	Bytes    int64        `json:"bytes"`
	State    *train.State `json:"state,omitempty"`
	Params   int64        `json:"params"`
	Tensors  []tensorInfo `json:"tensors"`
}

func newInspectCheckpoint() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "checkpoint DIR",
		Short: "Verify a checkpoint and list its tensors",
		Long: `Checkpoint compares every file with the manifest, and lists the tensors of
model.safetensors with shape, norm √Σx², root mean square and largest magnitude.`,
		Example: "  gotrain inspect checkpoint runs/opticks",
		Args:    oneArg("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := inspectCheckpoint(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), info)
			}
			return info.print(c.OutOrStdout())
		},
		ValidArgsFunction: models,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func inspectCheckpoint(path string) (*checkpointInfo, error) {
	dir, err := train.FindCheckpoint(path)
	if err != nil {
		return nil, usageError{err}
	}
	info := &checkpointInfo{Dir: dir, Tensors: []tensorInfo{}}
	if exists(filepath.Join(dir, "manifest.json")) {
		manifest, err := checkpoint.Verify(vfs.OS{}, dir)
		if err != nil {
			return nil, err
		}
		info.Verified = true
		for _, f := range manifest.Files {
			info.Bytes += f.Size
		}
	}
	if info.State, err = train.ReadState(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, t := range f.Tensors() {
		ti, err := inspectTensor(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		info.Params += elements(t.Shape)
		info.Tensors = append(info.Tensors, ti)
	}
	return info, nil
}

func elements(shape []int) int64 {
	n := int64(1)
	for _, s := range shape {
		n *= int64(s)
	}
	return n
}

func inspectTensor(t safetensors.Tensor) (tensorInfo, error) {
	info := tensorInfo{Name: t.Name, DType: t.DType.String(), Shape: append([]int{}, t.Shape...)}
	values := make([]float32, elements(t.Shape))
	if err := t.CopyFloat32(values); err != nil {
		return info, err
	}
	var sum float64
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			info.Bad++
			continue
		}
		sum += x * x
		info.Max = math.Max(info.Max, math.Abs(x))
	}
	info.Norm = math.Sqrt(sum)
	info.RMS = math.Sqrt(sum / math.Max(1, float64(len(values)-info.Bad)))
	return info, nil
}

func (i *checkpointInfo) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "checkpoint  %s\n", i.Dir)
	if i.Verified {
		fmt.Fprintf(&b, "checksums   all files agree with the manifest, %s\n", units.Bytes(i.Bytes))
	} else {
		fmt.Fprintf(&b, "checksums   there is no manifest.json to compare with\n")
	}
	if s := i.State; s != nil {
		fmt.Fprintf(&b, "state       step %d, %d updates, %d sequences, %d tokens\n", s.Step, s.Applied, s.Samples, s.Tokens)
	}
	fmt.Fprintf(&b, "parameters  %s in %d tensors\n\n", units.Count(i.Params), len(i.Tensors))
	width := len("tensor")
	for _, t := range i.Tensors {
		width = max(width, len(t.Name))
	}
	fmt.Fprintf(&b, "%-*s  %-5s %-14s %11s %10s %10s\n", width, "tensor", "type", "shape", "norm", "rms", "max")
	for _, t := range i.Tensors {
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Shape), " ", ", "), "[]")
		fmt.Fprintf(&b, "%-*s  %-5s %-14s %11.4f %10.5f %10.5f", width, t.Name, t.DType, "("+shape+")", t.Norm, t.RMS, t.Max)
		if t.Bad > 0 {
			fmt.Fprintf(&b, "  %d not finite", t.Bad)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newInspectPlan() *cobra.Command {
	var f configFlags
	var program string
	var dump bool
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the programs of a configuration: passes, memory at the peak, instructions",
		Example: `  gotrain inspect plan configs/opticks.yaml
  gotrain inspect plan configs/opticks.yaml --program step --dump`,
		Args: oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0], f.set)
			if err != nil {
				return err
			}
			return inspectPlan(c, cfg, program, dump)
		},
		ValidArgsFunction: filesWith("yaml", "yml"),
	}
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	c.Flags().StringVar(&program, "program", "", "only this one: step, or first, next and update with accumulation; eval")
	c.Flags().BoolVar(&dump, "dump", false, "print every instruction too")
	complete(c, "program", fixed("step", "first", "next", "last", "eval"))
	return c
}

func inspectPlan(c *cobra.Command, cfg train.Config, program string, dump bool) error {
	d, err := planDevice(cfg.Device, "", cfg.Threads)
	if err != nil {
		return err
	}
	target, err := d.Target()
	if err != nil {
		return err
	}
	model, _, err := makeModel(c.Context(), &cfg)
	if err != nil {
		return err
	}
	programs, err := train.Compile(cfg, model, target)
	if err != nil {
		return err
	}
	var names []string
	shown := 0
	for _, p := range programs.All() {
		names = append(names, p.Program.Name)
		if program != "" && p.Program.Name != program {
			continue
		}
		if shown > 0 {
			fmt.Fprintln(c.OutOrStdout())
		}
		shown++
		if err := p.WriteReport(c.OutOrStdout()); err != nil {
			return err
		}
		if dump {
			fmt.Fprintln(c.OutOrStdout())
			if err := p.Program.Dump(c.OutOrStdout()); err != nil {
				return err
			}
		}
	}
	if shown == 0 {
		return usagef("--program: there is no %q; the programs are %s", program, strings.Join(names, ", "))
	}
	return nil
}

func newInspectShard() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "shard FILE",
		Short:   "Verify a token shard and print its header",
		Example: "  gotrain inspect shard ~/.cache/gotrain/data/*/train-00000.gtsh",
		Args:    oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := data.OpenShard(args[0])
			if errors.Is(err, os.ErrNotExist) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			defer s.Close()
			if asJSON {
				return writeJSON(c.OutOrStdout(), s.Header)
			}
			h := s.Header
			_, err = fmt.Fprintf(c.OutOrStdout(), `shard        %s, checksums agree
split        %s, shard %d of its set
tokens       %d of %d bytes, in %d documents
text         %s, %.3f bytes a token
vocabulary   %d tokens, %d ends a document
tokenizer    %s
source       %s
`, s.Path(), h.Split, h.Index, h.Tokens, h.TokenBytes, h.Documents, units.Bytes(h.TextBytes), float64(h.TextBytes)/float64(max(h.Tokens, 1)), h.VocabSize, h.EndOfText, h.Tokenizer, h.Source)
			return err
		},
		ValidArgsFunction: filesWith("gtsh"),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
