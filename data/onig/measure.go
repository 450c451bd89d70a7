package onig

import "slices"

// nullable says whether a node may match without consuming anything.
func (n *node) nullable() bool {
	switch n.kind {
	case kText, kSet, kCluster:
		return false
	case kCat:
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !s.nullable() })
	case kAlt:
		return slices.ContainsFunc(n.subs, (*node).nullable)
	case kRepeat:
		return n.min == 0 || n.subs[0].nullable()
	case kAtomic:
		return n.subs[0].nullable()
	}
	return true
}

// varied says whether a node has repetitions that may take more or fewer turns.
func (n *node) varied() bool {
	varied := false
	n.visit(func(n *node) { varied = varied || n.kind == kRepeat && n.min != n.max })
	return varied
}

// visit calls f for a node and all below it.
func (n *node) visit(f func(*node)) {
	f(n)
	for _, s := range n.subs {
		s.visit(f)
	}
}

// width returns the most characters that a node may consume, -1 for no bound.
func (n *node) width() int {
	switch n.kind {
	case kText:
		if n.folded && !n.single {
			return 3 * len(n.text)
		}
		return len(n.text)
	case kSet:
		return 1
	case kCluster:
		return -1
	case kRepeat:
		if w := n.subs[0].width(); w == 0 || n.max == 0 {
			return 0
		} else if w > 0 && n.max > 0 {
			return w * n.max
		}
		return -1
	case kCat, kAlt, kAtomic:
		total := 0
		for _, s := range n.subs {
			w := s.width()
			switch {
			case w < 0:
				return -1
			case n.kind == kAlt:
				total = max(total, w)
			default:
				total += w
			}
		}
		return total
	}
	return 0
}
