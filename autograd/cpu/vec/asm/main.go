// Command asm writes the assembly of package vec and its Go declarations:
// ../avx2_amd64.{s,go} and ../avx512_amd64.{s,go}. It is a module of its own so
// that only whoever changes the kernels needs avo. Run it by `go generate` in
// package vec.
//
// One description serves both instruction sets. A kernel is a loop over a slice
// (loop.go) around a body of vector operations (ops.go, math.go) on virtual
// registers, which avo allocates.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	log.SetFlags(0)
	for _, i := range []isa{
		{name: "AVX2", lanes: 8, constants: 6},
		{name: "AVX512", lanes: 16, constants: 18},
	} {
		g := newGen(i)
		g.elementwise()
		g.activations()
		g.reductions()
		g.norms()
		g.softmax()
		g.optimizers()
		g.dropout()
		g.conversions()
		g.rope()
		g.transpose()
		g.attention()
		g.recurrent()
		if err := g.write(); err != nil {
			log.Fatalf("%s: %v", i.name, err)
		}
	}
}

// write compiles the kernels and writes the assembly and its declarations.
func (g *gen) write() error {
	file, err := g.real.Result()
	if err != nil {
		build.LogError(log.Default(), err, 10)
		return fmt.Errorf("invalid kernels")
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	cfg := printer.Config{Name: "asm", Argv: []string{"go generate"}, Pkg: "vec"}
	for ext, p := range map[string]printer.Printer{
		"s": printer.NewGoAsm(cfg), "go": printer.NewStubs(cfg),
	} {
		text, err := p.Print(file)
		if err != nil {
			return err
		}
		text = bytes.Replace(text, []byte("//go:build amd64\n"), []byte("//go:build amd64 && !noasm\n"), 1)
		if g.lanes == 8 {
			if names := beyondAVX2(text); names != nil {
				return fmt.Errorf("%v need more than 16 registers", names)
			}
		}
		if err := os.WriteFile("../"+g.file()+"_amd64."+ext, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// beyondAVX2 names the functions that use vector registers 16 to 31, which exist
// with AVX-512 only; avo hands them out all the same.
func beyondAVX2(text []byte) (names []string) {
	high := regexp.MustCompile(`\b[XY](1[6-9]|2\d|3[01])\b`)
	for _, function := range strings.Split(string(text), "TEXT ·")[1:] {
		if high.MatchString(function) {
			names = append(names, function[:strings.Index(function, "(")])
		}
	}
	return names
}
