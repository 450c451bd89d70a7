package gguf

import "testing"

// TestTypesOfGGML: number, name, elements and bytes of a block of each type, as the parts of a block in the
// Python package gguf add up.
func TestTypesOfGGML(t *testing.T) {
	all := []struct {
		number          Type
		name            string
		elements, bytes int
		read, written   bool
	}{
		{0, "F32", 1, 4, true, true}, {1, "F16", 1, 2, true, true}, {30, "BF16", 1, 2, true, true}, {28, "F64", 1, 8, true, false},
		{24, "I8", 1, 1, false, false}, {25, "I16", 1, 2, false, false}, {26, "I32", 1, 4, false, false}, {27, "I64", 1, 8, false, false},
		{2, "Q4_0", 32, 2 + 16, true, true}, {3, "Q4_1", 32, 2 + 2 + 16, true, false}, {6, "Q5_0", 32, 2 + 4 + 16, true, true}, {7, "Q5_1", 32, 2 + 2 + 4 + 16, true, false},
		{8, "Q8_0", 32, 2 + 32, true, true}, {9, "Q8_1", 32, 4 + 4 + 32, false, false},
		{10, "Q2_K", 256, 2 + 2 + 256/16 + 256/4, true, false}, {11, "Q3_K", 256, 2 + 256/4 + 256/8 + 12, true, false}, {12, "Q4_K", 256, 2 + 2 + 256/2 + 12, true, true},
		{13, "Q5_K", 256, 2 + 2 + 256/2 + 256/8 + 12, true, false}, {14, "Q6_K", 256, 2 + 256/2 + 256/4 + 256/16, true, true}, {15, "Q8_K", 256, 4 + 256 + 256/8, false, false},
		{16, "IQ2_XXS", 256, 2 + 256/4, false, false}, {17, "IQ2_XS", 256, 2 + 256/4 + 256/32, false, false}, {18, "IQ3_XXS", 256, 2 + 256/4 + 256/8, false, false},
		{19, "IQ1_S", 256, 2 + 256/8 + 256/16, false, false}, {20, "IQ4_NL", 32, 2 + 16, false, false}, {21, "IQ3_S", 256, 2 + 256/4 + 256/8 + 256/32 + 4, false, false},
		{22, "IQ2_S", 256, 2 + 256/4 + 256/16, false, false}, {23, "IQ4_XS", 256, 2 + 2 + 256/2 + 256/64, false, false}, {29, "IQ1_M", 256, 256/8 + 256/16 + 256/32, false, false},
		{34, "TQ1_0", 256, 2 + 4*13, false, false}, {35, "TQ2_0", 256, 2 + 64, false, false}, {39, "MXFP4", 32, 1 + 16, false, false}, {40, "NVFP4", 64, 4 + 32, false, false},
		{41, "Q1_0", 128, 2 + 16, false, false},
	}
	for _, c := range all {
		elements, bytes := c.number.Block()
		if c.number.String() != c.name || elements != c.elements || bytes != c.bytes || c.number.Decodable() != c.read || (types[c.number].encode != nil) != c.written {
			t.Errorf("type %d is %s, %d elements in %d bytes, read %t; want %+v", uint32(c.number), c.number, elements, bytes, c.number.Decodable(), c)
		}
	}
	if len(types) != len(all) {
		t.Errorf("%d types, want %d", len(types), len(all))
	}
	if elements, bytes := Type(99).Block(); elements != 0 || bytes != 0 || Type(99).String() != "Type(99)" || Type(99).Decodable() {
		t.Errorf("a type that there is not: %s, %d, %d", Type(99), elements, bytes)
	}
}
