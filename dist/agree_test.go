package dist_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gotrain/dist"
	"gotrain/dist/disttest"
)

// agree runs Agree on all ranks at once.
func agree(size int, facts func(rank int) []dist.Fact) []error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	store := disttest.NewStore()
	errs := make([]error, size)
	var wg sync.WaitGroup
	for rank := range errs {
		wg.Go(func() { errs[rank] = dist.Agree(ctx, store, rank, size, facts(rank)) })
	}
	wg.Wait()
	return errs
}

func TestAgree(t *testing.T) {
	for rank, err := range agree(4, func(int) []dist.Fact { return []dist.Fact{{"config", "ab"}, {"version", "1"}} }) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	errs := agree(5, func(rank int) []dist.Fact {
		facts := []dist.Fact{{"config", "ab"}, {"version", "1"}, {"tokenizer", "t"}}
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
		for _, want := range []string{"config is ab on ranks 0, 3, cd on ranks 1-2, 4", "tokenizer is t on ranks 0-2, 4, nothing on rank 3"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", rank, err, want)
			}
		}
		if strings.Contains(err.Error(), "version") {
			t.Errorf("rank %d: %v names what is the same", rank, err)
		}
	}
}

// TestAgreeMissing has a rank that never comes.
func TestAgreeMissing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	err := dist.Agree(ctx, disttest.NewStore(), 0, 2, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "rank 1 of 2 did not come") {
		t.Error(err)
	}
}

// TestAgreeSize has ranks that were told different numbers of ranks.
func TestAgreeSize(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	store := disttest.NewStore()
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for rank := range errs {
		wg.Go(func() { errs[rank] = dist.Agree(ctx, store, rank, 2+rank, nil) })
	}
	wg.Wait()
	if slices.Contains(errs, nil) || !strings.Contains(errs[1].Error(), "number of ranks is 2 on rank 0, 3 on rank 1") {
		t.Error(errs)
	}
}
