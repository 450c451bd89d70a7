package llama

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Extend lets a base go on with a longer context, other rotary positions and another
// pattern of attention, which have no parameters; see nn.Extending. A scaling without factor or original context gets
// those of the base.
func (c *Config) Extend(base nn.Configuration) ([]string, error) {
	was := base.(*Config)
	var f nn.Faults
	if c.Context < was.Context {
		f.Add("context", "%d is shorter than that of the base, %d: leave it out, and set train.context for shorter sequences", c.Context, was.Context)
	}
	if s := c.RopeScaling; s != nil && s != was.RopeScaling {
		filled := *s
		filled.fit(c.Context, was)
		c.RopeScaling = &filled
	}
	if s := c.RopeScaling; s != nil && s.Type == dynamicScaling && c.Context > was.Context {
		f.Add("rope_scaling.type", "dynamic scaling turns positions otherwise in each length beyond the context of the base, %d, and config.json cannot hold a longer one beside it: use %s, %s or %s",
			was.Context, autograd.YaRNScaling, autograd.LinearScaling, autograd.Llama3Scaling)
	}
	return []string{"context", "rope_theta", "rope_scaling", "attention"}, f.Err()
}

// fit fills in what the base of a model of that context tells: the context that it was
// first trained on, and how much longer this one is.
func (s *RopeScaling) fit(context int, base *Config) {
	original := base.Context
	if b := base.RopeScaling; b != nil && b.Original > 0 {
		original = b.Original
	} else if b != nil && b.Type == autograd.LinearScaling {
		original = int(float64(original) / b.Factor)
	}
	if s.Type != autograd.LinearScaling && s.Type != dynamicScaling {
		nn.Default(&s.Original, original)
	}
	nn.Default(&s.Factor, float64(context)/float64(original))
}
