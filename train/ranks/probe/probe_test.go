package probe

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// TestExamine examines three ranks, of which one has another configuration,
// and one no disk.
func TestExamine(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	table := rankstest.NewStore()
	var mu sync.Mutex
	pairs := map[string][]*rankstest.Group{}
	dir := t.TempDir()
	reports, errs := make([]*Report, 3), make([]error, 3)
	var wg sync.WaitGroup
	for rank, group := range rankstest.New(3) {
		p := Probe{Group: group, Store: table, Host: "node", Dir: dir, Sizes: []int{4, 4096},
			Facts: []ranks.Fact{{Name: "program", Value: "1"}, {Name: "configuration", Value: "ab"}}}
		round := 0
		p.Pair = func(_ context.Context, _ ranks.Store, side int) (ranks.Group, error) {
			// Each rank has two links: 0 has 0-1 and 2-0, 1 has 0-1 and 1-2, 2 has 1-2 and 2-0.
			name := [][]string{{"0-1", "2-0"}, {"0-1", "1-2"}, {"1-2", "2-0"}}[rank][round]
			round++
			mu.Lock()
			defer mu.Unlock()
			if pairs[name] == nil {
				pairs[name] = rankstest.New(2)
			}
			return pairs[name][side], nil
		}
		if rank == 1 {
			p.Facts[1].Value = "cd"
		}
		if rank == 2 {
			p.Dir = filepath.Join(dir, "missing")
		}
		wg.Go(func() { reports[rank], errs[rank] = p.Examine(ctx) })
	}
	wg.Wait()
	for rank, err := range errs {
		if err != nil {
			t.Fatalf("rank %d: %v", rank, err)
		}
	}
	r := reports[0]
	if len(r.Ranks) != 3 || len(r.AllReduce) != 2 || len(r.Links) != 3 || len(pairs) != 3 {
		t.Fatalf("%d ranks, %d sizes, %d links", len(r.Ranks), len(r.AllReduce), len(r.Links))
	}
	for i, l := range r.Links {
		if l.From != i || l.To != (i+1)%3 || l.Error != "" || l.GBs <= 0 || l.LatencyUS <= 0 {
			t.Errorf("%+v", l)
		}
	}
	for _, rank := range r.Ranks {
		if rank.ClockS > 1 || rank.ClockS < -1 {
			t.Errorf("rank %d: its clock, which is the same, is %v s ahead", rank.Rank, rank.ClockS)
		}
	}
	var found strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintln(&found, f.OK, f.Name, f.Detail)
	}
	for _, want := range []string{"false agreement", "configuration is ab on ranks 0, 2, cd on rank 1", "false rank 2 cannot write"} {
		if !strings.Contains(found.String(), want) {
			t.Errorf("%s\nlacks %q", &found, want)
		}
	}
}

func TestFindings(t *testing.T) {
	r := Report{
		Ranks: []Rank{{Rank: 0, DiskMBs: 1e4}, {Rank: 1, Host: "late", DiskMBs: 1e4, ClockS: -9}},
		Links: []Link{{From: 0, To: 1, GBs: 10}, {From: 1, To: 2, GBs: 1}, {From: 2, To: 3, Error: "refused"}, {From: 3, To: 0, GBs: 10}},
	}
	r.judge(nil)
	var bad []string
	for _, f := range r.Findings {
		if !f.OK {
			bad = append(bad, f.Name)
		}
	}
	if got := strings.Join(bad, ", "); got != "link 1-2, link 2-3, rank 1" {
		t.Errorf("findings: %s", got)
	}
}
