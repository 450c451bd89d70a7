package join

import (
	"fmt"
	"strings"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/gloo"
	"example.com/gotrain/train/ranks/mpi"
)

// rankDevice is the device of one of several ranks, cpu or cuda:N, for values of
// --device and cluster.engine. cuda gives each rank of a machine a GPU of its own;
// auto is that where there are GPUs, unless the engine is one of CPUs. visible is
// CUDA_VISIBLE_DEVICES, count gives the GPUs of this machine, as device.GPUs.
func rankDevice(name, engine string, l ranks.Launch, visible string, count func() (int, error)) (string, error) {
	index, err := device.Index(name)
	if err != nil {
		return "", err
	}
	onCPUs := engine == "gloo" || engine == "mpi"
	switch {
	case index == device.CPU && engine == "nccl":
		return "", device.Errorf("cluster.engine is nccl, which computes on GPUs, but device is %s: use --device cuda, or cluster.engine auto", name)
	case index == device.CPU || name == "auto" && onCPUs:
		return "cpu", nil
	case onCPUs:
		return "", device.Errorf("cluster.engine is %s, which computes on CPUs, but device is %s: use cluster.engine auto, or --device cpu", engine, name)
	}
	gpus, err := count()
	switch {
	case name == "auto" && engine == "auto" && device.Absent(err):
		return "cpu", nil
	case err != nil && name == "auto":
		return "", device.Errorf("cluster.engine nccl: %w; or use cluster.engine auto", err)
	case err != nil:
		return "", device.Errorf("device %s: %w; or use --device cpu", name, err)
	case l.LocalSize == 1:
		return fmt.Sprintf("cuda:%d", index), nil
	case strings.HasPrefix(name, "cuda:"):
		return "", device.Errorf("device %s: the %d ranks of this machine cannot share a GPU: use --device cuda, which gives each its own", name, l.LocalSize)
	case l.LocalSize <= gpus:
		return fmt.Sprintf("cuda:%d", l.LocalRank), nil
	case gpus == 1 && visible != "" && !strings.Contains(visible, ","):
		return "cuda:0", nil // the launcher shows each rank its own GPU; NCCL refuses if not
	}
	return "", device.Errorf("device %s: %d ranks on this machine, which has %d GPUs: start at most as many ranks as there are GPUs, or use --device cpu", name, l.LocalSize, gpus)
}

// rankEngine is what ranks on a device compute together with, for a value of
// cluster.engine.
func rankEngine(engine, device string) string {
	switch {
	case engine != "auto":
		return engine
	case device != "cpu":
		return "nccl"
	case mpi.Available && !gloo.Available:
		return "mpi"
	}
	return "gloo"
}
