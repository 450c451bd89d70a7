//go:build gpu

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/save"
)

// TestCUDAChosenAgain: a run that is stopped and goes on has the bits of one that was not,
// though by then other algorithms are faster and the cache is gone; without what its
// checkpoint says, it would not.
func TestCUDAChosenAgain(t *testing.T) {
	if d, err := device.Find("cuda", 0); err != nil || !strings.Contains(d.Card.Name, "imulator") {
		t.Skip("times are planted in the simulator")
	}
	dir := t.TempDir()
	config := writeConfig(t, dir)
	// The sum of a product begins at the other end of k.
	first, other := "product/0=1,product/1=2", "product/0=2,product/1=1"
	pretrain := func(name, times string, args ...string) string {
		t.Helper()
		t.Setenv("CUDASIM_TIMES", times)
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		args = append([]string{"--config", config, "--run", filepath.Join(dir, name), "--device", "cuda", "--set", "train.steps=8", "--set", "train.save=sync", "--set", "train.save_every=2",
			"--set", "train.eval_every=0", "--set", "precision=bfloat16"}, args...)
		if name == "stopped" && times == first {
			stopAfterSave(t, 2, append([]string{"pretrain"}, args...)...)
		} else {
			must(t, append([]string{"pretrain"}, args...)...)
		}
		return filepath.Join(dir, name, "checkpoints", "step-00000008")
	}
	weights := func(checkpoint string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(checkpoint, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := weights(pretrain("whole", first))
	pretrain("stopped", first)
	if got := weights(pretrain("stopped", other)); !bytes.Equal(got, want) {
		t.Error("a run that went on has other bits than one that was not stopped")
	}
	fast := pretrain("fast", other)
	if bytes.Equal(weights(fast), want) {
		t.Error("other algorithms give the same bits: the test proves nothing")
	}
	state, err := save.ReadState(fast)
	if err != nil {
		t.Fatal(err)
	}
	if state.Ways == nil || !strings.HasPrefix(state.Ways.Where, "cuBLASLt 13.") || len(state.Ways.Ways) < 6 {
		t.Errorf("the checkpoint keeps %+v", state.Ways)
	}
	if bytes.Equal(weights(pretrain("off", other, "--set", "cuda.timing=false")), weights(fast)) {
		t.Error("cuda.timing=false takes what is fastest")
	}
	if !bytes.Equal(weights(pretrain("off again", first, "--set", "cuda.timing=false")), weights(filepath.Join(dir, "off", "checkpoints", "step-00000008"))) {
		t.Error("cuda.timing=false depends on times")
	}
	// The log says what was chosen.
	var told bytes.Buffer
	args := []string{"pretrain", "--config", config, "--run", filepath.Join(dir, "told"), "--device", "cuda", "--set", "train.steps=1", "--set", "precision=bfloat16"}
	if code := run(t.Context(), args, strings.NewReader(""), &bytes.Buffer{}, &told); code != 0 || !strings.Contains(told.String(), "chosen by timing for cuBLASLt 13.") {
		t.Errorf("exit code %d\n%s", code, told.String())
	}
}
