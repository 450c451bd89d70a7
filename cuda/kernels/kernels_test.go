package kernels_test

import (
	"os"
	"strings"
	"testing"

	"example.com/gotrain/cuda/kernels"
	"example.com/gotrain/cuda/kernels/source"
)

// The table of signatures is what the sources declare and the compiler reports.
func TestSignatures(t *testing.T) {
	declared, err := source.Kernels(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(source.Report)
	if err != nil {
		t.Fatal(err)
	}
	usage, err := source.ParseReport(string(report))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range declared {
		u, ok := usage[k.Name]
		if !ok || u.Registers < 1 {
			t.Errorf("report.txt has no row for %s: run make kernels", k.Name)
		}
		want := kernels.Signature{File: k.File, Params: k.Params, Threads: k.Threads, Registers: u.Registers, Shared: u.Shared}
		if got, ok := kernels.Signatures[k.Name]; !ok || got != want {
			t.Errorf("signatures.go has %+v for %s, its source has %+v: run go generate ./cuda/kernels", got, k.Name, want)
		}
	}
	if len(kernels.Signatures) != len(declared) {
		t.Errorf("signatures.go has %d kernels, the sources have %d: run go generate ./cuda/kernels", len(kernels.Signatures), len(declared))
	}
}

// Each image was compiled from its source as it is now.
func TestImages(t *testing.T) {
	dir := os.DirFS(".")
	names, err := source.Names(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("fatbin/" + source.Recorded)
	if err != nil {
		t.Fatalf("%v: run scripts/cuda/kernels.sh", err)
	}
	recorded := source.ParseRecord(string(text))
	images := map[string]bool{}
	for _, image := range kernels.Images() {
		images[image.Name] = len(image.Data) > 0
	}
	for _, name := range names {
		digest, err := source.Digest(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if !images[name] || recorded[name] != digest {
			t.Errorf("fatbin/%s.fatbin is not what %s.cu compiles to: run scripts/cuda/kernels.sh", name, name)
		}
		delete(images, name)
	}
	for name := range images {
		t.Errorf("fatbin/%s.fatbin has no source: run scripts/cuda/kernels.sh", name)
	}
}

// No kernel keeps anything in local memory, but those of relative attention, in which ptxas spills two or four registers
// for a further block on a multiprocessor.
func TestNoSpills(t *testing.T) {
	report, err := os.ReadFile(source.Report)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(report)) {
		f := strings.Fields(line) // kernel chip registers stack local shared ldg stg cp.async mma
		if len(f) != 10 || !strings.HasPrefix(f[1], "sm_") {
			continue
		}
		rows++
		spilled := strings.HasPrefix(f[0], "relative_attention") && (f[3] == "8" || f[3] == "16")
		if (f[3] != "0" || f[4] != "0") && !spilled {
			t.Errorf("spills: %s", line)
		}
	}
	if rows < 3*len(kernels.Signatures) {
		t.Errorf("%d rows for %d kernels", rows, len(kernels.Signatures))
	}
}

// The kernels for Hopper have its products and copies on sm_90a, keep nothing in local
// memory there, and are empty on other chips.
func TestHopperReport(t *testing.T) {
	report, err := os.ReadFile(source.Report)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(string(report)) {
		f := strings.Fields(line) // kernel chip registers stack local shared ldg stg cp.async mma
		if len(f) != 10 || !strings.Contains(f[0], "hopper") {
			continue
		}
		rows[f[1]]++
		switch {
		case f[1] != "sm_90a" && (f[8] != "0" || f[9] != "0"):
			t.Errorf("not empty: %s", line)
		case f[1] == "sm_90a" && (f[3] != "0" || f[4] != "0"):
			t.Errorf("spills: %s", line)
		case f[1] == "sm_90a" && strings.HasPrefix(f[0], "attention_hopper") && (f[8] == "0" || f[9] == "0"):
			t.Errorf("no wgmma or no TMA: %s", line)
		}
	}
	if rows["sm_90a"] == 0 || rows["sm_80"] != rows["sm_90a"] {
		t.Errorf("rows by chip: %v", rows)
	}
}
