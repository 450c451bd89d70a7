//go:build gpu

package backend

import (
	"errors"

	"example.com/gotrain/cuda"
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
	c.Memory, c.Free, c.Shared = i.Memory, i.Free, i.SharedPerBlock
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

// cardOf returns the rates of a device: those of its data sheet, or else what its
// clocks allow at most.
func cardOf(i cuda.Info) Card {
	if c, ok := sheet(i.Name, i.Major, i.Minor, i.SMs, i.Memory); ok {
		c.Name = i.Name
		return c
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
