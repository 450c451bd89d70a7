package gguf

import "fmt"

// Type is the encoding of a tensor's elements, in blocks of one scale or several.
type Type uint32

// The types that ggml stores, with its numbers.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q8_1   Type = 9
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	Q8_K   Type = 15
	IQ2XXS Type = 16
	IQ2XS  Type = 17
	IQ3XXS Type = 18
	IQ1S   Type = 19
	IQ4NL  Type = 20
	IQ3S   Type = 21
	IQ2S   Type = 22
	IQ4XS  Type = 23
	I8     Type = 24
	I16    Type = 25
	I32    Type = 26
	I64    Type = 27
	F64    Type = 28
	IQ1M   Type = 29
	BF16   Type = 30
	TQ1_0  Type = 34
	TQ2_0  Type = 35
	MXFP4  Type = 39
	NVFP4  Type = 40
	Q1_0   Type = 41
)

// traits are what the package knows of a Type: the elements and bytes of a
// block, and how to decode and encode whole blocks, nil where it does not.
type traits struct {
	name            string
	elements, bytes int
	decode          func(dst []float32, src []byte)
	encode          func(dst []byte, src []float32)
}

// types is the table of all types.
var types = map[Type]traits{
	F32:    {"F32", 1, 4, decodeF32, encodeF32},
	F16:    {"F16", 1, 2, decodeF16, encodeF16},
	BF16:   {"BF16", 1, 2, decodeBF16, encodeBF16},
	F64:    {"F64", 1, 8, decodeF64, nil},
	Q4_0:   {"Q4_0", 32, 18, decodeQ4_0, encodeQ4_0},
	Q4_1:   {"Q4_1", 32, 20, decodeQ4_1, nil},
	Q5_0:   {"Q5_0", 32, 22, decodeQ5_0, encodeQ5_0},
	Q5_1:   {"Q5_1", 32, 24, decodeQ5_1, nil},
	Q8_0:   {"Q8_0", 32, 34, decodeQ8_0, encodeQ8_0},
	Q2_K:   {"Q2_K", 256, 84, decodeQ2K, nil},
	Q3_K:   {"Q3_K", 256, 110, decodeQ3K, nil},
	Q4_K:   {"Q4_K", 256, 144, decodeQ4K, encodeQ4K},
	Q5_K:   {"Q5_K", 256, 176, decodeQ5K, nil},
	Q6_K:   {"Q6_K", 256, 210, decodeQ6K, encodeQ6K},
	Q8_1:   {"Q8_1", 32, 40, nil, nil},
	Q8_K:   {"Q8_K", 256, 292, nil, nil},
	IQ2XXS: {"IQ2_XXS", 256, 66, nil, nil},
	IQ2XS:  {"IQ2_XS", 256, 74, nil, nil},
	IQ3XXS: {"IQ3_XXS", 256, 98, nil, nil},
	IQ1S:   {"IQ1_S", 256, 50, nil, nil},
	IQ4NL:  {"IQ4_NL", 32, 18, nil, nil},
	IQ3S:   {"IQ3_S", 256, 110, nil, nil},
	IQ2S:   {"IQ2_S", 256, 82, nil, nil},
	IQ4XS:  {"IQ4_XS", 256, 136, nil, nil},
	I8:     {"I8", 1, 1, nil, nil},
	I16:    {"I16", 1, 2, nil, nil},
	I32:    {"I32", 1, 4, nil, nil},
	I64:    {"I64", 1, 8, nil, nil},
	IQ1M:   {"IQ1_M", 256, 56, nil, nil},
	TQ1_0:  {"TQ1_0", 256, 54, nil, nil},
	TQ2_0:  {"TQ2_0", 256, 66, nil, nil},
	MXFP4:  {"MXFP4", 32, 17, nil, nil},
	NVFP4:  {"NVFP4", 64, 36, nil, nil},
	Q1_0:   {"Q1_0", 128, 18, nil, nil},
}

// String gives ggml's name, such as "Q4_K".
func (t Type) String() string {
	if name := types[t].name; name != "" {
		return name
	}
	return fmt.Sprintf("Type(%d)", uint32(t))
}

// Block gives the elements and bytes of a block, 0 and 0 for a Type that is none.
func (t Type) Block() (elements, bytes int) {
	d := types[t]
	return d.elements, d.bytes
}

// Decodable tells whether Decode knows the type.
func (t Type) Decodable() bool { return types[t].decode != nil }

// Decode decodes whole blocks of src into dst, bit for bit as the Python package
// gguf does: products and sums are rounded to float32 one by one.
func (t Type) Decode(dst []float32, src []byte) error {
	d := types[t]
	if d.decode == nil {
		return fmt.Errorf("elements of type %v cannot be decoded: convert the file to Q8_0, a K-quant or F16 with llama.cpp's llama-quantize --allow-requantize", t)
	}
	if len(dst)%d.elements != 0 || len(dst)/d.elements != len(src)/d.bytes || len(src)%d.bytes != 0 {
		return fmt.Errorf("%d bytes of type %v do not fill %d float32", len(src), t, len(dst))
	}
	d.decode(dst, src)
	return nil
}

// Encode encodes src into the whole blocks of dst: F32, F16 and BF16 round to
// nearest even, Q8_0, Q4_0, Q5_0, Q4_K and Q6_K as ggml's reference does. No other type can
// be encoded.
func (t Type) Encode(dst []byte, src []float32) error {
	d := types[t]
	if d.encode == nil {
		return fmt.Errorf("elements cannot be encoded as %v: use F32, F16, BF16, Q8_0, Q6_K, Q5_0, Q4_K or Q4_0", t)
	}
	if len(src)%d.elements != 0 || len(src)/d.elements != len(dst)/d.bytes || len(dst)%d.bytes != 0 {
		return fmt.Errorf("%d float32 do not fill %d bytes of type %v", len(src), len(dst), t)
	}
	d.encode(dst, src)
	return nil
}
