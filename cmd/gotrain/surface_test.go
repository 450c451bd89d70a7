package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestSurface compares what the shell is told of each flag and what each command says to no, one and more arguments
// with testdata/surface.txt; -update writes it.
func TestSurface(t *testing.T) {
	golden, err := os.ReadFile("testdata/surface.txt")
	if err != nil && !*update {
		t.Fatal(err)
	}
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // there are neither runs nor models
	var got strings.Builder
	walk(newRoot(), func(c *cobra.Command) {
		for n := range 4 {
			said := "fine"
			if err := c.ValidateArgs([]string{"a", "b", "c"}[:n]); err != nil {
				said, _, _ = strings.Cut(err.Error(), "\n")
			}
			fmt.Fprintf(&got, "%s, %d arguments: %s\n", c.CommandPath(), n, said)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			complete, ok := c.GetFlagCompletionFunc(f.Name)
			if !ok || f.Name == "device" { // those of the machine
				return
			}
			words, how := complete(c, nil, "")
			if f.Name == "set" {
				words = words[:min(3, len(words))]
			}
			fmt.Fprintf(&got, "%s --%s: %q, %d\n", c.CommandPath(), f.Name, words, how)
		})
	})
	if *update {
		if err := os.WriteFile(at+"/testdata/surface.txt", []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, is := strings.Split(string(golden), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, is[min(i, len(is)):min(i+1, len(is))], was[min(i, len(was)):min(i+1, len(was))])
		}
	}
}
