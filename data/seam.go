package data

import (
	"slices"
	"unicode/utf8"
)

// A document that is longer than a piece is encoded piece by piece, each with seam bytes of the text on both sides. Around a
// border three encodings then overlap: that of the piece before it, that of the piece behind it, and that of the zone alone,
// which ends as the first does and begins as the second does. Where all three have the same tokens, the first is left for
// the second.
//
// For BPE this gives the ids of the whole text: tokens are the right ones if and only if each two neighbours are what BPE makes
// of both together (Berglund and van der Merwe 2023, arXiv:2309.08715), and all neighbours come from one of the two encodings.
// Other tokenizers look at less around a word. Where the three do not agree in half of the zone, because one word or one run of
// unknown characters goes across it, the pieces are encoded as one. What is left is the rounding of Unigram's sums,
// which in sentencepiece go through the whole text in float32: of segmentations that are as likely but for that, it may take
// another.
const (
	seamBytes  = 8 << 10 // of text beside a piece
	seamAgrees = 16      // tokens in a row that the three encodings have in common, at least
	seamStarts = 64      // bytes by which the zone may begin later: 2 tokens of 4 characters agree in every 4th place only
	seamWhole  = 2 << 20 // of text that is encoded as one with a piece more; longer ones are cut where the pieces are
)

// last returns the number of the job's last document.
func (j *job) last() int { return len(j.documents) - 1 }

// open says that the job's last document goes on with the next job.
func (j *job) open() bool { return len(j.documents) > 0 && j.documents[j.last()].More }

// context returns document i with what of its text stands beside it.
func (j *job) context(i int) []byte {
	text := j.documents[i].Text
	if i == 0 && len(j.before) > 0 {
		text = slices.Concat(j.before, text)
	}
	if i == j.last() && len(j.after) > 0 {
		text = slices.Concat(text, j.after)
	}
	return text
}

// follow gives both jobs what stands beside them: next goes on with the last document of j.
func (j *job) follow(next *job) {
	text, following := j.documents[j.last()].Text, next.documents[0].Text
	begin, end := max(0, len(text)-seamBytes), min(seamBytes, len(following))
	for begin < len(text) && !utf8.RuneStart(text[begin]) {
		begin++
	}
	for end < len(following) && !utf8.RuneStart(following[end]) {
		end++
	}
	next.before, j.after = text[begin:], following[:end]
}

// join leaves of the tokens on both sides of the border between j and next, which goes on with its last document, those of
// the text that they are parts of.
func (j *job) join(next *job, enc Encoder) error {
	before := next.before
	ids := j.tokens[j.textBegin():]
	tries := 4
	for start := 0; start < min(seamStarts, len(before)) && tries > 0; start++ {
		if !utf8.RuneStart(before[start]) {
			continue
		}
		alone := enc.AppendEncode(nil, slices.Concat(before[start:], j.after))
		first := len(alone) - commonSuffix(ids, alone)
		if len(alone)-first < max(seamAgrees, len(alone)/2) {
			continue
		}
		if start > 0 {
			tries--
			next.before = before[start:]
			if err := next.encodeFirst(enc, 0); err != nil {
				return err
			}
		}
		end := commonPrefix(next.tokens[:next.textEnd()], alone)
		if end-first < max(seamAgrees, len(alone)/2) {
			continue
		}
		middle := (first + end) / 2
		j.keep(len(j.tokens) - (len(alone) - middle))
		next.drop(middle)
		next.skip = middle
		return nil
	}
	return j.joinWhole(next, enc)
}

// joinWhole encodes what j has of its last document with the first one of next, unless that is too long: then each by itself.
func (j *job) joinWhole(next *job, enc Encoder) error {
	text, before, skip := j.documents[j.last()].Text, []byte(nil), 0
	if j.last() == 0 {
		before, skip = j.before, j.skip
	}
	begin := j.textBegin()
	if len(before)+len(text) <= seamWhole {
		j.keep(begin)
		next.before = slices.Concat(before, text)
		return next.encodeFirst(enc, skip)
	}
	j.after, next.before = nil, nil
	tokens := enc.AppendEncode(nil, j.context(j.last()))
	tokens = tokens[min(skip, len(tokens)):]
	if err := checkTokens(enc, j.documents[j.last()], tokens); err != nil {
		return err
	}
	j.tokens = append(j.tokens[:begin], tokens...)
	j.keep(len(j.tokens))
	return next.encodeFirst(enc, 0)
}

// textBegin returns where the tokens of the text of the last document begin, behind what begins it.
func (j *job) textBegin() int {
	begin := 0
	if j.last() > 0 {
		begin = j.ends[j.last()-1]
	}
	return begin + j.begins
}

// textEnd returns where the tokens of the text of the first document end.
func (j *job) textEnd() int {
	if j.documents[0].More {
		return j.ends[0]
	}
	return j.ends[0] - 1 // end of text
}

// keep leaves the first n tokens.
func (j *job) keep(n int) {
	j.tokens = j.tokens[:n]
	j.ends[j.last()] = n
}

// drop leaves the first n tokens out.
func (j *job) drop(n int) {
	j.tokens = j.tokens[n:]
	for i := range j.ends {
		j.ends[i] -= n
	}
}

// encodeFirst encodes the text of the first document again, with what stands beside it now, but for the first skip tokens.
func (j *job) encodeFirst(enc Encoder, skip int) error {
	rest := j.tokens[j.textEnd():]
	tokens := enc.AppendEncode(nil, j.context(0))
	tokens = tokens[min(skip, len(tokens)):]
	if err := checkTokens(enc, j.documents[0], tokens); err != nil {
		return err
	}
	j.skip = skip
	moved := len(tokens) - j.textEnd()
	j.tokens = append(tokens, rest...)
	for i := range j.ends {
		j.ends[i] += moved
	}
	return nil
}

func commonPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
