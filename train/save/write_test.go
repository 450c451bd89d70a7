package save

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// TestPowerLossOfASave cuts the power of a disk that two ranks share at every
// operation of the second of two saves: one of the two is there and whole, and the
// second if it was acknowledged.
func TestPowerLossOfASave(t *testing.T) {
	content := func(step, rank int) string { return strings.Repeat(fmt.Sprintf("step %d rank %d\n", step, rank), 50) }
	// saveAll saves a step on two ranks and tells whether rank 0 acknowledged it.
	saveAll := func(fsys vfs.FS, step int) bool {
		var all sync.WaitGroup
		saved := false
		for rank, group := range rankstest.New(2) {
			s := &writing{fsys: fsys, runDir: "run", rank: mesh.Of(rank, 2), step: step, keep: 1, files: []checkpoint.File{{
				Name:  fmt.Sprintf("part-%d", rank),
				Write: func(w io.Writer) error { _, err := io.WriteString(w, content(step, rank)); return err },
			}}}
			all.Go(func() {
				if _, err := s.write(ranks.Coordinate(group).ExchangeTexts); err == nil && rank == 0 {
					saved = true
				}
			})
		}
		all.Wait()
		return saved
	}
	for n := 0; ; n++ {
		disk := vfstest.NewMem()
		if err := errors.Join(disk.Mkdir("run"), disk.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		if !saveAll(disk, 10) {
			t.Fatal("the first save failed")
		}
		fault := vfstest.NewFault(disk)
		fault.CrashAt(n)
		acknowledged := saveAll(fault, 20)
		if len(fault.Trace()) <= n {
			return // the save ended before
		}
		left := []*vfstest.Mem{disk, disk.PowerLoss(nil)}
		for seed := range uint64(4) {
			left = append(left, disk.PowerLoss(rand.New(rand.NewPCG(seed, uint64(n)))))
		}
		for _, fsys := range left {
			found, _, err := checkpoint.Latest(fsys, "run")
			if err != nil {
				t.Fatalf("power lost at %d %s: %v", n, fault.Trace()[n], err)
			}
			step := int(found.Manifest.Step)
			if acknowledged && step != 20 {
				t.Fatalf("power lost at %d %s: the acknowledged step 20 is gone", n, fault.Trace()[n])
			}
			for rank := range 2 {
				got, err := vfs.ReadFile(fsys, filepath.Join(found.Path, fmt.Sprintf("part-%d", rank)), 1<<20)
				if err != nil || string(got) != content(step, rank) {
					t.Fatalf("power lost at %d %s: rank %d of step %d: %v", n, fault.Trace()[n], rank, step, err)
				}
			}
			if !saveAll(fsys, 30) {
				t.Fatalf("power lost at %d %s: the next save fails", n, fault.Trace()[n])
			}
		}
	}
}

// TestEndedSaveStops: a save that is not to go on ends between two pieces of a file.
func TestEndedSaveStops(t *testing.T) {
	ended := make(chan struct{})
	s := &writing{fsys: vfstest.NewMem(), runDir: "run", step: 10, ended: ended, files: []checkpoint.File{{
		Name: "part",
		Write: func(w io.Writer) error {
			if _, err := io.WriteString(w, "first"); err != nil {
				t.Errorf("before its end: %v", err)
			}
			close(ended)
			_, err := io.WriteString(w, "second")
			return err
		},
	}}}
	if _, err := s.write(ranks.Coordinate(nil).ExchangeTexts); !errors.Is(err, ErrRunEnds) {
		t.Errorf("it ended with %v", err)
	}
	if _, _, err := checkpoint.Latest(s.fsys, "run"); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("it left %v", err)
	}
}
