package llama

import (
	"math"
	"reflect"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// The types of rope_parameters, and those of them with a scaling.
const ropeDefault = "default"

var (
	ofOriginal  = []string{autograd.Llama3Scaling, autograd.YaRNScaling, autograd.LongRoPEScaling}
	ofLlama3    = []string{autograd.Llama3Scaling}
	ofYaRN      = []string{autograd.YaRNScaling}
	ofLongRoPE  = []string{autograd.LongRoPEScaling}
	ofAttention = []string{autograd.YaRNScaling, autograd.LongRoPEScaling}
)

// scalingKeys are keys that mean nothing without a scaling.
var scalingKeys = []string{"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow", "attention_factor",
	"mscale", "mscale_all_dim", "short_factor", "long_factor"}

// ropeKeys are the keys of rope_parameters and rope_scaling; the type of the rows is
// that of the scaling.
var ropeKeys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "rope_type", "type", "rope_theta"),
	nn.KeyRows(nn.Used, "", scalings, "factor"),
	nn.KeyRows(nn.Used, "", ofOriginal, "original_max_position_embeddings"),
	nn.KeyRows(nn.Used, "", ofLlama3, "low_freq_factor", "high_freq_factor"),
	nn.KeyRows(nn.Used, "", ofYaRN, "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"),
	nn.KeyRows(nn.Used, "", ofLongRoPE, "short_factor", "long_factor"),
	nn.KeyRows(nn.Used, "", ofAttention, "attention_factor"),
	nn.Keys{
		{Name: "partial_rotary_factor", Use: nn.Refused, Why: "rotary positions turn whole heads here", Off: []string{"1"}},
	},
	nn.KeyRows(nn.Refused, "positions have several axes", nil, "mrope_section", "mrope_interleaved"),
	nn.KeyRows(nn.Refused, "layers differ in their rotary positions", nil, "full_attention", "sliding_attention", "chunked_attention"),
	nn.KeyRows(nn.Harmless, "rotary positions of this type have no such number, in transformers neither", nil, slices.Concat(scalingKeys, []string{"truncate", "finetuned"})...),
)

// readRope reads the base and the scaling from rope_scaling, which counts where it is
// there, or rope_parameters (transformers 5), or from the keys beside them.
func readRope(raw nn.HF, c *Config) {
	theta, outer := raw.Float("rope_theta", 10000), raw.Has("rope_theta")
	c.RopeTheta = theta
	parameters, old := raw.Object("rope_parameters"), raw.Object("rope_scaling")
	section, name := parameters, "rope_parameters"
	if old.Size() > 0 {
		section, name = old, "rope_scaling"
	}
	if section.Size() == 0 {
		return
	}
	var inner bool
	c.RopeTheta, inner = section.Float("rope_theta", theta), section.Has("rope_theta")
	c.RopeScaling = readScaling(raw, section, c.Context)
	if old.Size() > 0 && parameters.Size() > 0 && !agree(raw, parameters, c) {
		raw.Fault("rope_parameters", "it says something else than rope_scaling: take one of them out (transformers heeds rope_scaling)")
	}
	if outer && inner && theta != c.RopeTheta {
		raw.Note("config.json: rope_theta %g changes nothing: %s has %g, as transformers reads it", theta, name, c.RopeTheta)
	}
}

// agree tells whether rope_parameters say what was read from rope_scaling.
func agree(raw, parameters nn.HF, c *Config) bool {
	scaling, is := readScaling(raw, parameters, c.Context), c.RopeScaling
	theta := parameters.Float("rope_theta", c.RopeTheta)
	if scaling == nil || is == nil {
		return scaling == is && theta == c.RopeTheta
	}
	return reflect.DeepEqual(scaling, is) && theta == c.RopeTheta
}

