package encode

// Class is the likeliest class.
func (t Told) Class() int { return int(likeliest(t.Classes)) }

// Confusion counts which classes are said of texts of which.
type Confusion struct {
	classes int
	counts  []int // (classes, classes), by class there and said
}

// Init makes room for so many classes.
func (c *Confusion) Init(classes int) { c.classes, c.counts = classes, make([]int, classes*classes) }

// Count notes that of a text of a class another, or the same, is said.
func (c *Confusion) Count(is, said int) { c.counts[is*c.classes+said]++ }

// ClassScore is how well a class is told.
type ClassScore struct {
	Precision float64 `json:"precision"` // of the texts of which it is said
	Recall    float64 `json:"recall"`    // of its texts
	F1        float64 `json:"f1"`        // 2·right / (said + there)
	Texts     int     `json:"texts"`     // of the class
	said      int
}

// Of is how well a class is told.
func (c *Confusion) Of(class int) (s ClassScore) {
	right := c.counts[class*c.classes+class]
	for other := range c.classes {
		s.Texts += c.counts[class*c.classes+other]
		s.said += c.counts[other*c.classes+class]
	}
	share := func(n int) float64 { return float64(right) / float64(max(n, 1)) }
	s.Precision, s.Recall = share(s.said), share(s.Texts)
	s.F1 = 2 * float64(right) / float64(max(s.said+s.Texts, 1))
	return s
}

// Accuracy is the share of texts whose class is said.
func (c *Confusion) Accuracy() float64 {
	right, all := 0, 0
	for class := range c.classes {
		right += c.counts[class*c.classes+class]
	}
	for _, n := range c.counts {
		all += n
	}
	return float64(right) / float64(max(all, 1))
}

// F1 is the mean of the classes' (macro F1); one that is neither said nor there does not
// count.
func (c *Confusion) F1() float64 {
	sum, n := 0.0, 0
	for class := range c.classes {
		if s := c.Of(class); s.Texts+s.said > 0 {
			sum += s.F1
			n++
		}
	}
	return sum / float64(max(n, 1))
}
