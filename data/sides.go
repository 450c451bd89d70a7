package data

import "sync"

// sides says on which side each text is whose hash decides. By chance a corpus of few texts would have none on one side: then
// the text of the least hash is held out, or the one of the greatest hash trained on, and of a corpus that is a single
// short file of text the last part is held out. So the side of a text depends on the corpus only where it must.
type sides struct {
	once   sync.Once
	err    error
	forced bool // hash is on side, whatever the fraction
	hash   uint64
	side   Split
	cut    string // the file of which the last part is held out, "" for none

	// While the corpus is looked through: texts decided so far by side, and the extremes of their hashes.
	looking     bool
	seen        [2]bool
	least, most uint64
	texts       int
	known       bool // there are texts that a ledger has decided
}

// heldOut maps a hash to [0, 1) and compares.
func heldOut(hash uint64, fraction float64) bool {
	return float64(hash>>11)/(1<<53) < fraction
}

// of returns the side of a text.
func (s *sides) of(hash uint64, fraction float64) Split {
	side := Train
	if heldOut(hash, fraction) {
		side = Validation
	}
	if s.looking {
		if s.texts == 0 {
			s.least, s.most = hash, hash
		}
		s.least, s.most = min(s.least, hash), max(s.most, hash)
		s.texts++
	}
	if s.forced && hash == s.hash {
		side = s.side
	}
	return side
}

// decided notes that a ledger has decided a text.
func (s *sides) decided() { s.known = s.known || s.looking }

// balance looks through the training files until it has seen text on both sides, and settles what the sides must be where it
// finds none on one of them. Few texts tell.
func (c *Corpus) balance() error {
	s := &c.sides
	s.once.Do(func() {
		if c.cfg.Validation > 0 && !c.cfg.Format.tokens() {
			s.looking = true
			s.err = c.settle()
			s.looking = false
		}
	})
	return s.err
}

func (c *Corpus) settle() error {
	s := &c.sides
	for _, name := range c.train {
		err := c.documents(name, c.cfg.Validation, Train, func(d Document) bool {
			s.seen[d.Split] = true
			return !s.seen[Train] || !s.seen[Validation]
		})
		if err != nil || s.seen[Train] && s.seen[Validation] {
			return err
		}
	}
	switch {
	case s.texts == 0:
	case (s.least < s.most || s.known) && !s.seen[Validation]:
		s.forced, s.hash, s.side = true, s.least, Validation
	case s.least < s.most || s.known:
		s.forced, s.hash, s.side = true, s.most, Train
	case c.cfg.Format == FormatText:
		return c.settleOne()
	}
	return nil
}

// settleOne has the last part of the only text that there is held out: the first of equal files that are not empty.
func (c *Corpus) settleOne() error {
	for _, name := range c.train {
		empty := true
		if err := c.documents(name, 0, Train, func(Document) bool {
			empty = false
			return false
		}); err != nil {
			return err
		}
		if !empty {
			c.sides.cut = name
			return nil
		}
	}
	return nil
}
