package convert

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

var update = flag.Bool("update", false, "rewrite testdata/tables.txt")

// TestTablesOfGGUF compares what is known of GGUF's metadata, names and types with testdata/tables.txt; -update
// writes it.
func TestTablesOfGGUF(t *testing.T) {
	var got strings.Builder
	for _, k := range metadataKeys {
		fmt.Fprintf(&got, "%s: %s", k.Name, map[nn.Use]string{nn.Used: "used", nn.Harmless: "harmless", nn.Refused: "refused"}[k.Use])
		if len(k.Types) > 0 {
			fmt.Fprintf(&got, ", of %s", strings.Join(k.Types, " "))
		}
		if len(k.Off)+len(k.On) > 0 {
			fmt.Fprintf(&got, ", off %s, on %s", strings.Join(k.Off, " "), strings.Join(k.On, " "))
		}
		fmt.Fprintf(&got, "; %s\n", k.Why)
	}
	for _, a := range architectures {
		fmt.Fprintf(&got, "architecture %s of %q: layers %s, interleaved %t, transposed %t, %s, offset %t\n", a.name, a.modelTypes, a.layer, a.interleaved, a.transposed, a.activation, a.offsetNorms)
		for _, n := range a.names {
			fmt.Fprintf(&got, "  %s: %s\n", n.hf, n.gguf)
		}
		for _, n := range a.blockNames {
			fmt.Fprintf(&got, "  %sN.%s: blk.N.%s\n", a.layer, n.hf, n.gguf)
		}
	}
	for _, s := range splitters {
		fmt.Fprintf(&got, "tokenizer.ggml.pre %s: %s, whole words %t\n", s.pre, s.pattern, s.ignoreMerges)
	}
	for _, typ := range slices.Sorted(maps.Keys(fileTypes)) {
		fmt.Fprintf(&got, "general.file_type of %s: %d\n", typ, fileTypes[typ])
	}
	for _, typ := range slices.Sorted(maps.Keys(fallback)) {
		fmt.Fprintf(&got, "in place of %s: %s\n", typ, fallback[typ])
	}
	for _, typ := range slices.Sorted(maps.Keys(written)) {
		fmt.Fprintf(&got, "%s in a directory: %s, %s\n", typ, written[typ].dtype, written[typ].name)
	}
	for _, d := range slices.Sorted(maps.Keys(storedTypes)) {
		fmt.Fprintf(&got, "%s of a directory: %s\n", d, storedTypes[d])
	}
	for _, model := range slices.Sorted(maps.Keys(absentSpecial)) {
		fmt.Fprintf(&got, "ids of %s where none are named: %v\n", model, absentSpecial[model])
	}
	fmt.Fprintf(&got, "ends %q\n", endKeys)
	const file = "testdata/tables.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, is[min(i, len(is)):min(i+1, len(is))], was[min(i, len(was)):min(i+1, len(was))])
		}
	}
}
