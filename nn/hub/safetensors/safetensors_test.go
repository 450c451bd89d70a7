package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	oracle "github.com/nlpodyssey/safetensors"

	"example.com/gotrain/nn/hub/bits16"
)

func Example() {
	weights := []float32{0, 0.25, 0.5, 0.75, 1, 1.25}
	var file bytes.Buffer
	err := Write(&file, []Tensor{{Name: "wte.weight", DType: F32, Shape: []int{2, 3}, Data: Bytes(weights)}}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := Parse("model.safetensors", file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	t, ok := f.Tensor("wte.weight")
	got := make([]float32, 6)
	fmt.Println(t.DType, t.Shape, ok, t.CopyFloat32(got), got)
	// Output: F32 [2 3] true <nil> [0 0.25 0.5 0.75 1 1.25]
}

// golden is testdata/golden.safetensors, which testdata/golden.py wrote with the
// reference library. F16 and BF16 are given as bits.
var golden = []Tensor{
	{Name: "wte.weight", DType: F32, Shape: []int{2, 3}, Data: Bytes([]float32{0, 0.25, 0.5, 0.75, 1, 1.25})},
	{Name: "h.0.bias", DType: F32, Shape: []int{3}, Data: Bytes([]float32{-1.5, 0, 3.25})},
	{Name: "näme \"quoted\"\\\u2028", DType: F32, Shape: []int{1}, Data: Bytes([]float32{1})},
	{Name: "bf16", DType: BF16, Shape: []int{2, 2}, Data: Bytes([]uint16{0x3f80, 0xc020, 0x7f80, 0x3e00})},
	{Name: "f16", DType: F16, Shape: []int{5}, Data: Bytes([]uint16{0x3c00, 0xc100, 0x7bff, 0x0001, 0x7c00})},
	{Name: "ids", DType: I32, Shape: []int{2}, Data: Bytes([]int32{-1, math.MaxInt32})},
	{Name: "long", DType: I64, Shape: []int{2}, Data: Bytes([]int64{math.MinInt64, 7})},
	{Name: "double", DType: F64, Shape: []int{1}, Data: Bytes([]float64{0.1})},
	{Name: "bytes", DType: U8, Shape: []int{5}, Data: []byte{0, 1, 2, 3, 4}},
	{Name: "mask", DType: Bool, Shape: []int{3}, Data: []byte{1, 0, 1}},
	{Name: "empty", DType: F32, Shape: []int{0, 4}},
	{Name: "scalar", DType: F32, Data: Bytes([]float32{2})},
}

func TestReadsWhatTheReferenceWrote(t *testing.T) {
	f, err := Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Tensors()) != len(golden) || f.Metadata()["format"] != "pt" {
		t.Fatalf("%d tensors, metadata %v", len(f.Tensors()), f.Metadata())
	}
	for _, want := range golden {
		got, ok := f.Tensor(want.Name)
		if !ok || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("read %+v, %v; want %+v", got, ok, want)
		}
	}
	if _, ok := f.Tensor("none"); ok {
		t.Error("found a tensor that is not there")
	}
}

func TestWritesTheBytesOfTheReference(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	streamed := slices.Clone(golden)
	for i := range streamed {
		streamed[i].From = bytes.NewReader(streamed[i].Data)
		streamed[i].Data = nil
	}
	for _, tensors := range [][]Tensor{golden, streamed} {
		var got bytes.Buffer
		if err := Write(&got, tensors, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("wrote\n%q\nwant\n%q", got.Bytes(), want)
		}
	}
}

