package join

import (
	"errors"
	"strings"
	"testing"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
)

func TestRankDevice(t *testing.T) {
	gpus, err := device.GPUs()
	if err != nil && !device.Absent(err) {
		t.Fatal(err)
	}
	alone, second, crowd := ranks.Launch{Size: 2, LocalSize: 1}, ranks.Launch{Size: 2, LocalRank: 1, LocalSize: 2}, ranks.Launch{Size: 99, LocalRank: 9, LocalSize: 99}
	for _, c := range []struct {
		name, engine string
		launch       ranks.Launch
		gpus         int // that the case is for, at least
		want         string
		fault        string // in the error
	}{
		{"cpu", "auto", second, 0, "cpu", ""},
		{"cpu", "gloo", second, 0, "cpu", ""},
		{"auto", "gloo", second, 0, "cpu", ""},
		{"cuda", "mpi", second, 0, "", "cluster.engine is mpi, which computes on CPUs"},
		{"cpu", "nccl", second, 0, "", "cluster.engine is nccl, which computes on GPUs"},
		{"tpu", "auto", second, 0, "", "use auto, cpu, cuda or cuda:N"},
		{"auto", "auto", second, 2, "cuda:1", ""},
		{"auto", "nccl", second, 2, "cuda:1", ""},
		{"cuda", "auto", second, 2, "cuda:1", ""},
		{"cuda", "auto", alone, 1, "cuda:0", ""},
		{"cuda:1", "auto", alone, 2, "cuda:1", ""},
		{"cuda:1", "auto", second, 2, "", "cannot share a GPU"},
		{"cuda", "auto", crowd, 2, "", "99 ranks on this machine, which has"},
	} {
		if gpus < c.gpus {
			continue
		}
		got, err := rankDevice(c.name, c.engine, c.launch, "")
		if got != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s, %s, rank %d of %d: %q, %v; want %q, %q", c.name, c.engine, c.launch.LocalRank, c.launch.LocalSize, got, err, c.want, c.fault)
		}
		if err != nil && !errors.As(err, new(*device.Error)) {
			t.Errorf("%v is no *device.Error", err)
		}
	}
	if gpus == 0 {
		got, err := rankDevice("auto", "auto", second, "")
		if got != "cpu" || err != nil {
			t.Errorf("without a GPU auto is %q, %v", got, err)
		}
		if _, err := rankDevice("auto", "nccl", second, ""); err == nil || !strings.Contains(err.Error(), "cluster.engine nccl: ") {
			t.Errorf("NCCL without a GPU: %v", err)
		}
	}
}
