package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/talk"
)

// Language is a Subject that answers the questions of a task: a Model. It belongs to one
// goroutine, and uses the Subject's store alone.
type Language struct {
	subject   Subject
	frame     *talk.Frame // nil for prompts that are plain text
	batch     int
	generator *generate.Generator
	scorers   map[size]*generate.BranchScorer
}

// size is what a scorer is made for.
type size struct {
	batch, context int
	greedy         bool
}

var _ Model = (*Language)(nil)

// NewLanguage returns the Model of a subject, which scores batch prompts at once. With a
// frame, for models that were fine-tuned on conversations, the prompt is what a user says
// and the answer the turn after it.
func NewLanguage(s Subject, frame *talk.Frame, batch int) *Language {
	return &Language{subject: s, frame: frame, batch: batch, scorers: map[size]*generate.BranchScorer{}}
}

// UserSays is the conversation that a question opens.
func UserSays(prompt string) []chat.Message {
	return []chat.Message{{Role: chat.User, Content: prompt}}
}

// encode returns the tokens of a prompt and a completion. A prompt that is too long loses
// its first overflow tokens; the last token is predicted only.
func (l *Language) encode(prompt, completion string) (promptIDs, completionIDs []int32, overflow int, err error) {
	if l.frame == nil {
		return l.subject.encode(prompt, completion)
	}
	if promptIDs, completionIDs, err = l.frame.Pair(completion, UserSays(prompt)...); err != nil {
		return nil, nil, 0, err
	}
	promptIDs, overflow, err = l.subject.fit(promptIDs, completionIDs, completion)
	return promptIDs, completionIDs, overflow, err
}

// lastOf returns the last n ids, at least one.
func lastOf(ids []int32, n int) []int32 {
	return ids[max(0, len(ids)-max(1, n)):]
}

// A branching is a prompt with those completions of a query that follow its very tokens.
type branching struct {
	query    int
	of       []int // completions of the query
	overflow int   // tokens of the prompt that were left out
	generate.Branches
}

// windows is how many batches are put in the order of their lengths, so that prompts of one
// length are scored together: few enough that what is done when a run is interrupted is not
// of one length alone.
const windows = 8

// Score scores the completions of queries; see Model. Completions of one query share what is
// computed of its prompt. The scores do not depend on other queries.
func (l *Language) Score(ctx context.Context, queries []Query, each func(i int, scores []Completion) error) error {
	list, err := l.branch(ctx, queries)
	if err != nil || len(list) == 0 {
		return err
	}
	longest, greedy := 0, false
	for _, b := range list {
		longest, greedy = max(longest, b.Longest()), greedy || queries[b.query].Greedy
	}
	batch := min(l.batch, len(list))
	scorer, err := l.scorer(batch, longest, greedy)
	if err != nil {
		return err
	}
	scores, missing := make([][]Completion, len(queries)), make([]int, len(queries))
	for i, q := range queries {
		scores[i], missing[i] = make([]Completion, len(q.Completions)), len(q.Completions)
	}
	for window := range slices.Chunk(list, batch*windows) {
		window = slices.Clone(window)
		slices.SortStableFunc(window, func(a, b branching) int { return cmp.Compare(len(a.Prompt), len(b.Prompt)) })
		for part := range slices.Chunk(window, batch) {
			if err := ctx.Err(); err != nil {
				return err
			}
			together := make([]generate.Branches, len(part))
			for i, b := range part {
				together[i] = b.Branches
			}
			likely, err := scorer.Score(together)
			if err != nil {
				return err
			}
			for i, b := range part {
				for j, c := range b.of {
					scores[b.query][c] = completionOf(likely[i][j])
					scores[b.query][c].Overflow = b.overflow
				}
				if missing[b.query] -= len(b.of); missing[b.query] > 0 {
					continue
				}
				if err := each(b.query, scores[b.query]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// scorer returns one for texts of so many tokens.
func (l *Language) scorer(batch, longest int, greedy bool) (*generate.BranchScorer, error) {
	context := 64
	for context < longest {
		context *= 2
	}
	of := size{batch, min(context, l.subject.Model.Context()), greedy}
	if s := l.scorers[of]; s != nil {
		return s, nil
	}
	s, err := generate.NewBranchScorer(l.subject.Model, l.subject.Store, generate.Config{Context: of.context, Compute: l.subject.Compute}, batch, greedy)
	if err == nil {
		l.scorers[of] = s
	}
	return s, err
}

func completionOf(l generate.Likelihood) Completion {
	c := Completion{Greedy: l.Greedy}
	for _, x := range l.Logs {
		c.LogLikelihood += float64(x)
	}
	return c
}

// branch encodes queries. Completions of one may follow different tokens: where a token lies
// on the border to the prompt, or where of a long prompt not the same is left.
func (l *Language) branch(ctx context.Context, queries []Query) ([]branching, error) {
	var list []branching
	for i, q := range queries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := len(list)
		for c, completion := range q.Completions {
			prompt, ids, overflow, err := l.encode(q.Prompt, completion)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.Source, err)
			}
			at := slices.IndexFunc(list[first:], func(b branching) bool { return slices.Equal(b.Prompt, prompt) })
			if at < 0 {
				at = len(list) - first
				list = append(list, branching{query: i, overflow: overflow, Branches: generate.Branches{Prompt: prompt}})
			}
			b := &list[first+at]
			b.of, b.Completions = append(b.of, c), append(b.Completions, ids)
		}
	}
	return list, nil
}

// Generate continues prompt greedily. A prompt that leaves no room for maxTokens, or for half
// of the context where that is less, loses its beginning.
func (l *Language) Generate(ctx context.Context, prompt string, stops []string, maxTokens int) (written string, overflow int, err error) {
	if l.generator == nil {
		g, err := generate.New(l.subject.Model, l.subject.Store, generate.Config{Compute: l.subject.Compute})
		if err != nil {
			return "", 0, err
		}
		l.generator = g
	}
	tokens, ends := l.subject.Tokens, l.subject.Ends
	var ids []int32
	if l.frame == nil {
		if ids, err = l.subject.Prompts.Encode(prompt); err != nil {
			return "", 0, err
		}
	} else {
		if ids, err = l.frame.Prompt(UserSays(prompt)...); err != nil {
			return "", 0, err
		}
		ends = l.frame.Stop()
	}
	kept := lastOf(ids, l.generator.Context()-min(maxTokens, l.generator.Context()/2))
	var text []byte
	_, err = l.generator.Generate(ctx, kept, generate.Options{MaxTokens: maxTokens, Stop: ends, Reuse: true}, func(token int32) error {
		text = append(text, tokens.TokenBytes(token)...)
		if slices.ContainsFunc(stops, func(stop string) bool { return strings.Contains(string(text), stop) }) {
			return generate.ErrStop
		}
		return nil
	})
	return string(text), len(ids) - len(kept), err
}
