package train

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/xl"

	"example.com/gotrain/data/vfs"
)

// Of the copy task: blocks of random letters, each of which stands there twice.
const (
	copySegment = 8
	copyBlock   = 3 * copySegment
	copyLetters = 16
)

// copyText is random blocks, each followed by its copy.
func copyText(blocks int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var text []byte
	for range blocks {
		for range copyBlock {
			text = append(text, byte('a'+rng.IntN(copyLetters)))
		}
		text = append(text, text[len(text)-copyBlock:]...)
	}
	return text
}

// TestCopyNeedsMemory: a Transformer-XL copies what is three segments back with a memory of as
// many, and guesses without (LOG.md has the figures).
func TestCopyNeedsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for half a minute")
	}
	for _, memory := range []int{copyBlock, 0} {
		c := tinyConfig(t)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "copies.txt"), copyText(6000, 1), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := c.Data.Set("text", &data.Config{Format: data.FormatText, TextKey: "text", Paths: []string{filepath.Join(dir, "copies.txt")}, CacheDir: filepath.Join(dir, "cache")}); err != nil {
			t.Fatal(err)
		}
		c.Tokenizer.Kind, c.Tokenizer.Vocab = "characters", 0
		if err := c.Model.Set(xl.Name, &xl.Config{Layers: 2, Heads: 2, Width: 32, Context: copySegment, Memory: memory}); err != nil {
			t.Fatal(err)
		}
		c.Train.Steps, c.Train.Batch, c.Train.SaveEvery, c.Train.EvalEvery, c.Train.Sample = 900, 32, 0, 0, ""
		c.Optimizer.Kind, c.Optimizer.LR, c.Optimizer.Warmup, c.Optimizer.Schedule = "adamw", 5e-3, 50, "cosine"
		r := mustTrain(t, c, deps(t, 2))
		correct, all := copied(t, r.Checkpoint, r.Config)
		share := float64(correct) / float64(all)
		t.Logf("memory %d: %d of %d letters of copies are right, %.1f%%", memory, correct, all, 100*share)
		if memory > 0 && share < 0.99 || memory == 0 && share > 2.0/copyLetters {
			t.Errorf("memory %d: %.1f%% of the letters of copies are right", memory, 100*share)
		}
	}
}

// copied counts the letters of copies in a new text that the model of a checkpoint tells.
func copied(t *testing.T, dir string, cfg Config) (correct, all int) {
	t.Helper()
	b := deps(t, 2).Backend
	loaded, err := hub.Load(dir, "", b, vfs.OS{}, table.Families)
	if err != nil {
		t.Fatal(err)
	}
	m := loaded.Model.(nn.LanguageModel)
	g, logits := nn.Logits(m, nn.Rows{Batch: 1, Length: copySegment, Carried: nn.Remembers(m)})
	p, err := g.Lower("copy", logits)
	if err != nil {
		t.Fatal(err)
	}
	built, err := plan.Build(p, plan.Options{Target: b.Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(b, built.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(built, loaded.Store, arena)
	if err != nil {
		t.Fatal(err)
	}
	text := copyText(50, 2)
	ids := loaded.Tokenizer.AppendEncode(nil, text)
	out, positions, v := make([]float32, copySegment*m.Vocab()), make([]int32, copySegment), m.Vocab()
	for at := 0; at+copySegment < len(ids); at += copySegment {
		for i := range positions {
			positions[i] = int32(min(at, copyBlock) + i)
		}
		if err := s.SetInts("ids", ids[at:at+copySegment]); err != nil {
			t.Fatal(err)
		}
		if err := s.SetInts("positions", positions); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		if err := s.Output(0, out); err != nil {
			t.Fatal(err)
		}
		for i := range copySegment {
			next := at + i + 1
			if next%(2*copyBlock) < copyBlock {
				continue // of a block, not of a copy
			}
			row := out[i*v : (i+1)*v]
			all++
			if slices.Index(row, slices.Max(row)) == int(ids[next]) {
				correct++
			}
		}
	}
	return correct, all
}