func TestEveryTensorIsAligned(t *testing.T) {
	f, err := Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := os.ReadFile("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	at := 8 + int(binary.LittleEndian.Uint64(data))
	for _, tensor := range f.Tensors() {
		if at%tensor.DType.Size() != 0 {
			t.Errorf("%s begins at byte %d", tensor.Name, at)
		}
		at += len(tensor.Data)
	}
}

// TestHeadersAreWholeWords: the data begin at a multiple of 8 bytes whatever the names.
func TestHeadersAreWholeWords(t *testing.T) {
	for n := range 17 {
		var file bytes.Buffer
		if err := Write(&file, []Tensor{{Name: strings.Repeat("x", n), DType: F64, Shape: []int{1}, Data: Bytes([]float64{1})}}, nil); err != nil {
			t.Fatal(err)
		}
		length := binary.LittleEndian.Uint64(file.Bytes())
		if length%8 != 0 || file.Len() != int(8+length+8) || file.Bytes()[7+length] != ' ' && file.Bytes()[7+length] != '}' {
			t.Errorf("a name of %d bytes has a header of %d, a file of %d", n, length, file.Len())
		}
	}
}

func TestCopyFloat32(t *testing.T) {
	want := map[string][]float32{
		"wte.weight": {0, 0.25, 0.5, 0.75, 1, 1.25},
		"bf16":       {1, -2.5, float32(math.Inf(1)), 0.125},
		"f16":        {1, -2.5, 65504, 0x1p-24, float32(math.Inf(1))},
		"double":     {0.1},
		"empty":      {},
		"scalar":     {2},
	}
	for _, tensor := range golden {
		values, ok := want[tensor.Name]
		if !ok {
			continue
		}
		got := make([]float32, len(values))
		if err := tensor.CopyFloat32(got); err != nil || !slices.Equal(got, values) {
			t.Errorf("%s: %v, %v; want %v", tensor.Name, got, err, values)
		}
		if err := tensor.CopyFloat32(make([]float32, len(values)+1)); err == nil {
			t.Errorf("%s: filled a slice that is too long", tensor.Name)
		}
	}
	if err := golden[5].CopyFloat32(make([]float32, 2)); err == nil {
		t.Error("converted I32")
	}
}

// TestFloat16 compares all 65,536 bit patterns with the definition:
// (−1)^s × 2^(e−15) × (1 + f/1024), or (−1)^s × 2⁻¹⁴ × f/1024 for e = 0.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1-2*float64(h>>15), h>>10&0x1f, float64(h&0x3ff)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac/1024, -14)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		}
		got := float64(bits16.FromF16(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("float16(%#04x) = %v, want %v", h, got, want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	two := Bytes([]float32{1, 2})
	cases := []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{{Name: "a", DType: F32, Shape: []int{3}, Data: two}}, "8 bytes of data, F32 [3] has 12"},
		{[]Tensor{{Name: "a", DType: F32, Shape: []int{2}, Data: two}, {Name: "a", DType: F32, Shape: []int{2}, Data: two}}, "appears twice"},
		{[]Tensor{{Name: "__metadata__", DType: U8, Shape: []int{0}}}, "cannot be a tensor's name"},
		{[]Tensor{{Name: "\xff", DType: U8, Shape: []int{0}}}, "cannot be a tensor's name"},
		{[]Tensor{{Name: "a", Shape: []int{2}, Data: two}}, "is no tensor"},
		{[]Tensor{{Name: "a", DType: F32, Shape: []int{-2}, Data: two}}, "is no tensor"},
		{[]Tensor{{Name: "a", DType: F32, Shape: []int{math.MaxInt, 3}, Data: two}}, "is no tensor"},
		{[]Tensor{{Name: "a", DType: U8, Shape: make([]int, MaxDims+1)}}, "17 dimensions"},
		{[]Tensor{{Name: "a", DType: F32, Shape: []int{3}, From: bytes.NewReader(two)}}, "From wrote 8 bytes, F32 [3] has 12"},
		{make([]Tensor, MaxTensors+1), "100001 tensors"},
	}
	for _, c := range cases {
		err := Write(io.Discard, c.tensors, nil)
		var fault *FormatError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if err := Write(io.Discard, []Tensor{{Name: "a", DType: F32, Shape: []int{1}, From: bytes.NewReader(two)}}, nil); err == nil {
		t.Error("wrote more bytes than the tensor has")
	}
	if err := Write(io.Discard, nil, map[string]string{"a": "\xff"}); err == nil {
		t.Error("wrote metadata that is not UTF-8")
	}
}

// build puts a header in front of n bytes of data.
func build(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

const oneTensor = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`

// hostile files, with a part of the error each must give.
var hostile = []struct {
	name string
	data []byte
	want string
}{
	{"empty", nil, "too few"},
	{"length alone", make([]byte, 8), "'{'"},
	{"header over 100 MB", binary.LittleEndian.AppendUint64(nil, MaxHeader+1), "at most 100000000"},
	{"header length overflows", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "at most 100000000"},
	{"header beyond the file", build(oneTensor, 0)[:30], "in a file of 30"},
	{"header is no object", build(`[]`, 0), "'{'"},
	{"header begins with space", build(` {}`, 0), "'{'"},
	{"not JSON", build(`{"a"`, 0), "want ':'"},
	{"text after the header", build(`{} x`, 0), "more after"},
	{"no end", build(`{"a":{"dtype":"F32`, 0), "no end"},
	{"not UTF-8", build("{\"\xff\":{}}", 0), "UTF-8"},
	{"control character", build("{\"\n\":{}}", 0), "control character"},
	{"bad escape", build(`{"\x":{}}`, 0), "bad escape"},
	{"truncated data", build(oneTensor, 7), "go beyond the 7 bytes"},
	{"more data", build(oneTensor, 9), "end at byte 8 of 9"},
	{"gap", build(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), "gap"},
	{"gap at the start", build(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), "gap"},
	{"overlap", build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "overlap"},
	{"same bytes twice", build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), "overlap"},
	{"backward", build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}`, 2), "backward"},
	{"size differs", build(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "do not fit F32 [3]"},
	{"shape overflows", build(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "do not fit"},
	{"shape overflows after a zero", build(`{"a":{"dtype":"F32","shape":[4611686018427387904,2,0],"data_offsets":[0,0]}}`, 0), "do not fit"},
	{"dimension overflows", build(`{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}}`, 0), "too large"},
	{"number overflows", build(`{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,0]}}`, 0), "too large"},
	{"negative", build(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "whole number"},
	{"fraction", build(`{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8), "want ','"},
	{"leading zero", build(`{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}`, 8), "whole number"},
	{"unknown dtype", build(`{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}`, 8), `dtype "F33"`},
	{"17 dimensions", build(`{"a":{"dtype":"U8","shape":[1`+strings.Repeat(",1", 16)+`],"data_offsets":[0,1]}}`, 1), "more than 16 dimensions"},
	{"duplicate tensor", build(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `"a" appears twice`},
	{"duplicate metadata", build(`{"__metadata__":{},"__metadata__":{}}`, 0), "appears twice"},
	{"duplicate metadata key", build(`{"__metadata__":{"a":"","a":""}}`, 0), "appears twice"},
	{"metadata is no text", build(`{"__metadata__":{"a":1}}`, 0), "want a string"},
	{"duplicate dtype", build(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "dtype appears twice"},
	{"no shape", build(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "missing"},
	{"unknown key", build(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, 1), "unknown key"},
	{"one offset", build(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}`, 0), "fewer than two"},
	{"three offsets", build(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}`, 0), "more than two"},
	{"deep nesting", build(`{"a":{"shape":`+strings.Repeat("[", 100000), 0), "whole number"},
}

func TestHostileFiles(t *testing.T) {
	for _, c := range hostile {
		path := filepath.Join(t.TempDir(), "bad.safetensors")
		if err := os.WriteFile(path, c.data, 0o666); err != nil {
			t.Fatal(err)
		}
		for how, read := range map[string]func() (*File, error){
			"Open":  func() (*File, error) { return Open(path) },
			"Parse": func() (*File, error) { return Parse(path, c.data) },
		} {
			_, err := read()
			var fault *FormatError
			if !errors.As(err, &fault) || fault.File != path || fault.Cure == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s gives %v, want a *FormatError with file, cure and %q", c.name, how, err, c.want)
			}
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("opened a directory")
	}
}

func TestTooManyTensors(t *testing.T) {
	var h strings.Builder
	for i := range MaxTensors + 1 {
		fmt.Fprintf(&h, `,"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	_, err := Parse("x", build("{"+h.String()[1:]+"}", 0))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 tensors") {
		t.Fatalf("error %v", err)
	}
}

// FuzzParse checks that what Parse accepts covers the file, survives writing and
// is read the same by another implementation.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/golden.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"))
	for _, c := range hostile {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			var fault *FormatError
			if !errors.As(err, &fault) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		total := 0
		for _, tensor := range file.Tensors() {
			total += len(tensor.Data)
		}
		if want := len(data) - 8 - int(binary.LittleEndian.Uint64(data)); total != want {
			t.Fatalf("tensors hold %d of %d bytes", total, want)
		}
		var out bytes.Buffer
		if err := Write(&out, file.Tensors(), file.Metadata()); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again", out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		other, err := oracle.Deserialize(data)
		if err != nil {
			t.Fatalf("the other implementation says %v", err)
		}
		for _, a := range file.Tensors() {
			b, ok := again.Tensor(a.Name)
			if !ok || a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || !bytes.Equal(a.Data, b.Data) {
				t.Fatalf("%+v became %+v", a, b)
			}
			c, ok := other.Tensor(a.Name)
			if !ok || c.DType().String() != a.DType.String() || !bytes.Equal(c.Data(), a.Data) {
				t.Fatalf("the other implementation reads %+v as %+v", a, c)
			}
		}
	})
}

func BenchmarkParseHeader(b *testing.B) {
	var tensors []Tensor
	for i := range 50_000 {
		tensors = append(tensors, Tensor{Name: fmt.Sprintf("model.layers.%d.mlp.experts.down_proj.weight", i), DType: U8, Shape: []int{1, 1}, Data: []byte{0}})
	}
	var out bytes.Buffer
	if err := Write(&out, tensors, nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		if _, err := Parse("x", out.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestQuotes: names are escaped as serde_json does: the short forms, \u for other controls, nothing else.
func TestQuotes(t *testing.T) {
	short := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	for c := range byte(128) {
		want := short[c]
		switch {
		case want == "" && c < ' ':
			want = fmt.Sprintf(`\u%04x`, c)
		case want == "":
			want = string(rune(c))
		}
		var b bytes.Buffer
		name := "é" + string(rune(c)) + "🙂"
		quote(&b, name)
		var back string
		if b.String() != `"é`+want+`🙂"` || json.Unmarshal(b.Bytes(), &back) != nil || back != name {
			t.Errorf("%q is written %s", name, b.String())
		}
	}
}
