package generate

// candidate is a token with its probability times a constant.
type candidate struct {
	weight float64
	token  int32
}

// before tells whether a ranks above b: by weight, then by the lower id.
func (a candidate) before(b candidate) bool {
	return a.weight > b.weight || a.weight == b.weight && a.token < b.token
}

// ranking sorts candidates as far as they are asked for: a heapsort that stops
// early. heap[:n-sorted] is a heap with the best on top, the rest is sorted
// with the best last.
type ranking struct {
	heap   []candidate
	sorted int
}

func (r *ranking) reset() { r.heap, r.sorted = r.heap[:0], 0 }

func (r *ranking) add(c candidate) { r.heap = append(r.heap, c) }

// build makes a heap of what was added.
func (r *ranking) build() {
	for i := len(r.heap)/2 - 1; i >= 0; i-- {
		r.sink(i, len(r.heap))
	}
}

// at returns the candidate of rank i, the best being 0.
func (r *ranking) at(i int) candidate {
	n := len(r.heap)
	for r.sorted <= i {
		end := n - 1 - r.sorted
		r.heap[0], r.heap[end] = r.heap[end], r.heap[0]
		r.sink(0, end)
		r.sorted++
	}
	return r.heap[n-1-i]
}

// sink restores the order of heap[:end] below i.
func (r *ranking) sink(i, end int) {
	for {
		child := 2*i + 1
		if child >= end {
			return
		}
		if child+1 < end && r.heap[child+1].before(r.heap[child]) {
			child++
		}
		if !r.heap[child].before(r.heap[i]) {
			return
		}
		r.heap[i], r.heap[child] = r.heap[child], r.heap[i]
		i = child
	}
}
