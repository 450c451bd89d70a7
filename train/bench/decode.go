package bench

import (
	"context"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
)

// Decoding is the speed of single-token decoding with key/value caches.
type Decoding struct {
	Params     int64   `json:"params"`
	TokenMS    float64 `json:"token_ms"` // the median
	TokensPerS float64 `json:"tokens_per_s"`
}

// Decode continues a text with GPT-2 124M of random weights on d.
func (o Options) Decode(ctx context.Context, d device.Device) (Decoding, error) {
	backend, err := d.Open()
	if err != nil {
		return Decoding{}, err
	}
	defer backend.Close()
	const prompt, tokens = 8, 64
	model, err := gpt2.New(gpt2Small(1024, 50257), nn.Tuning{})
	if err != nil {
		return Decoding{}, err
	}
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return Decoding{}, err
		}
	}
	if err := nn.Initialize(model.Params(), 1, store.WriteAt); err != nil {
		return Decoding{}, err
	}
	g, err := generate.New(model, store, generate.Config{Compute: config.Config{Precision: o.Precision}.Compute()})
	if err != nil {
		return Decoding{}, err
	}
	if err := g.Append(make([]int32, prompt)...); err != nil {
		return Decoding{}, err
	}
	var times []time.Duration
	for i := range tokens {
		if ctx.Err() != nil {
			return Decoding{}, ctx.Err()
		}
		start := time.Now()
		if err := g.Append(int32(i)); err != nil {
			return Decoding{}, err
		}
		times = append(times, time.Since(start))
	}
	median := middle(times).Seconds()
	return Decoding{Params: nn.SizeOf(model).Params, TokenMS: 1e3 * median, TokensPerS: 1 / median}, nil
}
