package forecast_test

import (
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/ways"
)

// TestTimingOf counts what is known of a card, and tells nothing of a CPU.
func TestTimingOf(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	file, err := ways.Usual()
	if err != nil {
		t.Fatal(err)
	}
	card, err := device.OfCard(device.DefaultCard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{card.Card.Name, "another card"} {
		if err := file.Add("cuBLASLt 13.1.0, "+name+" with 132 multiprocessors", exec.Ways{"a": {Name: "x"}, "b " + name: {Name: "y"}}); err != nil {
			t.Fatal(err)
		}
	}
	on := config.Config{CUDA: config.CUDAConfig{Timing: true}}
	if got := forecast.TimingOf(on, card); got == nil || !got.On || got.Known != 2 {
		t.Errorf("of %s: %+v", card.Card.Name, got)
	}
	if got := forecast.TimingOf(config.Config{}, card); got == nil || got.On {
		t.Errorf("with cuda.timing: false: %+v", got)
	}
	if got := forecast.TimingOf(on, device.Device{}); got != nil {
		t.Errorf("of the CPU: %+v", got)
	}
}
