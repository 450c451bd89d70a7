package ladder_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/recipe/all"
)

// figureFile writes a comparison of two sizes.
func figureFile(t *testing.T) (file, dir string) {
	t.Helper()
	dir = t.TempDir()
	base := write(t, filepath.Join(dir, "base.yaml"), `
model:     {family: llama, layers: 1, heads: 4, width: 64, context: 32, dropout: 0.1}
tokenizer: {kind: bytes}
data:      {train: [text.txt]}
train:     {batch: 4}
`)
	return write(t, filepath.Join(dir, "figure.yaml"), fmt.Sprintf(`
config: %q
dir: %q
set: [optimizer.lr=1e-3]
sizes: [[model.width=128], [model.layers=2]]
tokens: 2560
lstm: [optimizer.lr=2e-3, train.batch=8]
`, base, filepath.Join(dir, "runs"))), dir
}

// TestFigure: each Transformer has an LSTM of its size beside it, in directories of their
// own over one cache, whose configurations differ in the model and in what is set for LSTMs.
func TestFigure(t *testing.T) {
	file, dir := figureFile(t)
	for _, layers := range []int{1, 2} {
		f, err := ladder.LoadFigure(file, []string{fmt.Sprintf("layers=%d", layers)})
		if err != nil {
			t.Fatal(err)
		}
		sides, err := f.Open(t.Context(), all.Table())
		if err != nil {
			t.Fatal(err)
		}
		if len(sides[0].Rungs) != 2 || len(sides[1].Rungs) != 2 || sides[0].Rungs[0].N > sides[0].Rungs[1].N {
			t.Fatalf("%+v", sides)
		}
		for i, a := range sides[0].Rungs {
			b := sides[1].Rungs[i]
			if math.Abs(b.N/a.N-1) > 0.02 || a.D != 2560 || b.D != 2560 {
				t.Errorf("%g parameters and %g tokens beside %g and %g", a.N, a.D, b.N, b.D)
			}
			if a.Config.Optimizer.LR != 1e-3 || b.Config.Optimizer.LR != 2e-3 || a.Config.Train.Steps != 20 || b.Config.Train.Steps != 10 {
				t.Errorf("rates %g and %g, steps %d and %d", a.Config.Optimizer.LR, b.Config.Optimizer.LR, a.Config.Train.Steps, b.Config.Train.Steps)
			}
			if a.Config.Model.Name() != "llama" || b.Config.Model.Name() != "lstm" || b.Config.Text().Context != 32 {
				t.Errorf("%s beside %s of context %d", a.Config.Model.Name(), b.Config.Model.Name(), b.Config.Text().Context)
			}
			if dropout := b.Config.Text().Dropout; dropout != map[int]float64{1: 0, 2: 0.1}[layers] {
				t.Errorf("%d layers have dropout %g", layers, dropout)
			}
			for side, r := range map[string]ladder.Rung{"transformer": a, "lstm": b} {
				if want := filepath.Join(dir, "runs", side); filepath.Dir(r.Config.Run.Dir) != want {
					t.Errorf("%s lies in %s, want %s", side, r.Config.Run.Dir, want)
				}
				if texts, _ := r.Config.Texts(); texts.CacheDir != filepath.Join(dir, "runs", "cache") {
					t.Errorf("%s has the cache %s", side, texts.CacheDir)
				}
			}
		}
	}
	for set, want := range map[string]string{
		"layers=0": "layers is 0", "tokens=-1": "a budget is -1", "sizes=[]": "sizes is missing", "dir=": "dir is missing", "lstms=[]": `unknown key "lstms"`,
	} {
		if _, err := ladder.LoadFigure(file, []string{set}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
	f, err := ladder.LoadFigure(file, []string{"sizes=[[model.width=4, model.heads=2]]", "layers=9"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), all.Table()); err == nil || !strings.Contains(err.Error(), "take a larger size, or other layers") {
		t.Errorf("no LSTM of nine layers is so small: %v", err)
	}
}

// TestCurves: the ranges, the gain and the table.
func TestCurves(t *testing.T) {
	a, b := ladder.Curve{Side: "transformer", N: 100, D: 1e3}, ladder.Curve{Side: "lstm", N: 99, D: 1e3}
	for i := range 16 {
		a.NLL, b.NLL = append(a.NLL, 5-float64(i)/4), append(b.NLL, 3)
	}
	early, late := a.Ranges()
	if early != [2]int{2, 4} || late != [2]int{8, 16} {
		t.Errorf("ranges are %v and %v", early, late)
	}
	if got, want := a.Gain(), (11.5-2.5)/4; math.Abs(got-want) > 1e-12 || b.Gain() != 0 {
		t.Errorf("gains are %g and %g, want %g and 0", got, b.Gain(), want)
	}
	file := filepath.Join(t.TempDir(), "figure.csv")
	if err := ladder.WriteCurves(vfs.OS{}, file, []ladder.Curve{a, b}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || len(lines) != 17 || lines[0] != "position,transformer n=100 d=1000,lstm n=99 d=1000" || lines[2] != "1,4.750000,3.000000" {
		t.Errorf("%v\n%s", err, text)
	}
}
