package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/units"
)

// checkpointInfo is what inspect checkpoint prints.
type checkpointInfo struct {
	Dir      string                   `json:"dir"`
	Verified bool                     `json:"verified"` // every byte agrees with the manifest; false where there is none
	Bytes    int64                    `json:"bytes"`
	State    *save.State              `json:"state,omitempty"`
	Adapter  *hub.AdapterState        `json:"adapter,omitempty"` // where there are no weights of the model
	Params   int64                    `json:"params"`
	Tensors  []safetensors.Statistics `json:"tensors"`
}

func newInspectCheckpoint() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "checkpoint DIR",
		Short: "Verify a checkpoint and list its tensors",
		Long: `Checkpoint compares every file with the manifest, and lists the tensors of
model.safetensors, or of an adapter alone, with shape, norm √Σx², root mean square
and largest magnitude. Of an adapter it tells whether its base is there, with the
weights that it was trained on.`,
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
	dir, err := hub.FindCheckpoint(path)
	if err != nil {
		return nil, usageError{err}
	}
	info := &checkpointInfo{Dir: dir, Tensors: []safetensors.Statistics{}}
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
	if info.State, err = save.ReadState(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if info.Adapter, err = hub.InspectAdapter(vfs.OS{}, dir); err != nil {
		return nil, err
	}
	tensors, closeFile, err := hub.OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	for _, t := range tensors {
		s, err := t.Statistics()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		info.Params += s.Elements()
		info.Tensors = append(info.Tensors, s)
	}
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
		fmt.Fprintf(&b, "state       step %d, %d updates, %d sequences, %d tokens\n", s.Step, s.Phases[0].Applied, s.Samples, s.Units)
	}
	if a := i.Adapter; a != nil {
		fmt.Fprintf(&b, "adapter     rank %d, scale %g, to %d layers of %s\n", a.Rank, a.Scale, a.Layers, a.Base)
		if a.Fault != "" {
			fmt.Fprintf(&b, "            %s\n", a.Fault)
		}
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
