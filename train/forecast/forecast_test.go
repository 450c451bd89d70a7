package forecast_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/units"
)

// oneLayer is a configuration of a GPT-2 of one layer.
func oneLayer() config.Config {
	family := gpt2.Family()
	family.Config = func() any { return &gpt2.Config{Layers: 1, Heads: 12, Width: 768, Context: 1024, Vocab: 50304} }
	cfg := config.Default(config.Tables{Families: nn.Families{family}})
	cfg.Train.Sample = ""
	cfg.Precision, cfg.Train.Batch, cfg.Train.Steps = "bfloat16", 16, 1000
	return cfg
}

// onH100 forecasts a configuration for a GPU that need not be here.
func onH100(cfg config.Config) (*forecast.Report, error) { return onCard(cfg, "h100-sxm") }

func onCard(cfg config.Config, card string) (*forecast.Report, error) {
	job, err := text.Design(context.Background(), recipe.Env{Config: cfg, Families: zoo.Families()})
	if err != nil {
		return nil, err
	}
	d, err := device.OfCard(card)
	if err != nil {
		return nil, err
	}
	return forecast.Make(cfg, job, d)
}

func Example() {
	r, err := onH100(oneLayer())
	if err != nil {
		fmt.Println(err)
		return
	}
	r.SetPrice(2.5)
	fmt.Println(units.Count(r.Params), units.Bytes(r.Memory.Parameters), units.Bytes(r.Memory.Optimizer), r.Fits())
	fmt.Println(r.Cost > 0, r.LargestBatch > r.Batch)
	// Output:
	// 46.5M 264.6 MiB 354.8 MiB true
	// true true
}

// TestCard: heads of 128 and 256 train in bfloat16 on cards whose blocks have 99 KiB of
// shared memory; those of 256 in float32 do not, and the forecast says so.
func TestCard(t *testing.T) {
	for _, c := range []struct {
		card, precision string
		heads           int
		want            string // "" is no error
	}{
		{"rtx-4090", "bfloat16", 6, ""},
		{"rtx-4090", "bfloat16", 3, ""},
		{"rtx-4090", "float32", 6, ""},
		{"rtx-4090", "float32", 3, "heads of 256 in f32 take"},
		{"l40s", "tf32", 3, "a block of this card has 101376"},
		{"a100-80gb", "float32", 3, ""},
	} {
		family := gpt2.Family()
		family.Config = func() any {
			return &gpt2.Config{Layers: 1, Heads: c.heads, Width: 768, Context: 256, Vocab: 1024}
		}
		cfg := config.Default(config.Tables{Families: nn.Families{family}})
		cfg.Train.Sample, cfg.Precision, cfg.Train.Batch = "", c.precision, 2
		_, err := onCard(cfg, c.card)
		var refused *device.Error
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, %d heads in %s: %v, want %q", c.card, c.heads, c.precision, err, c.want)
		}
	}
}

// TestLargestBatch: the batch that a forecast names fits, one more sequence does not.
func TestLargestBatch(t *testing.T) {
	for _, batch := range []int{4, 100_000} { // the last does not fit
		cfg := oneLayer()
		cfg.Train.Batch = batch
		first, err := onH100(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if first.Fits() != (batch == 4) {
			t.Errorf("batch %d: fits is %t", batch, first.Fits())
		}
		for _, more := range []int{0, 1} {
			cfg.Train.Batch = first.LargestBatch + more
			r, err := onH100(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if r.Fits() != (more == 0) {
				t.Errorf("from %d: the largest batch is %d, but %d needs %d of %d bytes", batch, first.LargestBatch, cfg.Train.Batch, r.Memory.Total, r.Limits.Usable())
			}
		}
	}
}

// TestCost counts the hours of all ranks.
func TestCost(t *testing.T) {
	cfg := oneLayer()
	cfg.Rank = mesh.Of(0, 4)
	r, err := onH100(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.SetPrice(2.5)
	if want := 4 * 2.5 * r.Seconds / 3600; r.Seconds <= 0 || math.Abs(r.Cost-want) > 1e-12 {
		t.Errorf("%g s on 4 GPUs cost %g, want %g", r.Seconds, r.Cost, want)
	}
	if alone, err := onH100(oneLayer()); err != nil || r.Memory.Driver <= alone.Memory.Driver || r.Memory.Arena >= alone.Memory.Arena {
		t.Errorf("of 4 ranks the memory is %+v, of one %+v, %v", r.Memory, alone.Memory, err)
	}
}
