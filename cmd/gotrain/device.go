package main

import (
	"strconv"
	"strings"

	"gotrain/autograd/cpu"
	"gotrain/autograd/exec"
	"gotrain/autograd/plan"
	"gotrain/cuda/backend"
)

// device is what a --device value names: the CPU, or a GPU.
type device struct {
	threads int           // of the CPU
	gpu     int           // counted from 0
	card    *backend.Card // of the GPU; nil is the CPU
}

// findDevice reads a --device value. auto is the first GPU where the binary has
// CUDA and the machine a device, else the CPU.
func findDevice(name string, threads int) (device, error) {
	d := device{threads: threads}
	index, err := gpuIndex(name)
	if err != nil || index == noGPU {
		return d, err
	}
	card, err := backend.CardAt(index)
	if name == "auto" && backend.Absent(err) {
		return d, nil
	}
	if err != nil {
		return d, usagef("device %s: %w; or use --device cpu", name, err)
	}
	d.gpu, d.card = index, &card
	return d, nil
}

// noGPU is the index of the CPU.
const noGPU = -1

// gpuIndex reads a --device value; auto may be the first GPU.
func gpuIndex(name string) (int, error) {
	switch name {
	case "cpu":
		return noGPU, nil
	case "auto", "cuda":
		return 0, nil
	}
	number, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return 0, usagef("device is %q; use auto, cpu, cuda or cuda:N", name)
	}
	return n, nil
}

// planDevice is findDevice for plans, which need no GPU: one that is not there is
// a card of the table.
func planDevice(name, card string, threads int) (device, error) {
	d, err := findDevice(name, threads)
	if card == "" && (err == nil || !strings.HasPrefix(name, "cuda")) {
		return d, err
	}
	if card == "" {
		card = backend.DefaultCard
	}
	c, ok := backend.FindCard(card)
	if !ok {
		return d, usagef("--card is %q; use %s", card, strings.Join(backend.CardNames(), ", "))
	}
	return device{threads: threads, gpu: 0, card: &c}, nil
}

// openDevice opens the back end that a --device value names.
func openDevice(name string, threads int) (exec.Backend, device, error) {
	index, err := gpuIndex(name)
	if err != nil {
		return nil, device{}, err
	}
	if index != noGPU {
		b, d, err := openGPU(name, threads, backend.Config{})
		if err == nil || name != "auto" || !backend.Absent(err) {
			return b, d, err
		}
	}
	d := device{threads: threads}
	b, err := d.open()
	return b, d, err
}

// openGPU opens the GPU that a --device value names, before it describes it, because
// the description alone would open it too.
func openGPU(name string, threads int, cfg backend.Config) (exec.Backend, device, error) {
	var err error
	if cfg.Device, err = gpuIndex(name); err != nil {
		return nil, device{}, err
	}
	b, err := backend.Open(cfg)
	if err != nil {
		return nil, device{}, usagef("device %s: %w; or use --device cpu", name, err)
	}
	d, err := findDevice(name, threads)
	return b, d, err
}

func (d device) open() (exec.Backend, error) {
	if d.card != nil {
		return backend.Open(backend.Config{Device: d.gpu})
	}
	return cpu.New(cpu.Config{Threads: d.threads})
}

// target is what plans for the device look like. The back end of the CPU knows
// its own from the processor; CUDA's is the same for every card.
func (d device) target() (plan.Target, error) {
	if d.card != nil {
		return backend.Target(), nil
	}
	b, err := d.open()
	if err != nil {
		return plan.Target{}, err
	}
	return b.Target(), b.Close()
}

// used is the memory of the device that is taken now, driver and other programs
// included; 0 where it is not known.
func (d device) used() int64 {
	c, err := backend.CardAt(d.gpu)
	if err != nil {
		return 0
	}
	return c.Memory - c.Free
}

// memory is what a run on the device may use.
func (d device) memory() memoryLimits {
	if d.card == nil {
		return readMemory()
	}
	if d.card.Free == 0 { // not here
		return memoryLimits{Total: d.card.Memory, Available: d.card.Memory}
	}
	return memoryLimits{Total: d.card.Memory, Available: d.card.Free}
}
