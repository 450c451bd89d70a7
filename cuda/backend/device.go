//go:build gpu

package backend

import "gotrain/cuda"

// CardAt describes a device, counted from 0, with the memory that is free now.
// It fails as Open does.
func CardAt(index int) (Card, error) {
	i, err := cuda.Describe(index)
	if err != nil {
		return Card{}, err
	}
	c := cardOf(i.Name, i.Major, i.Minor, i.SMs, i.ClockKHz, i.MemoryClockKHz, i.BusBits)
	c.Memory, c.Free = i.Memory, i.Free
	return c, nil
}
