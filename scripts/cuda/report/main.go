// Report writes cuda/kernels/report.txt: see scripts/cuda/report.sh.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	images = "cuda/kernels/fatbin/*.fatbin"
	report = "cuda/kernels/report.txt"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("report: ")
	check := flag.Bool("check", false, "compare with "+report+" instead of writing it")
	flag.Parse()
	files, err := filepath.Glob(images)
	if err != nil {
		log.Fatal(err)
	}
	var all []usage
	for _, file := range files {
		u, err := inspect(file)
		if err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		all = append(all, u...)
	}
	slices.SortFunc(all, compare)
	text := table(all)
	if !*check {
		if err := os.WriteFile(report, text, 0o644); err != nil {
			log.Fatal(err)
		}
		return
	}
	problems := differences(string(text))
	if len(problems) > 0 {
		log.Fatal(strings.Join(problems, "\n"))
	}
}

// inspect reads an image by NVIDIA's cuobjdump.
func inspect(file string) ([]usage, error) {
	resources, err := cuobjdump("-res-usage", file)
	if err != nil {
		return nil, err
	}
	sass, err := cuobjdump("-sass", file)
	if err != nil {
		return nil, err
	}
	return parse(resources, sass)
}

func cuobjdump(args ...string) (string, error) {
	c := exec.Command("cuobjdump", args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("cuobjdump: %w\n%s", err, stderr.Bytes())
	}
	return string(out), nil
}

// table formats the report.
func table(all []usage) []byte {
	var b bytes.Buffer
	b.WriteString("# Written by scripts/cuda/report.sh: a row for each kernel and chip. local counts loads and stores of local memory;\n")
	b.WriteString("# ldg, stg and cp.async count those of 16 bytes of global memory, on sm_90a also bulk copies, mma the tensor-core instructions.\n")
	width := len("kernel")
	for _, u := range all {
		width = max(width, len(u.kernel))
	}
	fmt.Fprintf(&b, "%-*s  %-6s %9s %5s %5s %6s %5s %5s %8s %5s\n", width, "kernel", "chip", "registers", "stack", "local", "shared", "ldg", "stg", "cp.async", "mma")
	for _, u := range all {
		fmt.Fprintf(&b, "%-*s  %-6s %9d %5d %5d %6d %5d %5d %8d %5d\n", width, u.kernel, u.arch, u.registers, u.stack, u.local, u.shared, u.loads, u.stores, u.async, u.mma)
	}
	return b.Bytes()
}

// differences lists the rows of the report that are not as in the file.
func differences(text string) []string {
	old, err := os.ReadFile(report)
	if err != nil {
		return []string{err.Error()}
	}
	before, now := strings.Split(string(old), "\n"), strings.Split(text, "\n")
	var problems []string
	for _, row := range before {
		if !slices.Contains(now, row) {
			problems = append(problems, "- "+row)
		}
	}
	for _, row := range now {
		if !slices.Contains(before, row) {
			problems = append(problems, "+ "+row)
		}
	}
	if len(problems) > 0 {
		problems = append([]string{report + " is out of date: run scripts/cuda/report.sh and look at the difference"}, problems...)
	}
	return problems
}
