package ranks_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// agree runs Agree on all ranks at once.
func agree(size int, facts func(rank int) []ranks.Fact) []error {
	errs := make([]error, size)
	var wg sync.WaitGroup
	for rank, group := range rankstest.New(size) {
		wg.Go(func() { errs[rank] = ranks.Agree(group, facts(rank)) })
	}
	wg.Wait()
	return errs
}

func TestAgree(t *testing.T) {
	alike := func(int) []ranks.Fact { return []ranks.Fact{{"config", "ab", ""}, {"version", "1", ""}} }
	for rank, err := range append(agree(4, alike), ranks.Agree(ranks.Local{}, alike(0))) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	errs := agree(5, func(rank int) []ranks.Fact {
		facts := []ranks.Fact{{"config", "ab", "give all the same"}, {"version", "1", ""}, {"tokenizer", "t", "share it"}}
		if rank == 1 || rank == 2 || rank == 4 {
			facts[0].Value = "cd"
		}
		if rank == 3 {
			facts = facts[:2]
		}
		return facts
	})
	for rank, err := range errs {
		if err == nil {
			t.Fatalf("rank %d agrees", rank)
		}
		for _, want := range []string{"config is ab on ranks 0, 3, cd on ranks 1-2, 4: give all the same", "tokenizer is t on ranks 0-2, 4, nothing on rank 3: share it"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", rank, err, want)
			}
		}
		if strings.Contains(err.Error(), "version") {
			t.Errorf("rank %d: %v names what is the same", rank, err)
		}
	}
}

// TestTexts gathers texts of different lengths, empty ones too.
func TestTexts(t *testing.T) {
	for _, want := range [][]string{{"", "", ""}, {"a", "", "longer"}} {
		got := make([][]string, len(want))
		var wg sync.WaitGroup
		for rank, group := range rankstest.New(len(want)) {
			wg.Go(func() {
				var err error
				if got[rank], err = ranks.Texts(group, want[rank]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for rank := range got {
			if !slices.Equal(got[rank], want) {
				t.Errorf("rank %d has %q, want %q", rank, got[rank], want)
			}
		}
	}
	groups := rankstest.New(2)
	groups[1].Abort()
	if _, err := ranks.Texts(groups[0], "a"); !errors.Is(err, ranks.ErrPeer) {
		t.Errorf("texts without a peer: %v", err)
	}
}
