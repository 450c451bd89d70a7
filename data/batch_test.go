package data

import (
	"testing"

	"example.com/gotrain/autograd/mesh"
)

// A batch has what the fields say, in zeros, and names of kinds and places are as errors print them.
func TestNewBatch(t *testing.T) {
	fields := []Field{{"ids", Int32, []int{7}}, {"image", Float32, []int{3, 4, 5}}, {"pixels", Uint8, []int{2, 2}}, {"label", Int32, nil}}
	b := NewBatch(3, fields)
	if len(b.Ints) != 2 || len(b.Floats) != 1 || len(b.Raw) != 1 || len(b.Ints["ids"]) != 21 || len(b.Ints["label"]) != 3 || len(b.Floats["image"]) != 180 || len(b.Raw["pixels"]) != 12 ||
		b.Rows != 3 || len(b.From) != 3 {
		t.Errorf("%d ints, %d floats, %d bytes, %d rows, %d places", len(b.Ints["ids"]), len(b.Floats["image"]), len(b.Raw["pixels"]), b.Rows, len(b.From))
	}
	for kind, want := range map[Kind]string{Int32: "int32", Float32: "float32", Uint8: "uint8", Uint8 + 1: "invalid"} {
		if kind.String() != want {
			t.Errorf("%d is %s, want %s", kind, kind, want)
		}
	}
	if got := (Origin{"a.txt", 12}).String(); got != "a.txt:12" {
		t.Error(got)
	}
	if got := (Document{File: "a.jsonl", Record: 3}).place() + " " + (Document{File: "a.txt"}).place(); got != "a.jsonl:3 a.txt" {
		t.Error(got)
	}
	if Train.String() != "train" || Validation.String() != "validation" {
		t.Error(Train, Validation)
	}
}

// The samples of a step are spread over ranks without a gap, at most a batch on each.
func TestShares(t *testing.T) {
	if (Rows{Batch: 4}).Stride() != 4 || (Rows{Batch: 4, Samples: 3}).Stride() != 3 {
		t.Error("strides of one rank")
	}
	for _, c := range []struct {
		rows Rows
		ok   bool
	}{
		{Rows{Batch: 1}, true}, {Rows{}, false}, {Rows{Batch: -1}, false}, {Rows{Batch: 4, Samples: 4}, true}, {Rows{Batch: 4, Samples: 5}, false}, {Rows{Batch: 4, Samples: -1}, false},
	} {
		if err := c.rows.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.rows, err)
		}
	}
	if first, rows := (Rows{Batch: 4, Samples: 3, Rank: mesh.Rank{}}).Share(); first != 0 || rows != 3 {
		t.Errorf("share of one rank: %d at %d", rows, first)
	}
}
