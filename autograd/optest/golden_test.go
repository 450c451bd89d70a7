package optest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// goldenTensor is a tensor of testdata; exactly one of F32 and I32 is set. Packed
// names the dtype that the integers are to be given in.
type goldenTensor struct {
	Shape    ir.Shape
	F32, I32 []byte // little-endian words
	Packed   string
}

func (g *goldenTensor) arg() arg {
	if g == nil {
		return none
	}
	a := arg{shape: g.Shape}
	for b := g.F32; len(b) > 0; b = b[4:] {
		a.floats = append(a.floats, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	for b := g.I32; len(b) > 0; b = b[4:] {
		a.ints = append(a.ints, int32(binary.LittleEndian.Uint32(b)))
	}
	for _, d := range []ir.DType{ir.U8, ir.U4, ir.U1} {
		if d.String() == g.Packed {
			a.packed = d
		}
	}
	return a
}

// goldenCase is an instruction with the results that PyTorch computes for it.
type goldenCase struct {
	Name    string
	Attrs   json.RawMessage
	In, Out []*goldenTensor
	State   map[string]*goldenTensor // what mutated inputs become, by position
}

// golden reads the cases of a kind; there are none where the file is absent.
func golden(tb testing.TB, kind ir.Kind) []goldenCase {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", kind.String()+".json"))
	if os.IsNotExist(err) {
		return nil
	}
	var list []goldenCase
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// attrs returns the attributes as the type of their kind.
func (g *goldenCase) attrs(tb testing.TB, kind ir.Kind) ir.Attrs {
	zero := ir.Kinds[kind].Attrs
	if zero == nil {
		zero = struct{}{}
	}
	v := reflect.New(reflect.TypeOf(zero))
	d := json.NewDecoder(bytes.NewReader(g.Attrs))
	d.DisallowUnknownFields()
	if err := d.Decode(v.Interface()); err != nil {
		tb.Fatalf("%s/%s: %v", kind, g.Name, err)
	}
	if ir.Kinds[kind].Attrs == nil {
		return nil
	}
	return v.Elem().Interface()
}

// instruction returns the case to run and the results to expect.
func (g *goldenCase) instruction(tb testing.TB, kind ir.Kind) (*opCase, []result) {
	c := &opCase{name: g.Name, kind: kind, attrs: g.attrs(tb, kind)}
	var want []result
	for _, t := range g.In {
		c.in = append(c.in, t.arg())
	}
	for info := &ir.Kinds[kind]; len(c.in) < len(info.In); {
		c.in = append(c.in, none) // optional ones that the file leaves out
	}
	for i, t := range g.Out {
		if t == nil {
			c.out = append(c.out, nil)
			continue
		}
		c.out = append(c.out, t.Shape)
		want = append(want, result{ir.Kinds[kind].Out[i].Name, t.arg().floats})
	}
	for len(c.out) < len(ir.Kinds[kind].Out) {
		c.out = append(c.out, nil) // optional ones that the file leaves out
	}
	for _, i := range ir.Kinds[kind].Mutates {
		if t := g.State[strconv.Itoa(i)]; t != nil {
			want = append(want, result{ir.Kinds[kind].In[i].Name, t.arg().floats})
		}
	}
	return c, want
}

// TestGolden compares every implementation with PyTorch, which computed in
// float64.
func TestGolden(t *testing.T) {
	for _, b := range backends() {
		opened := open(t, b, 2)
		for kind := ir.Invalid + 1; kind < ir.NumKinds; kind++ {
			for _, g := range golden(t, kind) {
				c, want := g.instruction(t, kind)
				t.Run(b.name+"/"+c.String(), func(t *testing.T) {
					got := runCase(t, opened, c, float32s, nan, noAlias)
					if len(got) != len(want) {
						t.Fatalf("%d results, want %d", len(got), len(want))
					}
					if err := near(got, want, 2e-5); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}
