//go:build gpu

package backend

import (
	"fmt"

	"gotrain/cuda"
)

// CardAt describes a device, counted from 0, with the memory that is free now.
// It fails as Open does.
func CardAt(index int) (Card, error) {
	infos, err := cuda.Devices()
	if err != nil {
		return Card{}, err
	}
	if index < 0 || index >= len(infos) {
		return Card{}, fmt.Errorf("%w %d: this machine has %d, counted from 0", cuda.ErrNoDevice, index, len(infos))
	}
	i := infos[index]
	c := cardOf(i.Name, i.Major, i.Minor, i.SMs, i.ClockKHz, i.MemoryClockKHz, i.BusBits)
	c.Memory, c.Free = i.Memory, i.Free
	return c, nil
}