// readScaling reads the scaling of one of the two sections, nil for none.
func readScaling(raw, section nn.HF, context int) *RopeScaling {
	kind := section.String("rope_type", section.String("type", ""))
	section.Check(ropeKeys, kind)
	switch kind {
	case "", ropeDefault:
		for _, key := range scalingKeys {
			switch {
			case !section.Has(key):
			case kind == "":
				section.Fault(key, "there is no rope_type beside it, without which transformers scales nothing: name the type (linear, llama3, yarn, longrope), or take the key out")
				return nil
			case key == "factor":
				raw.Note("config.json: the factor beside rope_type default changes nothing, as in transformers")
			}
		}
		return nil
	}
	s := &RopeScaling{Type: kind, Factor: section.Float("factor", 0)}
	switch {
	case section.Has("factor") || !slices.Contains(scalings, kind) || kind == autograd.LongRoPEScaling:
	case kind == autograd.YaRNScaling && section.IsNull("factor"):
	default:
		section.Fault("factor", "is missing")
	}
	if slices.Contains(ofOriginal, kind) {
		s.Original = raw.Int("original_max_position_embeddings", section.Int("original_max_position_embeddings", context))
	}
	switch kind {
	case autograd.Llama3Scaling:
		s.LowFreqFactor, s.HighFreqFactor = section.Float("low_freq_factor", 0), section.Float("high_freq_factor", 0)
		for _, key := range []string{"low_freq_factor", "high_freq_factor"} {
			if !section.Has(key) {
				section.Fault(key, "is missing")
			}
		}
	case autograd.YaRNScaling:
		readYaRN(section, s, context)
	case autograd.LongRoPEScaling:
		section.Value("short_factor", &s.ShortFactor)
		section.Value("long_factor", &s.LongFactor)
		readAttention(section, s)
		raw.Note("config.json: longrope takes short_factor where a sequence and what may follow it fit into %d tokens, and long_factor at all positions of others; transformers looks at each text as it grows", s.Original)
	case dynamicScaling:
		raw.Note("config.json: the dynamic scaling of rotary positions begins beyond max_position_embeddings, %d tokens, where sequences end here: it changes nothing and is kept", context)
	}
	return s
}

// readAttention reads what cosines and sines are multiplied by, and tells whether it is there.
func readAttention(section nn.HF, s *RopeScaling) bool {
	if !section.Has("attention_factor") {
		return false
	}
	if s.AttentionFactor = section.Float("attention_factor", 0); s.AttentionFactor <= 0 {
		section.Fault("attention_factor", "%g is not above 0", s.AttentionFactor)
	}
	return true
}

// readYaRN reads what yarn alone has, with transformers' defaults.
func readYaRN(section nn.HF, s *RopeScaling, context int) {
	if section.IsNull("factor") && s.Original > 0 {
		s.Factor = float64(context) / float64(s.Original)
	}
	s.BetaFast, s.BetaSlow = section.Float("beta_fast", 0), section.Float("beta_slow", 0)
	if !section.Bool("truncate", true) {
		s.Truncate = nn.Bool(false)
	}
	if readAttention(section, s) {
		return
	}
	// DeepSeek's two factors, of which either alone means nothing.
	if m, all := section.Float("mscale", 0), section.Float("mscale_all_dim", 0); m != 0 && all != 0 {
		s.AttentionFactor = attentionFactor(s.Factor, m) / attentionFactor(s.Factor, all)
	}
}

// attentionFactor is what yarn multiplies cosines and sines by.
func attentionFactor(factor, scale float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*scale*math.Log(factor) + 1
}

// ropeParameters writes what readRope reads.
func ropeParameters(c *Config) map[string]any {
	keys := map[string]any{"rope_type": ropeDefault, "rope_theta": c.RopeTheta}
	s := c.RopeScaling
	if s == nil {
		return keys
	}
	keys["rope_type"], keys["factor"] = s.Type, s.Factor
	switch s.Type {
	case autograd.Llama3Scaling:
		keys["low_freq_factor"], keys["high_freq_factor"] = s.LowFreqFactor, s.HighFreqFactor
		keys["original_max_position_embeddings"] = s.Original
	case autograd.YaRNScaling:
		keys["beta_fast"], keys["beta_slow"], keys["attention_factor"] = s.BetaFast, s.BetaSlow, s.AttentionFactor
		keys["original_max_position_embeddings"] = s.Original
		if s.Truncate != nil {
			keys["truncate"] = *s.Truncate
		}
	case autograd.LongRoPEScaling:
		keys["short_factor"], keys["long_factor"], keys["attention_factor"] = s.ShortFactor, s.LongFactor, s.AttentionFactor
		keys["original_max_position_embeddings"] = s.Original
	}
	return keys
}
