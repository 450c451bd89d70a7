package source

import (
	"fmt"
	"strconv"
	"strings"
)

// Report is the name of the compiler's report, in the folder of the sources:
// scripts/cuda/report.sh writes it.
const Report = "report.txt"

// Usage is what a kernel takes of a multiprocessor.
type Usage struct {
	Registers int // of a thread, the most on any chip
	Shared    int // static bytes of a block, the most that it declares on any chip
}

// reserved is the shared memory of a block that chips from sm_90 on keep for
// themselves and that the compiler counts as the kernel's: 1 KB.
func reserved(chip int) int {
	if chip >= 90 {
		return 1 << 10
	}
	return 0
}

// ParseReport reads a report, by kernel.
func ParseReport(text string) (map[string]Usage, error) {
	all := map[string]Usage{}
	columns := map[string]int{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
			continue
		case fields[0] == "kernel":
			for i, name := range fields {
				columns[name] = i
			}
			continue
		}
		number := func(column string) (int, error) {
			i, ok := columns[column]
			if !ok || i >= len(fields) {
				return 0, fmt.Errorf("%s: %s has no column %s", Report, fields[0], column)
			}
			return strconv.Atoi(strings.TrimRight(strings.TrimPrefix(fields[i], "sm_"), "af"))
		}
		chip, err := number("chip")
		if err != nil {
			return nil, err
		}
		registers, err := number("registers")
		if err != nil {
			return nil, err
		}
		shared, err := number("shared")
		if err != nil {
			return nil, err
		}
		if shared > 0 {
			shared -= reserved(chip)
		}
		if shared < 0 {
			return nil, fmt.Errorf("%s: %s takes less shared memory than sm_%d reserves", Report, fields[0], chip)
		}
		u := all[fields[0]]
		all[fields[0]] = Usage{max(u.Registers, registers), max(u.Shared, shared)}
	}
	return all, nil
}
