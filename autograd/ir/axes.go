package ir

// AxisRun is a run of adjacent axes that an instruction treats alike.
type AxisRun struct {
	Size   int
	Marked bool
}

// Runs merges the axes of s into runs of equal mark; axes of size 1 count as
// either. It returns at least one.
func (s Shape) Runs(marked func(axis int) bool) []AxisRun {
	var gs []AxisRun
	for a, n := range s {
		switch m := marked(a); {
		case n == 1:
		case len(gs) > 0 && gs[len(gs)-1].Marked == m:
			gs[len(gs)-1].Size *= n
		default:
			gs = append(gs, AxisRun{n, m})
		}
	}
	if len(gs) == 0 {
		gs = append(gs, AxisRun{Size: 1})
	}
	return gs
}

// Transposed returns the axes of the result of a transposition of a tensor of
// shape s, with their strides in the tensor; axes that are neighbours in both
// are one.
func (s Shape) Transposed(perm [MaxAxes]int8) (size, stride []int) {
	strides := make([]int, len(s))
	step := 1
	for a := len(s) - 1; a >= 0; a-- {
		strides[a] = step
		step *= s[a]
	}
	for _, p := range perm[:len(s)] {
		n, step := s[p], strides[p]
		if n == 1 {
			continue
		}
		if k := len(size) - 1; k >= 0 && stride[k] == n*step {
			size[k], stride[k] = size[k]*n, step
			continue
		}
		size, stride = append(size, n), append(stride, step)
	}
	if len(size) == 0 {
		return []int{1}, []int{1}
	}
	return size, stride
}
