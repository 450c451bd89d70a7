package peft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"example.com/gotrain/nn"
)

// Pattern is a rank_pattern or alpha_pattern: expressions of Python for the last parts of names of
// layers, or whole names, each with a number. The first that matches a layer counts, as peft has it.
type Pattern struct {
	Keys    []string
	Numbers []float64
}

// PatternOf are entries of nn.Adapter.Ranks or Alphas.
func PatternOf(entries []string) Pattern {
	var p Pattern
	p.Keys, p.Numbers = nn.Entries(entries)
	for i, key := range p.Keys {
		if key == nn.AllLinear {
			p.Keys[i] = ".*"
		}
	}
	return p
}

// UnmarshalJSON reads an object, whose keys it keeps in order, or null.
func (p *Pattern) UnmarshalJSON(text []byte) error {
	*p = Pattern{}
	all := map[string]float64{}
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for token, err := d.Token(); err == nil; token, err = d.Token() {
		if key, ok := token.(string); ok && !slices.Contains(p.Keys, key) { // of one that is there twice the last number counts
			p.Keys, p.Numbers = append(p.Keys, key), append(p.Numbers, all[key])
		}
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (p Pattern) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, key := range p.Keys {
		if i > 0 {
			text.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "%s:%v", name, p.Numbers[i])
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// check returns what is wrong with the expressions and the numbers, which are above 0 and at most
// most.
func (p Pattern) check(most float64, whole bool) error {
	for i, key := range p.Keys {
		if _, err := compile(key); err != nil {
			return err
		}
		if n := p.Numbers[i]; !(n > 0 && n <= most) || whole && n != float64(int(n)) {
			return fmt.Errorf("%g for %q is out of range", n, key)
		}
	}
	return nil
}

// of is the number of a layer, or other.
func (p Pattern) of(layer string, other float64) float64 {
	for i, key := range p.Keys {
		if re, err := compile(`(?:.*\.)?(?:` + key + ")"); err == nil && whole(re, layer) {
			return p.Numbers[i]
		}
	}
	return other
}

// rankOf is the rank of the adapter of a layer.
func (c Config) rankOf(layer string) int { return int(c.Ranks.of(layer, float64(c.Rank))) }

// entries name the layers among adapted, whose names in the file are layers, for which number gives
// another than the usual number.
func entries(adapted []nn.Param, layers []string, params []nn.Param, usual float64, number func(layer string) float64) []string {
	groups := map[float64][]nn.Param{}
	for i, p := range adapted {
		if n := number(layers[i]); n != usual {
			groups[n] = append(groups[n], p)
		}
	}
	var list []string
	for _, n := range slices.Sorted(maps.Keys(groups)) {
		for _, name := range nn.TargetsOf(groups[n], params) {
			list = append(list, nn.Entry(name, n))
		}
	}
	return list
}
