package bench_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/device"
)

func Example() {
	d, err := device.Find("cpu", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := bench.Options{Precision: "float32", Seconds: 0.001, Peak: 100}.Measure(bench.Steps("small")[0], d, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Name, t.Layers, t.Width, t.Batch, t.Context, t.TokensPerS > 0, t.FractionOfPeak > 0, t.PlannedBytes > 0)
	// Output: tiny 2 128 2 32 true true true
}

func TestNames(t *testing.T) {
	names := bench.Names()
	if !slices.Contains(names, "124m") || !slices.Contains(names, "1558m-b16") || names[0] != "tiny" {
		t.Errorf("the steps are %v", names)
	}
	steps := bench.Named([]string{"124m", "tiny"})
	if len(steps) != 2 || steps[0].Name != "tiny" || steps[1].Config.Train.Batch != 4 {
		t.Errorf("got %+v", steps)
	}
	if len(bench.Steps("huge")) != 0 {
		t.Error("there is no such size")
	}
}
