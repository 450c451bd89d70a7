package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// usage is what a kernel takes on a chip.
type usage struct {
	kernel, arch string
	registers    int // of a thread
	stack        int // bytes of a thread
	shared       int // static bytes of a block
	local        int // instructions that load or store local memory: spills, and arrays indexed by variables
	loads        int // of 16 bytes from global memory
	stores       int // of 16 bytes to global memory
	async        int // copies of 16 bytes from global to shared memory, and of boxes and bulks
	mma          int // tensor-core instructions
}

func compare(a, b usage) int {
	return cmp.Or(cmp.Compare(a.kernel, b.kernel), cmp.Compare(chip(a.arch), chip(b.arch)), cmp.Compare(a.arch, b.arch))
}

// chip is the number in sm_90a.
func chip(arch string) int {
	n, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(arch, "sm_"), "af"))
	if err != nil {
		return 0 // no chip: such names come first
	}
	return n
}

var (
	arch      = regexp.MustCompile(`^\s*arch = (\w+)`)
	resource  = regexp.MustCompile(`^\s*Function (\w+):`)
	figures   = regexp.MustCompile(`REG:(\d+) STACK:(\d+) SHARED:(\d+)`)
	listing   = regexp.MustCompile(`^\s*Function : (\w+)`)
	operation = regexp.MustCompile(`^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)`)
)

// parse reads what cuobjdump prints by -res-usage and by -sass.
func parse(resources, sass string) ([]usage, error) {
	type key struct{ kernel, arch string }
	var all []usage
	index := map[key]int{}
	var at key
	for line := range strings.Lines(resources) {
		if m := arch.FindStringSubmatch(line); m != nil {
			at.arch = m[1]
		}
		if m := resource.FindStringSubmatch(line); m != nil {
			at.kernel = m[1]
		}
		if m := figures.FindStringSubmatch(line); m != nil {
			u := usage{kernel: at.kernel, arch: at.arch}
			if _, err := fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &u.registers, &u.stack, &u.shared); err != nil {
				return nil, err
			}
			index[at] = len(all)
			all = append(all, u)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cuobjdump tells of no kernel")
	}
	for line := range strings.Lines(sass) {
		if m := arch.FindStringSubmatch(line); m != nil {
			at.arch = m[1]
		}
		if m := listing.FindStringSubmatch(line); m != nil {
			at.kernel = m[1]
		}
		if m := operation.FindStringSubmatch(line); m != nil {
			i, ok := index[at]
			if !ok {
				return nil, fmt.Errorf("cuobjdump lists %s for %s but not what it takes", at.kernel, at.arch)
			}
			all[i].count(m[1])
		}
	}
	return all, nil
}

// count counts an instruction, such as LDG.E.128.CONSTANT.
func (u *usage) count(operation string) {
	name, modifiers, _ := strings.Cut(operation, ".")
	wide := strings.Contains("."+modifiers+".", ".128.")
	switch {
	case name == "LDL" || name == "STL":
		u.local++
	case name == "LDG" && wide:
		u.loads++
	case name == "STG" && wide:
		u.stores++
	case name == "LDGSTS" && wide || name == "UTMALDG" || name == "UBLKCP":
		u.async++
	case name == "HMMA" || name == "HGMMA" || name == "UTCHMMA":
		u.mma++
	}
}
