package forecast

import (
	"math"
	"strings"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/train/engine"
)

// TestEconomy holds what options save, of patterns counted by hand in blocks, and the length
// from which they save some.
func TestEconomy(t *testing.T) {
	// Memory costs nothing here, and what is computed of a pair as much as of any other.
	pairs := engine.Machine{Peak: 1e9, Products: 1e9, Attention: 1e9, Bandwidth: 1e30}
	both, causal := nn.Shape{Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 8}, nn.Shape{Layers: 4, Heads: 2, KVHeads: 2, HeadDim: 8, Causal: true}
	for _, c := range []struct {
		o      nn.AttentionOptions
		shape  nn.Shape
		length int
		share  float64
		from   int
		text   string
	}{
		{nn.AttentionOptions{Kind: "local_global", Local: 1}, both, 256, 10. / 16, 192, "local_global: about 62.5% of the time of attention to all pairs at a length of 256; it is faster than all pairs from 192 on"},
		{nn.AttentionOptions{Kind: "strided", Block: 128, Local: 3, Stride: 4}, both, 256, 1, 448, "warning: it is faster than all pairs from 448 on only"},
		{nn.AttentionOptions{Kind: "fixed", Stride: 2, Global: 2}, both, 256, 1, 0, "faster at no length"},
		// Of 10 tiles under the diagonal all are seen in the first of four layers and 4 halves in the others.
		{nn.AttentionOptions{Kind: "latent", Latents: 64}, causal, 256, (256*257/2 + 3*4*64*65/2) / (4 * 256. * 257 / 2), 128, "latent: about"},
	} {
		e, err := economy(c.o.WithDefaults().Economy(c.shape), c.length, pairs)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(e.Share-c.share) > 1e-6 || e.From != c.from || !strings.Contains(e.Text(c.length), c.text) {
			t.Errorf("%+v: %+v, %q; want %g from %d, %q", c.o, e, e.Text(c.length), c.share, c.from, c.text)
		}
	}
}

// TestEconomyOfLinformer: mixing costs something, so that more mixtures pay at longer texts
// only, and none do where memory is slow; a longer text saves more.
func TestEconomyOfLinformer(t *testing.T) {
	machine := engine.Machine{Peak: 1e11, Products: 1e11, Attention: 5e10, Bandwidth: 2e10}
	at := func(rank, length int, m engine.Machine) *Economy {
		o := &nn.AttentionOptions{Kind: nn.Linformer, Rank: rank}
		e, err := economy(o.WithDefaults().Economy(nn.Shape{Layers: 1, Heads: 4, KVHeads: 4, HeadDim: 32}), length, m)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	few, many := at(32, 512, machine), at(256, 512, machine)
	if few.From < 64 || few.From >= many.From || many.From <= 256 {
		t.Errorf("32 mixtures are faster from %d on, 256 from %d", few.From, many.From)
	}
	if longer := at(32, 2048, machine); longer.Share >= few.Share || longer.From != few.From {
		t.Errorf("%+v of 512 tokens, %+v of 2048", few, longer)
	}
	slow := machine
	slow.Bandwidth = 1e8
	if e := at(32, 512, slow); e.From <= few.From {
		t.Errorf("with slow memory %+v, else %+v", e, few)
	}
}

// TestEconomyCountsBothPasses: the share is of forward and backward, which read and write more
// than twice what the forward pass does. With
// the forward pass alone they are 0.29226 and 5.50461.
func TestEconomyCountsBothPasses(t *testing.T) {
	o := &nn.AttentionOptions{Kind: nn.Linformer, Rank: 32}
	e := o.WithDefaults().Economy(nn.Shape{Layers: 1, Heads: 4, KVHeads: 4, HeadDim: 32})
	for _, c := range []struct {
		machine engine.Machine
		share   float64
	}{
		{engine.Machine{Peak: 1e11, Products: 1e11, Attention: 5e10, Bandwidth: 2e10}, 0.24391},
		{engine.Machine{Peak: 1e11, Products: 1e11, Attention: 1e11, Bandwidth: 1e8}, 4.30020},
	} {
		got, err := economy(e, 512, c.machine)
		if err != nil || math.Abs(got.Share-c.share) > 1e-4 {
			t.Errorf("%+v: %+v, %v; want %g", c.machine, got, err, c.share)
		}
	}
}
