// Real reads what NVIDIA's assembler says of the kernels, ptxas -v, and holds it against
// kernels.Signatures: scripts/cuda/real.sh.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"

	"example.com/gotrain/cuda/kernels"
)

var (
	entry  = regexp.MustCompile(`Compiling entry function '(\w+)'`)
	spills = regexp.MustCompile(`(\d+) bytes spill stores`)
	used   = regexp.MustCompile(`Used (\d+) registers`)
	shared = regexp.MustCompile(`(\d+) bytes smem`)
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("real: ")
	if len(os.Args) != 2 {
		log.Fatal("say which file has the output of ptxas -v")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	summary, err := check(string(text))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary)
}

// check compares the static shared memory of each kernel, and whether a block of it has
// its registers.
func check(text string) (string, error) {
	var errs []error
	var spilled []string
	seen := map[string]bool{}
	name, most := "", 0
	for line := range strings.Lines(text) {
		if m := entry.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		if m := spills.FindStringSubmatch(line); m != nil && m[1] != "0" {
			spilled = append(spilled, name+" "+m[1])
		}
		m := used.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		s, ok := kernels.Signatures[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s is no kernel of signatures.go", name))
			continue
		}
		seen[name] = true
		registers, static := number(m[1]), 0
		if m := shared.FindStringSubmatch(line); m != nil {
			static = number(m[1])
		}
		if static != s.Shared && static != s.Shared+kernels.Reserved {
			errs = append(errs, fmt.Errorf("%s takes %d bytes of static shared memory, signatures.go has %d", name, static, s.Shared))
		}
		if all := (registers + 7) / 8 * 8 * s.Threads; all > 64<<10 {
			errs = append(errs, fmt.Errorf("%s takes %d registers, a block of %d threads has no room", name, registers, s.Threads))
		}
		most = max(most, registers)
	}
	if len(seen) != len(kernels.Signatures) {
		errs = append(errs, fmt.Errorf("%d kernels of %d", len(seen), len(kernels.Signatures)))
	}
	summary := fmt.Sprintf("%d kernels, at most %d registers", len(seen), most)
	if len(spilled) > 0 {
		summary += ", bytes spilled: " + strings.Join(spilled, ", ")
	}
	return summary, errors.Join(errs...)
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // of a pattern of digits
	return n
}
