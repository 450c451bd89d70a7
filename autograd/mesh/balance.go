package mesh

import (
	"cmp"
	"slices"
)

// Balance gives each item to one of ranks, the largest first and always to the rank
// with the fewest bytes; rank 0 has the most in the end, so that its plan is that of
// the rank which needs the most memory. All ranks come to the same result.
func Balance[T any](items []T, ranks int, bytes func(T) int64) [][]T {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b T) int { return cmp.Compare(bytes(b), bytes(a)) })
	type part struct {
		items []T
		bytes int64
	}
	parts := make([]part, ranks)
	for _, item := range sorted {
		least := &parts[0]
		for i := range parts {
			if parts[i].bytes < least.bytes {
				least = &parts[i]
			}
		}
		least.items = append(least.items, item)
		least.bytes += bytes(item)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.bytes, a.bytes) })
	shares := make([][]T, ranks)
	for i, p := range parts {
		shares[i] = p.items
	}
	return shares
}
