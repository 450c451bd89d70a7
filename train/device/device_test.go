package device_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/train/device"
)

func Example() {
	backend, d, err := device.Open("cpu", 2, device.Collectives{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()
	fmt.Println(d.Card == nil, d.Threads, backend.Name())
	// Output: true 2 cpu
}

func ExampleOfCard() {
	d, err := device.OfCard("h100-sxm")
	if err != nil {
		fmt.Println(err)
		return
	}
	target, err := d.Target()
	fmt.Println(d.Measure(), target.StoresBF16, err)
	// Output: h100-sxm: 67 TFLOP/s float32, 495 tf32, 989 bfloat16, 3.35 TB/s true <nil>
}

func TestNames(t *testing.T) {
	for name, want := range map[string]int{"cpu": device.CPU, "auto": 0, "cuda": 0, "cuda:3": 3} {
		if got, err := device.Index(name); got != want || err != nil {
			t.Errorf("Index(%s) = %d, %v, want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"", "tpu", "cuda:", "cuda:-1", "cuda:x", "CPU"} {
		_, err := device.Find(name, 0)
		if !errors.As(err, new(*device.Error)) || !strings.Contains(err.Error(), "use auto, cpu, cuda or cuda:N") {
			t.Errorf("Find(%q): %v", name, err)
		}
	}
	if _, err := device.OfCard("voodoo"); !errors.As(err, new(*device.Error)) || !strings.Contains(err.Error(), device.DefaultCard) {
		t.Errorf("an unknown card: %v", err)
	}
}

// TestPlan: a GPU that is not here is planned for all the same, a name that is none is not.
func TestPlan(t *testing.T) {
	d, err := device.Plan("cuda:99", 0)
	if err != nil || d.Card == nil || d.Card.Name != device.DefaultCard {
		t.Errorf("cuda:99: %+v, %v", d, err)
	}
	if m := d.Memory(); m.Total <= 0 || m.Usable() != m.Total {
		t.Errorf("a card that is not here has %+v", m)
	}
	if _, err := device.Plan("tpu", 0); err == nil {
		t.Error("tpu can be planned for")
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		limits device.Limits
		want   int64
	}{{device.Limits{}, 0}, {device.Limits{Total: 9, Available: 5}, 5}, {device.Limits{Total: 9, Available: 5, Cgroup: 3}, 3}, {device.Limits{Total: 9, Available: 5, Cgroup: 7}, 5}} {
		if got := c.limits.Usable(); got != c.want {
			t.Errorf("%+v: %d usable, want %d", c.limits, got, c.want)
		}
	}
}

func TestReached(t *testing.T) {
	cpu := device.Machine{F32: 100, TF32: 100, BF16: 300}
	if products, attention := cpu.Reached("bfloat16"); products != 0.85*300 || attention != 0.65*100 {
		t.Errorf("the CPU reaches %g and %g", products, attention)
	}
	gpu := device.Machine{GPU: "card", F32: 1, TF32: 10, BF16: 100}
	if products, attention := gpu.Reached("tf32"); products != 6.5 || attention != 3.5 {
		t.Errorf("the GPU reaches %g and %g", products, attention)
	}
}

func TestExamine(t *testing.T) {
	names := map[string]bool{}
	for _, f := range device.Examine(t.TempDir() + "/not/there/yet") {
		names[f.Name] = true
		if !f.OK && f.Cure == "" {
			t.Errorf("the warning about %s has no cure", f.Name)
		}
	}
	for _, name := range []string{"processor", "kernels", "cores", "memory", "disk speed", "gpu"} {
		if !names[name] {
			t.Errorf("nothing is said of %s", name)
		}
	}
}

// TestOpenOfWhatIsAbsent: auto computes on the CPU where there is no GPU; a GPU that is named is not replaced.
func TestOpenOfWhatIsAbsent(t *testing.T) {
	if d, err := device.Find("auto", 1); err != nil || d.Card != nil {
		t.Skip("there is a GPU")
	}
	for name, cpu := range map[string]bool{"auto": true, "cpu": true, "cuda": false, "cuda:1": false, "gpu": false} {
		b, d, err := device.Open(name, 2, device.Collectives{})
		if (err == nil) != cpu || cpu && (b.Name() != "cpu" || d.Threads != 2) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		if err == nil {
			b.Close()
		}
	}
}
