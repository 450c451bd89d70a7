package quant

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"

	"example.com/gotrain/autograd/ir"
)

// Source gives elements [from, from+len(dst)) of a matrix, row after row.
type Source func(dst []float32, from int) error

// partElements is how much of a matrix is read at a time, rounded to whole rows or blocks.
const partElements = 1 << 20

// Encode quantises the matrix that src gives in order, into data, whose size is that of d and
// shape. It is an error if an element is no finite number, which no scale fits.
func Encode(d ir.DType, shape ir.Shape, data []byte, src Source) error {
	if err := d.CheckStored(shape); err != nil {
		return err
	}
	m, err := View(d, shape, data)
	if err != nil {
		return err
	}
	unit := ir.Block
	if d == ir.Int8 {
		unit = m.cols
	}
	var absmax []float32 // of NF4Double, in blocks
	if d == ir.NF4Double {
		absmax = make([]float32, len(m.scales))
	}
	buffer := make([]float32, min(m.size, max(1, partElements/unit)*unit))
	for from := 0; from < m.size; from += len(buffer) {
		part := buffer[:min(len(buffer), m.size-from)]
		if err := src(part, from); err != nil {
			return err
		}
		for i, x := range part {
			if x-x != 0 {
				return fmt.Errorf("element %d is %g: only finite numbers are quantised", from+i, x)
			}
		}
		m.encode(part, from, unit, absmax)
	}
	if d == ir.NF4Double {
		m.encodeAbsmax(absmax)
	}
	return nil
}

// encode writes a part that begins at a unit, a row or block, on all cores.
func (m *Matrix) encode(part []float32, from, unit int, absmax []float32) {
	var wg sync.WaitGroup
	units := (len(part) + unit - 1) / unit
	workers := min(units, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for i := w * units / workers; i < (w+1)*units/workers; i++ {
				x := part[i*unit : min((i+1)*unit, len(part))]
				m.encodeUnit(x, from+i*unit, (from+i*unit)/unit, absmax)
			}
		})
	}
	wg.Wait()
}

func (m *Matrix) encodeUnit(x []float32, from, unit int, absmax []float32) {
	switch m.dtype {
	case ir.F32:
		for i, v := range x {
			binary.LittleEndian.PutUint32(m.codes[4*(from+i):], math.Float32bits(v))
		}
	case ir.BF16:
		ToBF16(m.codes[2*from:], x)
	case ir.Int8:
		putFloat(m.scales, unit, encodeInt8(m.codes[from:], x))
	case ir.NF4:
		putFloat(m.scales, unit, encodeNF4(m.codes[from/2:], x))
	case ir.NF4Double:
		absmax[unit] = encodeNF4(m.codes[from/2:], x)
	}
}

func putFloat(b []byte, i int, x float32) {
	binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
}

func largest(x []float32) float32 {
	var most float32
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	return most
}

// ToBF16 rounds finite numbers to nearest even, two bytes each.
func ToBF16(dst []byte, x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		binary.LittleEndian.PutUint16(dst[2*i:], uint16((b+0x7fff+b>>16&1)>>16))
	}
}

// encodeInt8 writes a row: codes are x·(127/absmax), rounded half to even. A row of zeros
// has the codes 0.
func encodeInt8(codes []byte, x []float32) float32 {
	absmax := largest(x)
	if absmax == 0 {
		clear(codes[:len(x)])
		return 0
	}
	scale := 127 / absmax
	for i, v := range x {
		codes[i] = byte(int8(math.RoundToEven(float64(v * scale))))
	}
	return absmax
}

// tiny is the least absmax that a block is scaled by.
const tiny = 1e-38

// encodeNF4 writes a block: codes are those nearest to x/absmax. A last block that is not
// whole is divided by its absmax, which is at least tiny; others are multiplied by its
// inverse. So it is in bitsandbytes.
func encodeNF4(codes []byte, x []float32) float32 {
	absmax := largest(x)
	whole := len(x) == ir.Block
	if !whole {
		absmax = max(absmax, tiny)
	}
	inverse := 1 / max(absmax, tiny)
	code := func(v float32) byte {
		if whole {
			v *= inverse
		} else {
			v /= absmax
		}
		return nearest(nf4Bounds, v)
	}
	for i := 0; i < len(x); i += 2 {
		pair := code(x[i]) << 4
		if i+1 < len(x) {
			pair |= code(x[i+1])
		} else {
			pair |= nearest(nf4Bounds, 0)
		}
		codes[i/2] = pair
	}
	return absmax
}

// encodeAbsmax quantises the absmax of all blocks: what they are above their mean, in
// groups by the dynamic map.
func (m *Matrix) encodeAbsmax(absmax []float32) {
	var sum float64
	for _, x := range absmax {
		sum += float64(x)
	}
	mean := float32(sum / float64(len(absmax)))
	putFloat(m.offset, 0, mean)
	for i := range absmax {
		absmax[i] -= mean
	}
	for group := 0; group*ir.Group < len(absmax); group++ {
		part := absmax[group*ir.Group : min((group+1)*ir.Group, len(absmax))]
		scale := largest(part)
		whole := len(part) == ir.Group
		if !whole {
			scale = max(scale, tiny)
		}
		putFloat(m.groupScales, group, scale)
		inverse := 1 / max(scale, tiny)
		for i, x := range part {
			if whole {
				x *= inverse
			} else {
				x /= scale
			}
			m.scales[group*ir.Group+i] = nearest(dynamicBounds, x)
		}
	}
}
