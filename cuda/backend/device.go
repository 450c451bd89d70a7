//go:build gpu

package backend

import (
	"errors"

	"gotrain/cuda"
)

// Absent tells whether err, of Open or CardAt, says that there is no GPU to open.
func Absent(err error) bool {
	return errors.Is(err, cuda.ErrNoDriver) || errors.Is(err, cuda.ErrNoDevice)
}

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
