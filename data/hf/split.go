package hf

// A part of a text matches or lies between matches.
type part struct {
	start, end int
	match      bool
}

// splitAt cuts text at matches in the way that behavior names; invert swaps matches and what lies between.
func splitAt(find matcher, behavior string, invert bool) (cutter, error) {
	var join func([]part) []part
	switch behavior {
	case "Isolated":
		join = func(spans []part) []part { return spans }
	case "Removed":
		join = removed
	case "MergedWithPrevious":
		join = mergedWithPrevious
	case "MergedWithNext":
		join = mergedWithNext
	case "Contiguous":
		join = contiguous
	default:
		return nil, &UnsupportedError{What: "pre_tokenizer.behavior", Value: behavior,
			Cure: "known are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous"}
	}
	return func(t Text, yield func(Text)) {
		for _, s := range join(cover(find(t.Bytes), len(t.Bytes), invert)) {
			yield(t.Slice(s.start, s.end))
		}
	}, nil
}

// cover lists matches and what lies between them.
func cover(matches [][2]int, n int, invert bool) []part {
	var spans []part
	done := 0
	for _, m := range matches {
		if m[0] > done {
			spans = append(spans, part{done, m[0], invert})
		}
		spans = append(spans, part{m[0], m[1], !invert})
		done = m[1]
	}
	if done < n {
		spans = append(spans, part{done, n, invert})
	}
	return spans
}

func removed(spans []part) []part {
	var out []part
	for _, s := range spans {
		if !s.match {
			out = append(out, s)
		}
	}
	return out
}

// mergedWithPrevious joins a match to what precedes it, unless that is a match.
func mergedWithPrevious(spans []part) []part {
	var out []part
	before := false
	for _, s := range spans {
		if s.match && !before && len(out) > 0 {
			out[len(out)-1].end = s.end
		} else {
			out = append(out, s)
		}
		before = s.match
	}
	return out
}

// mergedWithNext joins a match to what follows it, unless that is a match.
func mergedWithNext(spans []part) []part {
	out := make([]part, len(spans))
	at, behind := len(spans), false
	for i := len(spans) - 1; i >= 0; i-- {
		s := spans[i]
		if s.match && !behind && at < len(spans) {
			out[at].start = s.start
		} else {
			at--
			out[at] = s
		}
		behind = s.match
	}
	return out[at:]
}

// contiguous joins matches that touch.
func contiguous(spans []part) []part {
	var out []part
	before := false
	for _, s := range spans {
		if s.match == before && len(out) > 0 {
			out[len(out)-1].end = s.end
		} else {
			out = append(out, s)
		}
		before = s.match
	}
	return out
}
