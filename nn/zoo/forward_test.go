package zoo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/nn/xl"
)

// forwardCases are small models of the families that programCases has not, with something switched on everywhere;
// numbers that could be taken for one another differ.
func forwardCases() map[string]nn.Spec {
	all := bert.Config{Layers: 1, Heads: 2, Width: 8, FFN: 12, Context: 6, Vocab: 11, Kinds: 3, Dropout: 0.25, Activation: "relu", NormEps: 1e-4, InitStd: 0.5}
	all.SetOutputs(nn.Outputs{Masked: true, Pooled: true, Next: true, Labels: []string{"a", "b", "c"}})
	untied := bert.Config{Layers: 1, Heads: 1, Width: 4, Context: 6, Vocab: 11, Tied: nn.Bool(false)}
	untied.SetOutputs(nn.Outputs{Masked: true})
	pairs := func(variant string) *seq2seq.Config {
		return &seq2seq.Config{Variant: variant, Layers: 1, DecoderLayers: 2, Heads: 2, Width: 8, FFN: 12, Context: 6, Vocab: 11, Dropout: 0.25, NormEps: 1e-4, InitStd: 0.5, LogitsBias: nn.Bool(true)}
	}
	return map[string]nn.Spec{
		"bert":        {Family: bert.Name, Config: &all},
		"bert-untied": {Family: bert.Name, Config: &untied},
		"seq2seq":     {Family: seq2seq.Name, Config: pairs(seq2seq.Transformer)},
		"bart":        {Family: seq2seq.Name, Config: pairs(seq2seq.BART)},
		"lstm-pairs":  {Family: seq2seq.Name, Config: &seq2seq.Config{Variant: seq2seq.LSTM, Layers: 1, DecoderLayers: 2, Heads: 2, Width: 8, Context: 6, Vocab: 11, Dropout: 0.25, InitStd: 0.5}},
		"lstm":        {Family: lstm.Name, Config: &lstm.Config{Layers: 2, Width: 8, Projection: 4, Embedding: 6, Context: 6, Vocab: 11, Dropout: 0.25, InitStd: 0.5}},
		"gru":         {Family: lstm.Name, Config: &lstm.Config{Kind: lstm.GRU, Layers: 2, Width: 8, Context: 6, Vocab: 11, Dropout: 0.25, Bias: nn.Bool(false)}},
		"xl":          {Family: xl.Name, Config: &xl.Config{Layers: 1, Heads: 2, HeadDim: 6, Width: 8, FFN: 12, Context: 6, Memory: 5, Vocab: 11, Dropout: 0.25, Activation: "gelu", NormEps: 1e-4, InitStd: 0.5}},
		"xl-post":     {Family: xl.Name, Config: &xl.Config{Layers: 1, Heads: 2, Width: 8, Context: 6, Memory: 5, Vocab: 11, PreNorm: nn.Bool(false), SameLength: true, Tied: nn.Bool(false)}},
		"gemma3": {Family: gemma3.Name, Config: &gemma3.Config{Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 6, Width: 8, FFN: 12, Context: 6, Vocab: 11, Dropout: 0.25, SlidingWindow: 3, GlobalEvery: 2,
			NormEps: 1e-4, InitStd: 0.5, QueryScale: 9, RopeFactor: 4, AttentionBias: true}},
	}
}

// lowered appends the dump of a graph.
func lowered(t *testing.T, out *bytes.Buffer, g *autograd.Graph, name string, nodes ...*autograd.Node) {
	t.Helper()
	p, err := g.Lower(name, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	dump(t, out, p)
}

// TestForwardPrograms compares parameters and forward passes, in training, in evaluation and of decoding, with golden
// texts, instruction by instruction; -update writes them.
func TestForwardPrograms(t *testing.T) {
	rows := nn.Rows{Batch: 2, Length: 6, Segments: true}
	for name, spec := range forwardCases() {
		m, err := Families().New(spec, nn.Tuning{})
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.NewBufferString(paramTable(m.Params()))
		switch m := m.(type) {
		case nn.TextEncoder:
			for _, training := range []bool{true, false} {
				g := autograd.NewGraph()
				in := nn.NewEncoderInputs(g, 2, 6)
				in.Asked = g.Ints("asked", 3)
				if training && m.Random() {
					in.RNG = g.Ints("rng", 4)
				}
				told := m.Encode(g, in)
				var nodes []*autograd.Node
				for _, n := range []*autograd.Node{told.Hidden, told.Masked, told.Pooled, told.Next, told.Classes} {
					if n != nil {
						nodes = append(nodes, n)
					}
				}
				lowered(t, out, g, fmt.Sprintf("encode.training=%t", training), nodes...)
			}
		case nn.PairModel:
			g := autograd.NewGraph()
			loss, nll := nn.PairTraining(g, m, rows, autograd.LossConfig{Smoothing: 0.125, ZLoss: 0.0625})
			lowered(t, out, g, "training", loss, nll)
			g = autograd.NewGraph()
			_, nll = nn.PairEvaluation(g, m, rows)
			lowered(t, out, g, "evaluation", nll)
			g, memory := nn.PairMemory(m, 2, 5)
			var values []*autograd.Node
			for _, s := range memory {
				fmt.Fprintf(out, "\nmemory %s", s.State)
				values = append(values, s.Value)
			}
			lowered(t, out, g, "memory", values...)
			g, logits := nn.PairDecode(m, 2, 5, 3, 4)
			lowered(t, out, g, "decode", logits)
		case nn.LanguageModel:
			g := autograd.NewGraph()
			loss, nll := nn.Training(g, m, rows, autograd.LossConfig{Smoothing: 0.125, ZLoss: 0.0625})
			lowered(t, out, g, "training", loss, nll)
			g = autograd.NewGraph()
			_, nll = nn.Evaluation(g, m, rows)
			lowered(t, out, g, "evaluation", nll)
			g, logits := nn.Decode(m, 1, 3, 5)
			lowered(t, out, g, "decode", logits)
		}
		file := filepath.Join("testdata", "programs", "forward-"+name+".txt")
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, lines := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(got), len(lines)) {
			if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
				t.Errorf("line %d of %s differs (go test -update rewrites it):\n got %q\nwant %q", i+1, file, got[min(i, len(got)-1)], lines[min(i, len(lines)-1)])
				break
			}
		}
	}
}
