package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostShapes are printed of a step, mostWays of the choices; the JSON has all.
const (
	mostShapes = 16
	mostWays   = 24
)

// printFirst tells where the time of the first steps goes.
func (r *report) printFirst(t *table) {
	for _, s := range r.First {
		bits := ""
		if len(s.Bits) == 2 {
			bits = ", the same bits twice"
			if s.Bits[0] != s.Bits[1] {
				bits = ", OTHER BITS at the second try"
			}
		}
		instructionRows(t, s.ByKind)
		t.flush(fmt.Sprintf("%s by kind: %.1f ms, MFU %.1f%%, first step after %.1f s%s", s.Name, s.StepMS, 100*r.mfu(s), s.GPU.FirstStepS, bits))
		instructionRows(t, s.ByInstruction[:min(len(s.ByInstruction), mostShapes)])
		t.flush(s.Name + " by shape, the longest")
	}
}

func instructionRows(t *table, all []instruction) {
	if len(all) == 0 {
		return
	}
	t.row("instruction", "ms", "share", "launches", "TFLOP/s", "TB/s", "of peak")
	for _, i := range all {
		tflops := "-"
		if i.GFLOPS > 0 {
			tflops = fmt.Sprintf("%.1f", i.GFLOPS/1e3)
		}
		t.row(strings.TrimSpace(i.Kind+" "+i.What), fmt.Sprintf("%.3f", i.MS), fmt.Sprintf("%.1f%%", 100*i.Share), fmt.Sprint(i.Count),
			tflops, fmt.Sprintf("%.2f", i.GBPerS/1e3), fmt.Sprintf("%.0f%%", 100*i.Fraction))
	}
}

// printWays tells what the ways to compute the same take: those beside an epilogue by
// name, algorithms from the fastest to the slowest.
func (r *report) printWays(t *table) {
	all := wayTimes{}
	for _, s := range slices.Concat(r.First, r.Bench.Steps) {
		maps.Copy(all, s.WayMS)
	}
	for _, k := range r.Bench.Kernels {
		maps.Copy(all, k.WayMS)
	}
	named := slices.DeleteFunc(sortedKeys(all), func(id string) bool { return strings.HasPrefix(id, "product ") || len(all[id]) == 0 })
	if len(named) > 0 {
		t.row("choice", "ms of each way")
	}
	slices.SortStableFunc(named, func(a, b string) int { return cmp.Compare(shortest(all[b]), shortest(all[a])) })
	for _, id := range named[:min(len(named), mostWays)] {
		var ways []string
		for _, name := range sortedKeys(all[id]) {
			ways = append(ways, fmt.Sprintf("%s %.4f", name, all[id][name]))
		}
		t.row(strings.TrimSuffix(id, ", rows 0 0 0, beta 0"), strings.Join(ways, ", "))
	}
	t.flush("ways to compute the same, the longest; " + fmt.Sprint(len(all)-len(named)) + " products in cuBLASLt's algorithms are in the JSON")
}

func shortest(times map[string]float64) float64 {
	return slices.Min(slices.Collect(maps.Values(times)))
}
