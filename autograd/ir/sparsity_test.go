package ir

import (
	"strings"
	"testing"
)

// TestSparsityPatterns draws each pattern, a line for each block of queries.
func TestSparsityPatterns(t *testing.T) {
	for _, c := range []struct {
		s    Sparsity
		want string
	}{
		{Sparsity{}, "###### ###### ###### ###### ###### ######"},
		{Sparsity{Pattern: Strided, Block: 64, Local: 1, Stride: 2}, "#.#.#. .#.#.# #.#.#. .#.#.# #.#.#. .#.#.#"},
		{Sparsity{Pattern: Strided, Block: 64, Local: 2, Stride: 3}, "##.#.. ###.#. .###.# #.###. .#.### ..#.##"},
		{Sparsity{Pattern: Fixed, Block: 64, Stride: 3, Global: 1}, "###..# ###..# ###..# ..#### ..#### ..####"},
		{Sparsity{Pattern: Fixed, Block: 64, Stride: 2, Global: 2}, "###### ###### ###### ###### ###### ######"},
		{Sparsity{Pattern: LocalGlobal, Block: 64, Local: 2, Global: 1}, "###### ###... ####.. #.###. #..### #...##"},
		{Sparsity{Pattern: LocalGlobal, Block: 64, Local: 1}, "#..... .#.... ..#... ...#.. ....#. .....#"},
	} {
		if err := c.s.Check(); err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		var lines []string
		for i := range 6 {
			line := ""
			for j := range 6 {
				line += map[bool]string{true: "#", false: "."}[c.s.Sees(i, j)]
			}
			lines = append(lines, line)
		}
		if got := strings.Join(lines, " "); got != c.want {
			t.Errorf("%+v:\n%s, want\n%s", c.s, got, c.want)
		}
	}
}

// TestSparsityFaults holds that sizes which describe no pattern are refused by name.
func TestSparsityFaults(t *testing.T) {
	for _, c := range []struct {
		s    Sparsity
		want string
	}{
		{Sparsity{Block: 64}, "dense"},
		{Sparsity{Pattern: Strided, Block: 32, Local: 1, Stride: 2}, "block 32"},
		{Sparsity{Pattern: Strided, Local: 1, Stride: 2}, "block 0"},
		{Sparsity{Pattern: Strided, Block: -64, Local: 1, Stride: 2}, "block -64"},
		{Sparsity{Pattern: Strided, Block: 64, Stride: 2}, "local is 0"},
		{Sparsity{Pattern: Strided, Block: 64, Local: 1, Stride: 1}, "stride is 1"},
		{Sparsity{Pattern: Strided, Block: 64, Local: 1, Stride: 2, Global: 1}, "global 1"},
		{Sparsity{Pattern: Fixed, Block: 64, Local: 1, Stride: 2, Global: 1}, "local 1"},
		{Sparsity{Pattern: Fixed, Block: 64, Stride: 2}, "global is 0"},
		{Sparsity{Pattern: Fixed, Block: 64, Stride: 2, Global: 3}, "global is 3"},
		{Sparsity{Pattern: LocalGlobal, Block: 64, Local: 1, Stride: 2}, "stride 2"},
		{Sparsity{Pattern: LocalGlobal, Block: 64, Local: 1, Global: -1}, "global is -1"},
	} {
		if err := c.s.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

// TestSparsityNames holds that each pattern is found by its name.
func TestSparsityNames(t *testing.T) {
	for p := Dense; p <= LocalGlobal; p++ {
		if got, ok := ParsePattern(p.String()); !ok || got != p {
			t.Errorf("%s is %v, %t", p, got, ok)
		}
	}
	if _, ok := ParsePattern("invalid"); ok {
		t.Error("invalid is a pattern")
	}
}

// TestSparsePairs counts the pairs of sparse attention one by one.
func TestSparsePairs(t *testing.T) {
	for _, s := range []Sparsity{
		{Pattern: Strided, Block: 64, Local: 1, Stride: 2},
		{Pattern: Fixed, Block: 64, Stride: 3, Global: 1},
		{Pattern: LocalGlobal, Block: 128, Local: 2, Global: 1},
	} {
		for _, size := range [][2]int{{64, 64}, {300, 300}, {130, 322}, {1, 700}} {
			for _, causal := range []bool{false, true} {
				want := 0
				for q := range size[0] {
					at := q + size[1] - size[0]
					for k := range size[1] {
						if (!causal || k <= at) && s.Sees(at/s.Block, k/s.Block) {
							want++
						}
					}
				}
				if got := (AttentionAttrs{Causal: causal, Sparse: s}).Pairs(size[0], size[1]); got != want {
					t.Errorf("%v, %v, causal %t: %d pairs, want %d", s, size, causal, got, want)
				}
			}
		}
	}
}
