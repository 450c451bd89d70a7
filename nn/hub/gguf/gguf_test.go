package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn/hub/bits16"
)

func Example() {
	row := make([]float32, 64)
	for i := range row {
		row[i] = float32(127 * (i % 2))
	}
	data := make([]byte, 2*34)
	if err := Q8_0.Encode(data, row); err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	err := Write(&file, Metadata{{"general.architecture", "llama"}, {"llama.block_count", uint32(30)}},
		[]Tensor{{Name: "blk.0.attn_q.weight", Type: Q8_0, Shape: []int{2, 32}, Data: data}})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := Parse("model.gguf", file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	t, _ := f.Tensor("blk.0.attn_q.weight")
	blocks, _, _ := f.Metadata().Int("llama.block_count")
	fmt.Println(blocks, t.Type, t.Shape, t.CopyFloat32(row), row[:3])
	// Output: 30 Q8_0 [2 32] <nil> [0 127 0]
}

// open reads testdata/golden.gguf, which testdata/golden.py wrote.
func open(t *testing.T) *File {
	t.Helper()
	f, err := Open("testdata/golden.gguf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func floats(t *testing.T, f *File, name string) []float32 {
	t.Helper()
	tensor, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("there is no tensor %q", name)
	}
	n := 1
	for _, dim := range tensor.Shape {
		n *= dim
	}
	dst := make([]float32, n)
	if err := tensor.CopyFloat32(dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestDecode(t *testing.T) {
	f := open(t)
	for _, typ := range []Type{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K} {
		got, want := floats(t, f, typ.String()), floats(t, f, typ.String()+".f32")
		elements, _ := typ.Block()
		if len(got) != 8*elements {
			t.Errorf("%v: %d elements, want 8 blocks", typ, len(got))
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Errorf("%v: element %d of block %d is %g, want %g", typ, i%elements, i/elements, got[i], want[i])
				break
			}
		}
	}
}

func TestEncode(t *testing.T) {
	f := open(t)
	source := floats(t, f, "encode.F32")
	clipped := make([]float32, len(source))
	for i, x := range source {
		clipped[i] = max(-100, min(100, x))
	}
	for typ, src := range map[Type][]float32{F32: source, F16: source, BF16: source, Q8_0: clipped, Q4_0: clipped, Q5_0: clipped} {
		want, _ := f.Tensor("encode." + typ.String())
		got := make([]byte, len(want.Data))
		if err := typ.Encode(got, src); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(got, want.Data) {
			t.Errorf("%v: encoded to %x, want %x", typ, got, want.Data)
		}
		if err := typ.Encode(got[1:], src); err == nil {
			t.Errorf("%v: Encode takes a slice that is too short", typ)
		}
	}
	if err := Q4_1.Encode(make([]byte, 20), make([]float32, 32)); err == nil {
		t.Error("Q4_1 is encoded")
	}
}

// TestHalf converts every binary16 number to float32 and back.
func TestHalf(t *testing.T) {
	for h := range uint32(1 << 16) {
		x := half(binary.LittleEndian.AppendUint16(nil, uint16(h)))
		if isNaN := x != x; isNaN != (h&0x7c00 == 0x7c00 && h&0x3ff != 0) {
			t.Errorf("%04x gives %g", h, x)
		} else if !isNaN && bits16.F16(x) != uint16(h) {
			t.Errorf("%04x gives %g, which gives %04x", h, x, bits16.F16(x))
		}
	}
	quiet := make([]byte, 2)
	encodeBF16(quiet, []float32{math.Float32frombits(0x7f800001)})
	if x := bits16.F16(float32(math.NaN())); x != 0x7e00 || quiet[1] != 0x7f || quiet[0] != 0xc0 {
		t.Errorf("NaN gives %04x and % x", x, quiet)
	}
}

// goldenMetadata is what testdata/golden.py stores.
var goldenMetadata = Metadata{
	{"general.architecture", "golden"},
	{"k.uint8", uint8(200)}, {"k.int8", int8(-100)}, {"k.uint16", uint16(60000)}, {"k.int16", int16(-30000)},
	{"k.uint32", uint32(4_000_000_000)}, {"k.int32", int32(-2_000_000_000)}, {"k.float32", float32(1e-5)},
	{"k.bool", true}, {"k.string", "Ġnäme"}, {"k.uint64", uint64(1 << 63)}, {"k.int64", int64(-1 << 62)},
	{"k.float64", 0.1}, {"k.strings", []string{"a", "", "Ġb"}}, {"k.ints", []int32{1, -2, 3}},
	{"k.floats", []float32{0.5, 1.5}}, {"k.bools", []bool{true, false}},
}

func TestMetadata(t *testing.T) {
	f := open(t)
	if got := f.Metadata(); !reflect.DeepEqual(got, goldenMetadata) {
		t.Errorf("metadata %v, want %v", got, goldenMetadata)
	}
	m := f.Metadata()
	if n, ok, err := m.Int("k.int16"); n != -30000 || !ok || err != nil {
		t.Errorf("Int: %d, %v, %v", n, ok, err)
	}
	if _, ok, err := m.Int("nope"); ok || err != nil {
		t.Errorf("an absent key: %v, %v", ok, err)
	}
	if _, _, err := m.Int("k.uint64"); err == nil {
		t.Error("2⁶³ fits int")
	}
	if x, ok, err := m.Float("k.uint8"); x != 200 || !ok || err != nil {
		t.Errorf("Float: %g, %v, %v", x, ok, err)
	}
	for key, want := range map[string]float64{"k.float32": float64(float32(1e-5)), "k.float64": 0.1, "k.int64": -1 << 62} {
		if x, ok, err := m.Float(key); x != want || !ok || err != nil {
			t.Errorf("Float(%s): %g, %v, %v, want %g", key, x, ok, err, want)
		}
	}
	if b, ok, err := m.Bool("k.bool"); !b || !ok || err != nil {
		t.Errorf("Bool: %v, %v, %v", b, ok, err)
	}
	if s, ok, err := m.Strings("k.strings"); len(s) != 3 || !ok || err != nil {
		t.Errorf("Strings: %v, %v, %v", s, ok, err)
	}
	if n, ok, err := m.Ints("k.ints"); !reflect.DeepEqual(n, []int{1, -2, 3}) || !ok || err != nil {
		t.Errorf("Ints: %v, %v, %v", n, ok, err)
	}
	var fault *FormatError
	_, _, err := m.String("k.bool")
	if !errors.As(err, &fault) || fault.Key != "k.bool" {
		t.Errorf("a bool as a string: %v", err)
	}
}

// nested are values that the Python package does not write.
var nested = Metadata{
	{"general.alignment", uint32(64)},
	{"u8", []uint8{1, 2}}, {"i8", []int8{-1}}, {"u16", []uint16{1}}, {"i16", []int16{-1}}, {"u32", []uint32{7}},
	{"u64", []uint64{1}}, {"i64", []int64{-1}}, {"f64", []float64{0.25}}, {"none", []string{}},
	{"nested", []any{[]int32{1, 2}, []string{"x"}, []any{[]bool{true}}}},
}

func TestWrite(t *testing.T) {
	data := []byte{0, 0, 128, 63, 0, 0, 0, 64}
	tensors := []Tensor{
		{Name: "a", Type: F32, Shape: []int{1, 2}, Data: data},
		{Name: "b", Type: F16, Shape: []int{4}, From: strings.NewReader("12345678")},
		{Name: "empty", Type: F32, Shape: []int{0, 4}},
	}
	var file bytes.Buffer
	if err := Write(&file, nested, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("x.gguf", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata(), nested) || f.Version != 3 {
		t.Errorf("version %d, metadata %v, want %v", f.Version, f.Metadata(), nested)
	}
	b, ok := f.Tensor("b")
	if !ok || string(b.Data) != "12345678" || !reflect.DeepEqual(b.Shape, []int{4}) {
		t.Errorf("tensor b: %+v", b)
	}
	if at := bytes.Index(file.Bytes(), b.Data); at%64 != 0 || file.Len()%64 != 0 {
		t.Errorf("tensor b at byte %d of %d is not aligned to 64", at, file.Len())
	}
}

// TestWriteAgain wants the bytes of the Python package from what it wrote.
func TestWriteAgain(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.gguf")
	if err != nil {
		t.Fatal(err)
	}
	f := open(t)
	var got bytes.Buffer
	if err := Write(&got, f.Metadata(), f.Tensors()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes differ from the package's %d", got.Len(), len(want))
	}
}

func TestWriteFaults(t *testing.T) {
	one := []byte{0, 0, 128, 63}
	for _, c := range []struct {
		want     string
		metadata Metadata
		tensor   Tensor
	}{
		{"gguf: cannot be a key", Metadata{{"", "x"}}, Tensor{}},
		{`key "a": cannot be a key, or appears twice`, Metadata{{"a", "x"}, {"a", "y"}}, Tensor{}},
		{`key "a": a value of type int cannot`, Metadata{{"a", 3}}, Tensor{}},
		{`key "a": an element of []any is of type int`, Metadata{{"a", []any{3}}}, Tensor{}},
		{`key "general.alignment": 3 is no power of two`, Metadata{{"general.alignment", uint32(3)}}, Tensor{}},
		{"gguf: cannot be a tensor's name", nil, Tensor{}},
		{`tensor "x": 5 dimensions`, nil, Tensor{Name: "x", Shape: make([]int, 5), Data: one}},
		{`tensor "x": Type(99) [1] is no tensor`, nil, Tensor{Name: "x", Type: 99, Shape: []int{1}, Data: one}},
		{`tensor "x": Q8_0 [2 16] is no tensor: rows`, nil, Tensor{Name: "x", Type: Q8_0, Shape: []int{2, 16}, Data: one}},
		{`tensor "x": F32 [-1] is no tensor`, nil, Tensor{Name: "x", Shape: []int{-1}, Data: one}},
		{`tensor "x": 4 bytes of data, F32 [2] has 8`, nil, Tensor{Name: "x", Shape: []int{2}, Data: one}},
	} {
		err := Write(io.Discard, c.metadata, []Tensor{c.tensor})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	for _, text := range []string{"123", "12345"} {
		err := Write(io.Discard, nil, []Tensor{{Name: "x", Shape: []int{1}, From: strings.NewReader(text)}})
		if err == nil || !strings.Contains(err.Error(), `tensor "x"`) {
			t.Errorf("From with %d bytes of 4: %v", len(text), err)
		}
	}
}

// damaged are files with one fault each, made from a good one.
func damaged(t testing.TB) map[string][]byte {
	t.Helper()
	var file bytes.Buffer
	metadata := Metadata{{"a", "text"}, {"b", []string{"x", "y"}}, {"c", true}}
	tensors := []Tensor{
		{Name: "first", Type: F32, Shape: []int{2}, Data: make([]byte, 8)},
		{Name: "later", Type: F32, Shape: []int{2}, Data: make([]byte, 8)},
	}
	if err := Write(&file, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	good := file.Bytes()
	after := func(text string) int { return bytes.Index(good, []byte(text)) + len(text) }
	put := func(at int, bytes ...byte) []byte {
		bad := append([]byte(nil), good...)
		copy(bad[at:], bytes)
		return bad
	}
	huge := []byte{255, 255, 255, 255, 255, 255, 255, 127}
	tensor := after("first") // dims 4, dim 8, type 4, offset 8
	second := after("later")
	return map[string][]byte{
		"does not begin with":                                       put(0, 'g'),
		"big-endian":                                                put(4, 0, 0, 0, 3),
		"is of version 1":                                           put(4, 1),
		"is of version 4":                                           put(4, 4),
		"tensors do not fit":                                        put(8, huge...),
		"metadata entries do not fit":                               put(16, huge...),
		"metadata entry 0: the file ends inside it":                 put(24, huge...),
		"metadata entry 0: a name of 0 bytes":                       put(24, 0),
		`key "a": value type 13 is unknown`:                         put(33, 13),
		`key "a": the file ends inside it`:                          put(37, huge...),
		`key "b": element type 13`:                                  put(after("text")+8+1+4, 13),
		`key "b": an array of 9223372036854775807 elements: the`:    put(after("text")+8+1+4+4, huge...),
		`key "b": element 0: the file ends inside it`:               put(after("text")+8+1+4+4+8, huge...),
		`key "a": appears twice`:                                    put(after("text")+8, 'a'),
		`key "c": 7 is neither`:                                     put(after("\x00c")+4, 7),
		`name "\xff" is not UTF-8`:                                  put(32, 255),
		`tensor "first": 5 dimensions`:                              put(tensor, 5),
		`tensor "first": F32 [9223372036854775807] is no tensor`:    put(tensor+4, huge...),
		`tensor "first": dimension 18446744073709551615 is too`:     put(tensor+4, 255, 255, 255, 255, 255, 255, 255, 255),
		`tensor "first": Q8_0 [2] is no tensor: rows must be whole`: put(tensor+12, 8),
		`tensor "first": type 99 is unknown`:                        put(tensor+12, 99),
		`tensor "first": offset 8 is no multiple`:                   put(tensor+16, 8),
		`tensor "first": 8 bytes at offset 9223372036854775776 go`:  put(tensor+16, 224, 255, 255, 255, 255, 255, 255, 127),
		`overlaps tensor "first"`:                                   put(second+16, 0),
		`tensor "first": appears twice`:                             put(second-5, []byte("first")...),
		"are too few":                                               good[:20],
		"go beyond the":                                             good[:len(good)-32],
		"ends before the tensors' data":                             good[:second+24],
	}
}

func TestDamaged(t *testing.T) {
	for want, data := range damaged(t) {
		_, err := Parse("bad.gguf", data)
		var fault *FormatError
		if !errors.As(err, &fault) || fault.File != "bad.gguf" || fault.Cure == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.gguf")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, empty, filepath.Join(dir, "nope")} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
}

func TestNesting(t *testing.T) {
	deep := any([]any{})
	for range maxDepth {
		deep = []any{deep}
	}
	if err := Write(io.Discard, Metadata{{"a", deep}}, nil); err == nil {
		t.Error("too many arrays are written")
	}
	head := []byte("GGUF\x03\x00\x00\x00" + strings.Repeat("\x00", 8) + "\x01" + strings.Repeat("\x00", 7) + "\x01" + strings.Repeat("\x00", 7) + "a\x09\x00\x00\x00")
	head = append(head, bytes.Repeat([]byte("\x09\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"), 1000)...)
	if _, err := Parse("bad.gguf", head); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("1000 arrays inside each other: %v", err)
	}
}

// FuzzParse wants no panic, memory in proportion to the file, and that what is
// read is written and read again as it was.
func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile("testdata/golden.gguf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	for _, data := range damaged(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz.gguf", data)
		if err != nil {
			return
		}
		for _, tensor := range file.Tensors() {
			if elements, bytes := tensor.Type.Block(); tensor.Type.Decodable() && len(tensor.Data) < 1<<16 {
				if err := tensor.CopyFloat32(make([]float32, len(tensor.Data)/bytes*elements)); err != nil {
					t.Error(err)
				}
			}
		}
		var first, second bytes.Buffer
		if err := Write(&first, file.Metadata(), file.Tensors()); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("fuzz.gguf", first.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(&second, again.Metadata(), again.Tensors()); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("written again it is another file (%v)", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, typ := range []Type{F16, BF16, Q8_0, Q4_0, Q4_1, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K} {
		b.Run(typ.String(), func(b *testing.B) {
			elements, size := typ.Block()
			n := 1 << 18
			src, dst := make([]byte, n/elements*size), make([]float32, n)
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if err := typ.Decode(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestDecodeF64: doubles are rounded to the nearest float32.
func TestDecodeF64(t *testing.T) {
	want := []float32{0, -1.5, float32(math.Inf(1)), 1, 3e38}
	var src []byte
	for _, x := range []float64{0, -1.5, 1e300, 1 + 1e-9, 3e38} {
		src = binary.LittleEndian.AppendUint64(src, math.Float64bits(x))
	}
	got := make([]float32, len(want))
	if decodeF64(got, src); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
