package zoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/nn/xl"
)

// borders lists what configurations of decoders say to values of their keys, a line a key.
const borders = "testdata/borders.txt"

// digits are what differs between faults of one kind.
var digits = regexp.MustCompile(`[0-9.e+]+|NaN|Inf`)

// values are those that a key of a type is given, at and beyond usual borders.
func values(of reflect.Type) (all []any) {
	switch of.Kind() {
	case reflect.Int:
		return []any{-1, 0, 1, 2, 3, 4, 5, 8, nn.MaxLayers, nn.MaxLayers + 1, nn.MaxSize, nn.MaxSize + 1}
	case reflect.Float64:
		return []any{-1.0, 0.0, 1e-12, 0.5, math.Nextafter(1, 0), 1.0, math.Nextafter(1, 2), 2.0, math.Nextafter(1000, 0), 1000.0, 3e5, math.Nextafter(1e6, 0), 1e6, math.Nextafter(1e12, 0), 1e12, math.NaN(), math.Inf(1)}
	case reflect.String:
		return []any{"", "gelu", "gelu_tanh", "silu", "relu", "relu2", "rope", "learned", "sinusoidal", "none", "x"}
	case reflect.Slice:
		if of.Elem().Kind() == reflect.String {
			return []any{[]string(nil), []string{"a"}, []string{"a", "b"}, []string{"a", "a"}, []string{"a", ""}}
		}
		return []any{[]float64(nil), []float64{1}, []float64{1, 2}, []float64{0, 1}, []float64{1, -1}, []float64{1, 1e6}, []float64{1, math.NaN()}}
	case reflect.Bool:
		return []any{false, true}
	case reflect.Pointer:
		if of.Elem().Kind() == reflect.Bool {
			return []any{nn.Bool(false), nn.Bool(true)}
		}
	}
	return nil
}

