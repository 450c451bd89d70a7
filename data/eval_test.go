package data

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/mesh"

	"pgregory.net/rapid"
)

// plain hides TokenBytes.
type plain struct{ Encoder }

// Over all ranks and steps each token but the first is a target once, in order, with its bytes.
func TestEvalCoversOnce(t *testing.T) {
	enc := byteEncoder{}
	rapid.Check(t, func(rt *rapid.T) {
		documents := words(rapid.IntRange(1, 20).Draw(rt, "documents"))
		documents[0] += "x"
		set := newSet(t, enc, 50, documents...)
		all := make([]int32, set.Tokens())
		set.Read(all, 0)
		size := Sequences{
			Rows: Rows{Batch: rapid.IntRange(1, 4).Draw(rt, "batch")}, Context: rapid.IntRange(1, 60).Draw(rt, "context"),
			DocumentMask: rapid.Bool().Draw(rt, "mask"),
		}
		ranks := rapid.IntRange(1, 3).Draw(rt, "ranks")
		var counting Encoder = enc
		first := len(enc.TokenBytes(all[0]))
		if rapid.Bool().Draw(rt, "apportion") {
			counting, first = plain{enc}, 0
		}
		targets := make([]int32, int(set.Tokens())+10*size.Context*size.Batch*ranks)
		inputs := make([]int32, len(targets))
		counted, steps := 0, 0
		bytes := int64(0)
		for rank := range ranks {
			size.Rank = mesh.Of(rank, ranks)
			e, err := NewEval(set, size, counting)
			if err != nil {
				rt.Fatal(err)
			}
			if want := (int(set.Tokens()) - 1 + size.Context - 1) / size.Context; int(e.Windows()) != want {
				rt.Fatalf("%d windows of %d tokens, want %d", e.Windows(), set.Tokens(), want)
			}
			b := e.NewBatch()
			position := uint64(0)
			for ; ; position += e.Stride() {
				if err := e.Fill(b, position); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					rt.Fatal(err)
				}
				at := (int(position) + rank*size.Batch) * size.Context
				copy(targets[at:], b.Ints[Targets])
				copy(inputs[at:], b.Ints[IDs])
				counted += int(b.Weight)
				bytes += b.TextBytes
				steps++
			}
			if steps != e.Steps()*(rank+1) {
				rt.Fatalf("%d steps, want %d", steps, e.Steps())
			}
		}
		want, wantBytes := 0, set.TextBytes()-int64(first)
		for i, target := range targets {
			switch {
			case i >= len(all)-1:
				if target > 0 {
					rt.Fatalf("target %d behind the end", target)
				}
				continue
			case inputs[i] != all[i]:
				rt.Fatalf("input %d is %d, want %d", i, inputs[i], all[i])
			case size.DocumentMask && all[i] == enc.EndOfText():
				if target != Ignore {
					rt.Fatalf("target %d crosses a document", target)
				}
				if _, exact := counting.(TokenByter); exact {
					wantBytes -= int64(len(enc.TokenBytes(all[i+1])))
				}
				continue
			case target != all[i+1]:
				rt.Fatalf("target %d is %d, want %d", i, target, all[i+1])
			}
			want++
		}
		if counted != want || bytes != wantBytes {
			rt.Fatalf("counted %d targets, %d bytes; want %d, %d", counted, bytes, want, wantBytes)
		}
	})
}

func TestEvalErrors(t *testing.T) {
	set := newSet(t, byteEncoder{}, 100, "")
	_, err := NewEval(set, Sequences{Rows: Rows{Batch: 1}, Context: 4}, nil)
	wantError(t, err, "has 1 tokens", "hold out more text")
	set = newSet(t, byteEncoder{}, 100, "a")
	if e, err := NewEval(set, Sequences{Rows: Rows{Batch: 1}, Context: 4}, byteEncoder{}); err != nil || set.Tokens() != 2 || e.Windows() != 1 {
		t.Errorf("%d tokens, one of which is a target: %v", set.Tokens(), err)
	}
	set = newSet(t, byteEncoder{}, 100, "abc")
	_, err = NewEval(set, Sequences{Rows: Rows{Batch: 1}, Context: 4}, byteEncoder{1})
	wantError(t, err, "prepared with tokenizer bytes from 0, not bytes from 1")
}

// The padding of a short window is end-of-text, in a document of its own.
func TestEvalPadding(t *testing.T) {
	set := newSet(t, byteEncoder{}, 100, "ab")
	e, err := NewEval(set, Sequences{Rows: Rows{Batch: 2}, Context: 4, DocumentMask: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := e.NewBatch()
	for i := range b.Ints[IDs] {
		b.Ints[IDs][i], b.Ints[Targets][i], b.Ints[Segments][i], b.Ints[Positions][i] = 9, 9, 9, 9
	}
	if err := e.Fill(b, 0); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, values := range [][]int32{b.Ints[IDs], b.Ints[Targets], b.Ints[Segments], b.Ints[Positions]} {
		rows = append(rows, strings.Trim(fmt.Sprint(values), "[]"))
	}
	want := []string{
		"97 98 256 256 256 256 256 256",
		"98 256 -1 -1 -1 -1 -1 -1",
		"0 0 0 1 0 1 1 1",
		"0 1 2 0 0 0 1 2",
	}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("row %d: %s, want %s", i, rows[i], want[i])
		}
	}
}

