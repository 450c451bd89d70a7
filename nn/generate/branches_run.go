package generate

// fill reads the prompts but for a tail of 1 to tailTokens tokens, which begins at begin.
func (s *BranchScorer) fill(list []Branches) (begin []int, err error) {
	begin = make([]int, s.batch)
	for _, p := range []*pieces{s.long, s.short} {
		for {
			for i, at := range begin { // what waits is not overwritten
				p.put(i, at, nil, s.most)
			}
			more := false
			for i, b := range list {
				if end := begin[i] + p.length; end < len(b.Prompt) {
					p.put(i, begin[i], b.Prompt[begin[i]:end], s.most)
					begin[i], more = end, true
				}
			}
			if !more {
				break
			}
			if err := p.run(); err != nil {
				return nil, err
			}
		}
	}
	return begin, nil
}

// A piece of a text, with the tokens that it predicts.
type piece struct {
	at     int // position of the first token
	tokens []int32
	asks   []ask
}

// ask is a target after a token of a piece, and where its score goes.
type ask struct {
	row    int
	target int32
	score  *Likelihood
	index  int
}

// pieces returns what is read of a prompt from begin on, and then of its completions.
func (b Branches) pieces(begin int, scores []Likelihood) []piece {
	tail := piece{at: begin, tokens: b.Prompt[begin:]}
	list := []piece{{}}
	for i, c := range b.Completions {
		if len(c) == 0 {
			continue
		}
		tail.asks = append(tail.asks, ask{len(tail.tokens) - 1, c[0], &scores[i], 0})
		for from := 0; from < len(c)-1; from += tailTokens {
			p := piece{at: len(b.Prompt) + from, tokens: c[from:min(from+tailTokens, len(c)-1)]}
			for t := range p.tokens {
				p.asks = append(p.asks, ask{t, c[from+t+1], &scores[i], from + t + 1})
			}
			list = append(list, p)
		}
	}
	list[0] = tail
	return list
}

// follow scores the pieces of each prompt in their order.
func (s *BranchScorer) follow(queues [][]piece) error {
	p := s.tail
	for round, more := 0, true; more; round++ {
		more = false
		var asks []ask // with the row of the batch
		for i := range s.batch {
			if i >= len(queues) || round >= len(queues[i]) {
				p.put(i, 0, nil, s.most)
				continue
			}
			more = true
			next := queues[i][round]
			p.put(i, next.at, next.tokens, s.most)
			for _, a := range next.asks {
				a.row += i * p.length
				asks = append(asks, a)
			}
		}
		for len(asks) > 0 { // a prompt with many completions may take more than one run
			n := min(len(asks), len(p.rows))
			if err := s.ask(asks[:n]); err != nil {
				return err
			}
			asks = asks[n:]
		}
	}
	return nil
}

// ask runs the pieces that are put, and scores.
func (s *BranchScorer) ask(asks []ask) error {
	p := s.tail
	for i := range p.rows {
		p.rows[i], p.targets[i] = 0, -1
	}
	for i, a := range asks {
		p.rows[i], p.targets[i] = int32(a.row), a.target
	}
	if err := p.run(); err != nil {
		return err
	}
	if err := p.session.Output(0, p.nll); err != nil {
		return err
	}
	if s.greedy {
		if err := p.session.Output(1, p.logits); err != nil {
			return err
		}
	}
	for i, a := range asks {
		a.score.Logs[a.index] = -p.nll[i]
		if s.greedy && Likeliest(p.logits[i*s.vocab:][:s.vocab]) != a.target {
			a.score.Greedy = false
		}
	}
	return nil
}

// Likeliest is the lowest index of the largest logit.
func Likeliest(logits []float32) int32 {
	at := 0
	for i, x := range logits {
		if x > logits[at] {
			at = i
		}
	}
	return int32(at)
}

// put gives prompt i a piece at a position, padded with what is beyond the text. The model has
// positions below most.
func (p *pieces) put(i, at int, tokens []int32, most int) {
	p.position[i] = int32(at)
	for t := range p.length {
		p.ids[i*p.length+t], p.positions[i*p.length+t] = 0, int32(min(at+t, most-1))
	}
	copy(p.ids[i*p.length:], tokens)
}

func (p *pieces) run() error {
	if err := p.inputs.set(); err != nil {
		return err
	}
	return p.session.Run()
}
