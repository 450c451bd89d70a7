// Package x86 holds what the generators of the CPU kernels share: register
// files by number, instructions that neither avo nor Go's assembler knows, and
// the kernel package's own types.
package x86

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"log"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Constraint is the build constraint of every generated file: amd64 && !noasm.
const Constraint = "amd64,!noasm"

// X, Y and Z are the vector registers by number.
var (
	X = []reg.VecPhysical{
		reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
	}
	Y = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}
	Z = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
)

// VDPBF16PS emits d += s1·s2 over pairs of bfloat16, on zmm registers given by
// number: EVEX.512.F3.0F38.W0 52 /r.
func VDPBF16PS(d, s1, s2 int) { evex(2, 2, 0x52, d, s1, s2) }

// VCVTNE2PS2BF16 emits d = (bfloat16(hi), bfloat16(lo)), lo in the low half, on
// ymm registers given by number: EVEX.256.F2.0F38.W0 72 /r.
func VCVTNE2PS2BF16(d, hi, lo int) { evex(1, 3, 0x72, d, hi, lo) }

// evex encodes a register-to-register instruction of map 0F38 with W0 and no
// mask. length: 1 is 256 bits, 2 is 512. prefix: 2 is F3, 3 is F2.
func evex(length, prefix, opcode byte, d, s1, s2 int) {
	inv := func(v, bit int) byte { return byte((v>>bit)&1) ^ 1 }
	for _, b := range []byte{
		0x62,
		inv(d, 3)<<7 | inv(s2, 4)<<6 | inv(s2, 3)<<5 | inv(d, 4)<<4 | 0x02,
		byte(^s1&15)<<3 | 0x04 | prefix,
		length<<5 | inv(s1, 4)<<3,
		opcode,
		0xC0 | byte(d&7)<<3 | byte(s2&7),
	} {
		build.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
	}
}

// StructOf returns the definition of the struct type that is declared under name
// in the Go file at path, for use in a signature.
func StructOf(path, name string) string {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		log.Fatal(err)
	}
	text := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			text = types.ExprString(spec.Type)
		}
		return text == ""
	})
	if text == "" {
		log.Fatalf("%s declares no type %s", path, name)
	}
	return text
}