// wordEncoder has a token for each word of a list, and end-of-text behind them.
type wordEncoder []string

func (e wordEncoder) AppendEncode(dst []int32, text []byte) []int32 {
	for rest := string(text); rest != ""; {
		for id, word := range e {
			if strings.HasPrefix(rest, word) {
				dst, rest = append(dst, int32(id)), rest[len(word):]
				break
			}
		}
	}
	return dst
}
func (e wordEncoder) VocabSize() int             { return len(e) + 1 }
func (e wordEncoder) EndOfText() int32           { return int32(len(e)) }
func (e wordEncoder) BeginOfText() []int32       { return nil }
func (e wordEncoder) Fingerprint() string        { return "words" }
func (e wordEncoder) TokenBytes(id int32) []byte { return []byte(append(e, "<end>")[id]) }

// The bytes of an evaluation are those of UTF-8, of the text alone, whatever its characters and tokens are.
func TestEvalBytes(t *testing.T) {
	enc := wordEncoder{"日本", "é", "abc", "x"}
	documents := []string{"x日本éabc", "abcabcx", "é日本"}
	all := strings.Join(documents, "")
	set := newSet(t, enc, 5, documents...)
	for _, context := range []int{1, 2, 3, 5, 100} {
		for _, counting := range []Encoder{enc, plain{enc}} {
			e, err := NewEval(set, Sequences{Rows: Rows{Batch: 2}, Context: context}, counting)
			if err != nil {
				t.Fatal(err)
			}
			want, bytes := len(all)-1, int64(0) // without the first token, x
			if _, exact := counting.(TokenByter); !exact {
				want = len(all)
			}
			b := e.NewBatch()
			for position := uint64(0); e.Fill(b, position) == nil; position += e.Stride() {
				bytes += b.TextBytes
			}
			if bytes != int64(want) {
				t.Errorf("context %d: %d bytes, want %d", context, bytes, want)
			}
		}
	}
}

// Windows that overlap have each target once, with as many tokens before it as the definition says.
func TestEvalStrided(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		set := newSet(t, byteEncoder{}, 50, words(rapid.IntRange(1, 20).Draw(rt, "documents"))...)
		if set.Tokens() < 2 {
			return
		}
		all := make([]int32, set.Tokens())
		set.Read(all, 0)
		context := rapid.IntRange(1, 40).Draw(rt, "context")
		advance := rapid.IntRange(1, context).Draw(rt, "advance")
		apportion := rapid.Bool().Draw(rt, "apportion")
		var enc Encoder = byteEncoder{}
		wantBytes := set.TextBytes() - int64(len(byteEncoder{}.TokenBytes(all[0])))
		if apportion {
			enc, wantBytes = plain{enc}, set.TextBytes()
		}
		whole, err := NewEval(set, Sequences{Rows: Rows{Batch: rapid.IntRange(1, 3).Draw(rt, "batch")}, Context: context}, enc)
		if err != nil {
			rt.Fatal(err)
		}
		e, err := whole.Strided(advance)
		if err != nil {
			rt.Fatal(err)
		}
		target, bytes, windows := 1, int64(0), uint64(0) // the next token that has to be predicted
		b := e.NewBatch()
		for position := uint64(0); e.Fill(b, position) == nil; position += e.Stride() {
			counted := 0
			for row := range b.Rows {
				if b.From[row] != (Origin{}) {
					windows++
				}
				for i, id := range b.Ints[Targets][row*context:][:context] {
					if id < 0 {
						continue
					}
					counted++
					seen := b.Ints[IDs][row*context:][:i+1]
					if target <= context && len(seen) != target || target > context && len(seen) <= context-advance {
						rt.Fatalf("windows of %d, %d apart: token %d is predicted from %d", context, advance, target, len(seen))
					}
					if id != all[target] || !slices.Equal(seen, all[target-len(seen):target]) {
						rt.Fatalf("token %d is %d behind %v, want %d", target, id, seen, all[target])
					}
					target++
				}
			}
			if counted != int(b.Weight) {
				rt.Fatalf("weight %g of %d targets", b.Weight, counted)
			}
			bytes += b.TextBytes
		}
		if target != len(all) || bytes != wantBytes || windows != e.Windows() {
			rt.Fatalf("%d tokens and %d bytes in %d windows, want %d, %d, %d", target, bytes, windows, len(all), wantBytes, e.Windows())
		}
	})
	set := newSet(t, byteEncoder{}, 50, "some words")
	whole, err := NewEval(set, Sequences{Rows: Rows{Batch: 1}, Context: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, advance := range []int{0, -1, 9} {
		if _, err := whole.Strided(advance); err == nil || !strings.Contains(err.Error(), "use 1 to 8") {
			t.Errorf("windows %d apart: %v", advance, err)
		}
	}
}