// said is what a configuration says to v in a field, "" for nothing.
func said(c nn.Configuration) string {
	if err := c.Validate(); err != nil {
		return fmt.Sprintf("%.70s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return "fine"
}

// tryFields writes a line for each field of the struct that section leads to in a configuration that fresh makes.
func tryFields(out *strings.Builder, name string, fresh func() nn.Configuration, section func(nn.Configuration) reflect.Value) {
	of := section(fresh()).Type()
	for i := range of.NumField() {
		before := "none"
		for _, v := range values(of.Field(i).Type) {
			c := fresh()
			section(c).Field(i).Set(reflect.ValueOf(v))
			shown := fmt.Sprintf("%v", v)
			if p, ok := v.(*bool); ok {
				shown = fmt.Sprint(*p)
			}
			if now := said(c); digits.ReplaceAllString(now, "") != before {
				fmt.Fprintf(out, "%s.%s from %s on: %s\n", name, of.Field(i).Name, shown, now)
				before = digits.ReplaceAllString(now, "")
			}
		}
	}
}

// TestBorders compares with the list; -update writes it.
func TestBorders(t *testing.T) {
	root := func(c nn.Configuration) reflect.Value { return reflect.ValueOf(c).Elem() }
	var got strings.Builder
	tryFields(&got, "gpt2", func() nn.Configuration { return &gpt2.Config{Layers: 2, Heads: 2, Width: 8, Context: 16} }, root)
	tryFields(&got, "llama", func() nn.Configuration { return &llama.Config{Layers: 2, Heads: 2, Width: 8, Context: 16} }, root)
	tryFields(&got, "gemma3", func() nn.Configuration { return &gemma3.Config{Layers: 2, Heads: 2, Width: 8, Context: 16} }, root)
	others := map[string]func() nn.Configuration{
		"bert":    func() nn.Configuration { return &bert.Config{Layers: 2, Heads: 2, Width: 8, Context: 16} },
		"seq2seq": func() nn.Configuration { return &seq2seq.Config{Layers: 2, Heads: 2, Width: 8, Context: 16} },
		"bart": func() nn.Configuration {
			return &seq2seq.Config{Variant: seq2seq.BART, Layers: 2, Heads: 2, Width: 8, Context: 16}
		},
		"lstm pairs": func() nn.Configuration {
			return &seq2seq.Config{Variant: seq2seq.LSTM, Layers: 2, Heads: 2, Width: 8, Context: 16}
		},
		"lstm": func() nn.Configuration { return &lstm.Config{Layers: 2, Width: 8, Context: 16} },
		"gru":  func() nn.Configuration { return &lstm.Config{Kind: lstm.GRU, Layers: 2, Width: 8, Context: 16} },
		"xl":   func() nn.Configuration { return &xl.Config{Layers: 2, Heads: 2, Width: 8, Context: 16, Memory: 8} },
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		tryFields(&got, name, others[name], root)
		full := others[name]()
		full.(interface{ SetDefaults() }).SetDefaults()
		text, err := json.Marshal(full)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s, full: %s\n", name, text)
	}
	for _, kind := range []string{autograd.LinearScaling, autograd.Llama3Scaling, autograd.YaRNScaling, autograd.LongRoPEScaling, "dynamic", "x"} {
		fresh := func() nn.Configuration {
			s := &llama.RopeScaling{Type: kind, Factor: 2, Original: 8}
			if kind == autograd.LongRoPEScaling {
				s.ShortFactor, s.LongFactor = []float64{1, 2}, []float64{3, 4}
			}
			return &llama.Config{Layers: 2, Heads: 2, Width: 8, Context: 16, RopeScaling: s}
		}
		tryFields(&got, "llama."+kind, fresh, func(c nn.Configuration) reflect.Value { return reflect.ValueOf(c.(*llama.Config).RopeScaling).Elem() })
	}
	for _, kind := range []string{autograd.LinearScaling, autograd.Llama3Scaling, autograd.YaRNScaling, autograd.LongRoPEScaling} { // what is left out follows
		for _, factor := range []float64{0, 0.5, 1, 2, 32} {
			s := &llama.RopeScaling{Type: kind, Factor: factor}
			if kind == autograd.LongRoPEScaling {
				s.ShortFactor, s.LongFactor = []float64{1, 2}, []float64{3, 4}
			}
			c := &llama.Config{Layers: 2, Heads: 2, Width: 8, Context: 16, RopeScaling: s}
			fmt.Fprintf(&got, "%s by %g: %s", kind, factor, said(c))
			c.SetDefaults()
			full := *c.RopeScaling
			fmt.Fprintf(&got, ", %d, %g, %g, %.6f\n", full.Original, full.LowFreqFactor, full.BetaFast, full.AttentionFactor)
		}
	}
	for _, size := range [][4]int{{4, 2, 8, 0}, {4, 3, 8, 0}, {3, 0, 8, 0}, {4, 0, 2, 0}, {4, 1, 12, 0}, {4, 4, 12, 6}, {4, 2, 12, 5}, {3, 1, 8, 4}, {5, 5, 5, 0}, {1, 1, 1, 0}} {
		heads, kv, width, dim := size[0], size[1], size[2], size[3]
		fmt.Fprintf(&got, "%d heads, %d of keys, width %d, head_dim %d: gpt2 %s; llama %s; gemma3 %s\n", heads, kv, width, dim,
			said(&gpt2.Config{Layers: 1, Heads: heads, KVHeads: kv, Width: width, HeadDim: dim, Context: 4}), said(&llama.Config{Layers: 1, Heads: heads, KVHeads: kv, Width: width, HeadDim: dim, Context: 4}),
			said(&gemma3.Config{Layers: 1, Heads: heads, KVHeads: kv, Width: width, HeadDim: dim, Context: 4}))
	}
	if *update {
		if err := os.WriteFile(borders, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(borders)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d:\n%s\nwant\n%s", i+1, strings.Join(is[min(i, len(is)):min(i+1, len(is))], ""), strings.Join(was[min(i, len(was)):min(i+1, len(was))], ""))
		}
	}
}
