package lstm

import (
	"errors"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

// TestFaults: each wrong configuration gets its one line.
func TestFaults(t *testing.T) {
	good := Config{Kind: LSTM, Layers: 2, Width: 8, Context: 4, Vocab: 5}
	for want, change := range map[string]func(*Config){
		"":                                       func(*Config) {},
		`model.kind: "rnn" is not one of`:        func(c *Config) { c.Kind = "rnn" },
		"model.projection: a GRU has none":       func(c *Config) { c.Kind, c.Projection = GRU, 4 },
		"model.projection: 8 is not below":       func(c *Config) { c.Projection = 8 },
		"model.tied: the head reads states of 8": func(c *Config) { c.Embedding, c.Tied = 6, nn.Bool(true) },
		"model.dropout: acts between layers":     func(c *Config) { c.Layers, c.Dropout = 1, 0.5 },
		"model.dropout: 1 is outside":            func(c *Config) { c.Dropout = 1 },
		"model.layers: is missing":               func(c *Config) { c.Layers = 0 },
		"model.width: -1 is outside":             func(c *Config) { c.Width = -1 },
		"model.vocab: is missing":                func(c *Config) { c.Vocab = 0 },
	} {
		c := good
		change(&c)
		_, err := New(c, nn.Tuning{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// TestNames are those that torch.nn.LSTM and GRU load, with their shapes.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string
		params int64
	}{
		{Config{Kind: LSTM, Layers: 2, Width: 8, Projection: 3, Embedding: 5, Context: 4, Vocab: 7},
			"embedding.weight (7, 5) rnn.weight_ih_l0 (32, 5) rnn.bias_ih_l0 (32) rnn.weight_hh_l0 (32, 3) rnn.bias_hh_l0 (32) rnn.weight_hr_l0 (3, 8) " +
				"rnn.weight_ih_l1 (32, 3) rnn.bias_ih_l1 (32) rnn.weight_hh_l1 (32, 3) rnn.bias_hh_l1 (32) rnn.weight_hr_l1 (3, 8) head.weight (7, 3)", 7*5 + 32*5 + 3*32*3 + 4*32 + 2*24 + 21},
		{Config{Kind: GRU, Layers: 1, Width: 8, Context: 4, Vocab: 7, Bias: nn.Bool(false)}, "embedding.weight (7, 8) rnn.weight_ih_l0 (24, 8) rnn.weight_hh_l0 (24, 8)", 56 + 2*24*8},
	} {
		m, err := New(tt.config, nn.Tuning{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range m.Params() {
			names = append(names, p.Name+" "+p.Shape.String())
			if strings.HasPrefix(p.Name, "rnn.") != (p.Block >= 0) || p.Matrix != strings.HasPrefix(p.Name, "rnn.weight") {
				t.Errorf("%s: block %d, matrix %t", p.Name, p.Block, p.Matrix)
			}
		}
		if got := strings.Join(names, " "); got != tt.want || nn.SizeOf(m).Params != tt.params {
			t.Errorf("%s, %d parameters; want %s, %d", got, nn.SizeOf(m).Params, tt.want, tt.params)
		}
		if _, err := m.HuggingFace(); !errors.Is(err, nn.ErrNoCounterpart) {
			t.Error(err)
		}
	}
}
