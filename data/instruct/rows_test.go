package instruct

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
)

// plainSet is conversations of known answers through a template without words of its own.
func plainSet(t *testing.T, cfg Config, length int, answers ...string) (*Set, *Encoder) {
	t.Helper()
	template, err := chat.Parse("bare", "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(byteTokens(t), template, chat.Vars{EOS: bpe.EndOfText})
	var all []chat.Conversation
	for i, answer := range answers {
		all = append(all, chat.Conversation{Source: fmt.Sprint(i), Messages: []chat.Message{{Role: chat.User, Content: "q" + strings.Repeat("?", i)}, {Role: chat.Assistant, Content: answer}}})
	}
	set, err := Build(t.Context(), cfg, e, length, sequence(all))
	if err != nil {
		t.Fatal(err)
	}
	return set, e
}

// naive is a row as its definition has it: each example a segment with positions from 0, its
// targets the tokens that count, then padding.
func naive(examples []Example, length int, pad int32) (ids, targets, segments, positions []int32, counted int) {
	for s, x := range examples {
		for i := range len(x.Tokens) - 1 {
			target := data.Ignore
			if x.Counted[i+1] {
				target = x.Tokens[i+1]
				counted++
			}
			ids, targets = append(ids, x.Tokens[i]), append(targets, target)
			segments, positions = append(segments, int32(s)), append(positions, int32(i))
		}
	}
	for i := 0; len(ids) < length; i++ {
		ids, targets = append(ids, pad), append(targets, data.Ignore)
		segments, positions = append(segments, int32(len(examples))), append(positions, int32(i))
	}
	return ids, targets, segments, positions, counted
}

// split returns the examples of a row by its segments, as texts.
func split(e *Encoder, c data.Columns, pad int32) (texts []string) {
	for i := 0; i < len(c.IDs); {
		end := i
		for end < len(c.IDs) && c.Segments[end] == c.Segments[i] {
			end++
		}
		ids := slices.Clone(c.IDs[i:end])
		if last := c.Targets[end-1]; last >= 0 {
			texts = append(texts, string(e.tokens.AppendDecode(nil, append(ids, last))))
		}
		i = end
	}
	return texts
}

// TestRowsByDefinition compares every field of every row of training and of evaluation with
// the definition, packed and not.
func TestRowsByDefinition(t *testing.T) {
	answers := []string{"né", "answer", "a", "a much longer answer", "日本", "b", "cc", "ddd", "eeee", "fffff"}
	const length, pad = 40, 7
	set, e := plainSet(t, Default(), length, answers...)
	byText := map[string]Example{}
	bytes := int64(0)
	for i := range set.Examples() {
		x := set.Example(i)
		byText[string(e.tokens.AppendDecode(nil, x.Tokens))] = x
		bytes += int64(len(answers[i]))
	}
	size := data.Sequences{Rows: data.Rows{Batch: 3}, Context: length, DocumentMask: true, VocabSize: 400}
	for _, together := range []bool{true, false} {
		l, err := NewLoader(set, data.LoaderConfig{Sequences: size, Seed: 5}, together, pad)
		if err != nil {
			t.Fatal(err)
		}
		eval, err := NewEval(set, size, together, pad, e.tokens)
		if err != nil {
			t.Fatal(err)
		}
		if rows := map[bool]int{false: len(answers)}[together]; rows > 0 && l.Epoch() != rows || together && l.Epoch() >= len(answers) {
			t.Errorf("packed %t: %d rows", together, l.Epoch())
		}
		check := func(source data.Source, position uint64, rows int) (texts []string, textBytes int64) {
			b := source.NewBatch()
			for name := range b.Ints {
				for i := range b.Ints[name] {
					b.Ints[name][i] = 99 // what an earlier batch left
				}
			}
			if err := source.Fill(b, position); err != nil {
				t.Fatal(err)
			}
			c, err := size.Columns(b)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for row := range size.Batch {
				r := c.Row(row, length)
				own := split(e, r, pad)
				var examples []Example
				for _, text := range own {
					x, ok := byText[text]
					if !ok {
						t.Fatalf("a row holds %q", text)
					}
					examples = append(examples, x)
				}
				ids, targets, segments, positions, counted := naive(examples, length, pad)
				if !slices.Equal(r.IDs, ids) || !slices.Equal(r.Targets, targets) || !slices.Equal(r.Segments, segments) || !slices.Equal(r.Positions, positions) {
					t.Fatalf("packed %t, row %d of %v:\n%v\n%v\n%v\n%v\nwant\n%v\n%v\n%v\n%v", together, row, own, r.IDs, r.Targets, r.Segments, r.Positions, ids, targets, segments, positions)
				}
				if (b.From[row] != data.Origin{}) != (row < rows) || (len(own) > 0) != (row < rows) {
					t.Fatalf("packed %t, row %d of %d from %v holds %v", together, row, rows, b.From[row], own)
				}
				total += counted
				texts = append(texts, own...)
			}
			if int(b.Weight) != total || b.Position != position {
				t.Fatalf("weight %g at %d, want %d at %d", b.Weight, b.Position, total, position)
			}
			return texts, b.TextBytes
		}
		orders := map[string]bool{}
		for epoch := range 4 {
			var seen []string
			for at := 0; at < l.Epoch(); at += size.Batch {
				texts, _ := check(l, uint64(epoch*l.Epoch()+at), size.Batch)
				seen = append(seen, texts...)
			}
			orders[strings.Join(seen[:len(answers)/2], "|")] = true
		}
		if len(orders) < 3 {
			t.Errorf("packed %t: 4 epochs have %d orders", together, len(orders))
		}
		var held []string
		heldBytes := int64(0)
		for at := 0; at < eval.Epoch(); at += size.Batch {
			texts, n := check(eval, uint64(at), min(size.Batch, eval.Epoch()-at))
			held, heldBytes = append(held, texts...), heldBytes+n
		}
		if err := eval.Fill(eval.NewBatch(), uint64(eval.Epoch())); err != io.EOF {
			t.Errorf("behind the last row: %v", err)
		}
		// The bytes are those of the answers, not of their ends of text.
		if slices.Sort(held); len(held) != len(answers) || len(slices.Compact(held)) != len(answers) || heldBytes != bytes {
			t.Errorf("packed %t: %d examples were evaluated, %d bytes; want %d, %d", together, len(held), heldBytes, len(answers), bytes)
		}
	}
}

// TestOrderByTheSeed: another seed has another order, of rows and of examples of one length.
func TestOrderByTheSeed(t *testing.T) {
	var answers []string
	for i := range 60 {
		answers = append(answers, fmt.Sprintf("%02d", i))
	}
	template, err := chat.Parse("bare", "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(byteTokens(t), template, chat.Vars{EOS: bpe.EndOfText})
	var all []chat.Conversation
	for _, a := range answers {
		all = append(all, chat.Conversation{Messages: []chat.Message{{Role: chat.User, Content: "q"}, {Role: chat.Assistant, Content: a}}})
	}
	set, err := Build(t.Context(), Default(), e, 9, sequence(all)) // three to a row
	if err != nil {
		t.Fatal(err)
	}
	rows := func(seed, epoch uint64) (order string, partners map[string]bool) {
		l, err := NewLoader(set, data.LoaderConfig{Sequences: data.Sequences{Rows: data.Rows{Batch: 20}, Context: 9, DocumentMask: true}, Seed: seed}, true, 0)
		if err != nil {
			t.Fatal(err)
		}
		if l.Epoch() != 20 {
			t.Fatalf("%d rows, want 20 of three", l.Epoch())
		}
		b := l.NewBatch()
		if err := l.Fill(b, epoch*20); err != nil {
			t.Fatal(err)
		}
		c, err := l.Columns(b)
		if err != nil {
			t.Fatal(err)
		}
		partners = map[string]bool{}
		var texts []string
		for row := range 20 {
			own := split(e, c.Row(row, 9), 0)
			texts = append(texts, strings.Join(own, "+"))
			slices.Sort(own)
			partners[strings.Join(own, "+")] = true
		}
		return strings.Join(texts, " "), partners
	}
	first, partners := rows(1, 0)
	for name, other := range map[string][2]uint64{"another seed": {2, 0}, "another epoch": {1, 1}} {
		order, others := rows(other[0], other[1])
		same := 0
		for p := range others {
			if partners[p] {
				same++
			}
		}
		if order == first || same > 5 {
			t.Errorf("%s: %d of 20 rows are of the same examples; the order was\n%s\nand is\n%s", name, same, first, order)
		}
	}
	if again, _ := rows(1, 0); again != first {
		t.Error("the same seed and epoch give another order")
	}
}

// TestLengthsAtTheBorders: an example that fills a row exactly stays whole, one that is longer
// by a token is cut on the side that is named, and the counts say so.
func TestLengthsAtTheBorders(t *testing.T) {
	const length = 10 // rows hold 11 tokens: the question's 1, the answer, its end
	fits, long := strings.Repeat("a", 9), strings.Repeat("b", 10)
	for _, tc := range []struct {
		truncate string
		answers  []string
		want     []string
		stats    Stats
	}{
		{TruncateDrop, []string{fits, "?" + long}, []string{"q" + fits + bpe.EndOfText}, Stats{Examples: 1, Dropped: 1}},
		{TruncateLeft, []string{fits, "c" + long}, []string{"q" + fits + bpe.EndOfText, long + bpe.EndOfText}, Stats{Examples: 2, Truncated: 1}},
		{TruncateRight, []string{fits, "c" + long}, []string{"q" + fits + bpe.EndOfText, "q?c" + long[:8]}, Stats{Examples: 2, Truncated: 1}},
	} {
		cfg := Default()
		cfg.Truncate = tc.truncate
		set, e := plainSet(t, cfg, length, tc.answers...)
		var got []string
		for i := range set.Examples() {
			x := set.Example(i)
			got = append(got, string(e.tokens.AppendDecode(nil, x.Tokens)))
			if x.Counted[0] {
				t.Errorf("%s: the first token of %q counts", tc.truncate, got[i])
			}
		}
		s := set.Stats()
		if !slices.Equal(got, tc.want) || s.Examples != tc.stats.Examples || s.Truncated != tc.stats.Truncated || s.Dropped != tc.stats.Dropped {
			t.Errorf("%s: %q, %+v; want %q, %+v", tc.truncate, got, s, tc.want, tc.stats)
		}
	}
	// More conversations than are encoded at a time, and a bound on them.
	answers := make([]string, chunkSize+1)
	for i := range answers {
		answers[i] = fmt.Sprint(i % 10)
	}
	for _, most := range []int{0, chunkSize - 1, chunkSize, 3} {
		cfg := Default()
		cfg.MaxExamples = most
		set, _ := plainSet(t, cfg, 600, answers...)
		if want := map[int]int{0: len(answers)}[most] + most; set.Examples() != want {
			t.Errorf("max_examples %d: %d examples, want %d", most, set.Examples(), want)
		}
	}
}

// TestBestFit: an example goes where it leaves the least room, also where rooms are far apart:
// five of these fill two rows.
func TestBestFit(t *testing.T) {
	const length = 240
	var answers []string
	for i, n := range []int{160, 110, 80, 75, 55} { // positions, of which question, its marks and the end take 2 and more
		answers = append(answers, strings.Repeat("a", n-1-i))
	}
	set, _ := plainSet(t, Default(), length, answers...)
	l, err := NewLoader(set, data.LoaderConfig{Sequences: data.Sequences{Rows: data.Rows{Batch: 1}, Context: length, DocumentMask: true}}, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Tokens() != 2*length || l.Epoch() != 2 || l.Density() != 1 {
		t.Errorf("%d positions in %d rows, full to %g", l.Tokens(), l.Epoch(), l.Density())
	}
}

// TestOrderOfRowsByTheSeed: where every length is another one, rows change places by the seed
// alone.
func TestOrderOfRowsByTheSeed(t *testing.T) {
	var answers []string
	for i := range 30 {
		answers = append(answers, strings.Repeat("a", i+1))
	}
	set, _ := plainSet(t, Default(), 80, answers...)
	order := func(seed uint64) (lengths []int) {
		l, err := NewLoader(set, data.LoaderConfig{Sequences: data.Sequences{Rows: data.Rows{Batch: 30}, Context: 80, DocumentMask: true}, Seed: seed}, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := l.NewBatch()
		if err := l.Fill(b, 0); err != nil {
			t.Fatal(err)
		}
		for row := range 30 {
			n := 0
			for _, s := range b.Ints[data.Segments][row*80 : (row+1)*80] {
				if s == 0 {
					n++
				}
			}
			lengths = append(lengths, n)
		}
		return lengths
	}
	if one, two := order(1), order(2); slices.Equal(one, two) || slices.IsSorted(one) {
		t.Errorf("two seeds have the orders %v and %v", one, two)
	}
}
