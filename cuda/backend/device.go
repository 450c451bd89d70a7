//go:build gpu

package backend

import (
	"errors"
	"strings"

	"gotrain/cuda"
)

// Absent tells whether err, of Open or CardAt, says that there is no GPU to open.
func Absent(err error) bool {
	return errors.Is(err, cuda.ErrNoDriver) || errors.Is(err, cuda.ErrNoDevice)
}

// Count is the number of GPUs that the driver sees. It fails as Open does.
func Count() (int, error) {
	infos, err := cuda.Devices()
	return len(infos), err
}

// CardAt describes a device, counted from 0, with the memory that is free now.
// It fails as Open does.
func CardAt(index int) (Card, error) {
	i, err := cuda.Describe(index)
	if err != nil {
		return Card{}, err
	}
	c := cardOf(i)
	c.Memory, c.Free = i.Memory, i.Free
	return c, nil
}

// perClock is the arithmetic of a multiprocessor in one clock, in FLOPs with
// float32 accumulation, by compute capability (CUDA C++ Programming Guide,
// NVIDIA's architecture white papers).
var perClock = []struct {
	major, minor    int
	f32, tf32, bf16 float64
}{
	{8, 0, 128, 1024, 2048}, // A100
	{8, 6, 256, 256, 512},   // GA10x
	{8, 9, 256, 256, 512},   // AD10x
	{9, 0, 256, 2048, 4096}, // H100, H200
	{10, 0, 256, 4096, 8192},
	{12, 0, 256, 256, 512},
}

// products pairs what a driver calls a card with its data sheet.
var products = []struct{ product, card string }{
	{"H100 80GB HBM3", "h100-sxm"}, {"H200", "h200"}, {"B200", "b200"}, {"A100-SXM4-80GB", "a100-80gb"}, {"L40S", "l40s"}, {"RTX 4090", "rtx-4090"},
}

// cardOf returns the rates of a device: those of its data sheet, or else what its
// clocks allow at most.
func cardOf(i cuda.Info) Card {
	for _, p := range products {
		if c, ok := FindCard(p.card); ok && strings.Contains(i.Name, p.product) {
			c.Name = i.Name
			return c
		}
	}
	c := Card{Name: i.Name, Bandwidth: 2 * float64(i.MemoryClockKHz) * 1e3 * float64(i.BusBits) / 8}
	for _, p := range perClock {
		if p.major < i.Major || p.major == i.Major && p.minor <= i.Minor {
			rate := float64(i.SMs) * float64(i.ClockKHz) * 1e3
			c.F32, c.TF32, c.BF16 = p.f32*rate, p.tf32*rate, p.bf16*rate
		}
	}
	return c
}
