package gpt2

import "example.com/gotrain/nn"

// Extend lets a base without learned positions go on with a longer context, and any
// with another pattern of attention; see
// nn.Extending. A table of learned ones has no rows for it.
func (c *Config) Extend(base nn.Configuration) ([]string, error) {
	was := base.(*Config)
	var f nn.Faults
	switch {
	case c.Context < was.Context:
		f.Add("context", "%d is shorter than that of the base, %d: leave it out, and set train.context for shorter sequences", c.Context, was.Context)
	case c.Context > was.Context && was.Positions == Learned:
		f.Add("context", "%d is longer than the base, which has learned %d positions and nothing of others: leave it out, begin from a base with rotary positions (family llama), or train from scratch", c.Context, was.Context)
	}
	return []string{"context", "attention"}, f.Err()
}
