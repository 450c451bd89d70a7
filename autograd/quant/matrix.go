package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
)

// int8Factor is 1/127 as bitsandbytes has it.
const int8Factor = float32(7.874015718698502e-3)

// Matrix is the content of a stored value. It may be read from several goroutines.
type Matrix struct {
	dtype       ir.DType
	size, cols  int
	codes       []byte // of elements
	scales      []byte // float32, or codes of absmax
	groupScales []byte // float32, of NF4Double
	offset      []byte // float32, of NF4Double
}

// View returns the matrix of a type and shape whose content data is.
func View(d ir.DType, shape ir.Shape, data []byte) (Matrix, error) {
	if want := d.Bytes(shape); int64(len(data)) != want {
		return Matrix{}, fmt.Errorf("%s%s has %d bytes, not %d", d, shape, want, len(data))
	}
	m := Matrix{dtype: d, size: shape.Size(), cols: shape.Cols()}
	take := func(n int) []byte {
		part := data[:n]
		data = data[min((n+3)&^3, len(data)):]
		return part
	}
	blocks := (m.size + ir.Block - 1) / ir.Block
	switch d {
	case ir.F32, ir.BF16:
		m.codes = data
	case ir.Int8:
		m.codes, m.scales = take(m.size), take(4*shape.Rows())
	case ir.NF4:
		m.codes, m.scales = take((m.size+1)/2), take(4*blocks)
	case ir.NF4Double:
		m.codes, m.scales = take((m.size+1)/2), take(blocks)
		m.groupScales, m.offset = take(4*((blocks+ir.Group-1)/ir.Group)), take(4)
	default:
		return Matrix{}, fmt.Errorf("%s is no type of weights", d)
	}
	return m, nil
}

// Size is the number of elements.
func (m *Matrix) Size() int { return m.size }

func float(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

// absmax is that of block i of NF4 and NF4Double.
func (m *Matrix) absmax(i int) float32 {
	if m.dtype == ir.NF4 {
		return float(m.scales, i)
	}
	return float32(dynamic[m.scales[i]]*float(m.groupScales, i/ir.Group)) + float(m.offset, 0)
}

// Decode writes elements [from, from+len(dst)), row after row, to dst.
func (m *Matrix) Decode(k *Kernels, dst []float32, from int) {
	switch m.dtype {
	case ir.F32:
		for i := range dst {
			dst[i] = float(m.codes, from+i)
		}
	case ir.BF16:
		k.BF16(dst, m.codes[2*from:])
	case ir.Int8:
		for len(dst) > 0 {
			row := from / m.cols
			n := min(len(dst), (row+1)*m.cols-from)
			k.Int8(dst[:n], m.codes[from:], float(m.scales, row), int8Factor)
			dst, from = dst[n:], from+n
		}
	default:
		for len(dst) > 0 {
			block := from / ir.Block
			n := min(len(dst), (block+1)*ir.Block-from)
			m.nibbles(k, dst[:n], from, m.absmax(block))
			dst, from = dst[n:], from+n
		}
	}
}

// nibbles decodes elements of one block, which may begin or end in the middle of a byte.
func (m *Matrix) nibbles(k *Kernels, dst []float32, from int, absmax float32) {
	if from%2 != 0 {
		dst[0] = nf4[m.codes[from/2]&15] * absmax
		dst, from = dst[1:], from+1
	}
	even := len(dst) &^ 1
	k.Nibbles(dst[:even], m.codes[from/2:], &nf4, absmax)
	if even < len(dst) {
		dst[even] = nf4[m.codes[(from+even)/2]>>4] * absmax
	}
}
