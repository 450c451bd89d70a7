package convert

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/llama"
)

// TestQuantisedExports: matrices get the type that is asked for, the head and those whose
// rows are no whole blocks the one that llama.cpp gives them; what is read back is what the
// blocks stand for, and the report tells how far it is off, and what that costs a text.
func TestQuantisedExports(t *testing.T) {
	dir := t.TempDir()
	tied := true
	for _, c := range []struct {
		typ      gguf.Type
		width    int
		tied     *bool
		types    string
		notes    int
		relative float64
	}{
		{gguf.Q4_K, 256, nil, "map[F32:3 Q4_K:8 Q6_K:1]", 1, 0.09},
		{gguf.Q4_K, 256, &tied, "map[F32:3 Q4_K:7 Q6_K:1]", 1, 0.09},
		{gguf.Q4_0, 256, nil, "map[F32:3 Q4_0:8 Q6_K:1]", 1, 0.12},
		{gguf.Q6_K, 256, nil, "map[F32:3 Q6_K:9]", 0, 0.03},
		{gguf.Q4_K, 64, nil, "map[F32:3 Q4_K:1 Q5_0:7 Q8_0:1]", 2, 0.09},
		{gguf.Q6_K, 64, &tied, "map[F32:3 Q6_K:1 Q8_0:7]", 1, 0.03},
		{gguf.Q4_0, 48, nil, "map[F16:8 F32:3 Q4_0:1]", 2, 0.12},
	} {
		name := fmt.Sprintf("%v-%d-%t", c.typ, c.width, c.tied != nil)
		m := newModel(t, nn.Spec{Family: llama.Name, Config: &llama.Config{Layers: 1, Heads: 2, Width: c.width, FFN: 256, Context: 64, Vocab: 272, Tied: c.tied}})
		src, dst := filepath.Join(dir, name), filepath.Join(dir, name+".gguf")
		writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
		text := []byte(strings.Repeat("the quick brown fox. ", 20))
		r, err := Convert(t.Context(), src, dst, Options{Format: GGUF, Type: &c.typ, Verify: true, Measure: text}, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Types); got != c.types || len(r.Notes) != c.notes {
			t.Errorf("%s: %s, want %s; %q", name, got, c.types, r.Notes)
		}
		if info, err := os.Stat(dst); err != nil || info.Size() < r.Bytes || info.Size() > r.Bytes+40000 {
			t.Errorf("%s: %d bytes, reported %d", name, info.Size(), r.Bytes)
		}
		measured := r.Parity.Measured
		if measured == nil || measured.Tokens < 300 || measured.Source <= 0 || measured.Result == measured.Source {
			t.Errorf("%s: measured %+v", name, measured)
		}
		checkRounded(t, name, src, dst, r.Parity.Account.Rounded, c.relative)
	}
}

// checkRounded adds the errors up again from what both files hold.
func checkRounded(t *testing.T, name, src, dst string, rounded []Rounding, most float64) {
	t.Helper()
	_, want := values(t, src)
	_, got := values(t, dst)
	var errors, numbers float64
	for param := range want {
		changed := false
		var sum float64
		for i, x := range want[param] {
			d := float64(x) - float64(got[param][i])
			sum, changed = sum+d*d, changed || d != 0
		}
		if changed {
			errors, numbers = errors+sum, numbers+float64(len(want[param]))
		}
	}
	var reported, n float64
	for _, r := range rounded {
		reported, n = reported+r.RMS*r.RMS*float64(r.Numbers), n+float64(r.Numbers)
		if r.Relative() > most || r.Relative() <= 0 {
			t.Errorf("%s: %+v, relative %g", name, r, r.Relative())
		}
	}
	if n != numbers || math.Abs(reported-errors) > 1e-6*errors {
		t.Errorf("%s: squares of errors %g of %g numbers, reported %g of %g", name, errors, numbers, reported, n)
	}
}

// TestMeasureNothing: a text needs tokens to predict.
func TestMeasureNothing(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["llama"])
	writeModel(t, filepath.Join(dir, "hf"), m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	_, err := Convert(t.Context(), filepath.Join(dir, "hf"), filepath.Join(dir, "m.gguf"), Options{Format: GGUF, Verify: true, Measure: []byte("x")}, testDeps())
	if err == nil || !strings.Contains(err.Error(), "there is nothing to measure") {
		t.Error(err)
	}
}
