package peft

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/data/onig"
)

// Modules are names of layers, whole or their last parts, or an expression of Python for
// whole names.
type Modules struct {
	Names      []string
	Expression string
}

// allLinear is the expression that means all linear layers but the head.
const allLinear = "all-linear"

// UnmarshalJSON reads a list or a text.
func (m *Modules) UnmarshalJSON(text []byte) error {
	*m = Modules{}
	if json.Unmarshal(text, &m.Expression) == nil {
		return nil
	}
	m.Expression = ""
	err := json.Unmarshal(text, &m.Names)
	if len(m.Names) == 0 {
		m.Names = nil
	}
	return err
}

// MarshalJSON writes what UnmarshalJSON reads.
func (m Modules) MarshalJSON() ([]byte, error) {
	if m.Expression != "" {
		return json.Marshal(m.Expression)
	}
	return json.Marshal(m.Names)
}

func (m Modules) empty() bool { return m.Expression == "" && len(m.Names) == 0 }

// matches tells whether a layer is meant.
func (m Modules) matches(layer string) bool {
	if m.Expression == "" {
		return slices.ContainsFunc(m.Names, func(name string) bool { return layer == name || strings.HasSuffix(layer, "."+name) })
	}
	if strings.EqualFold(m.Expression, allLinear) {
		return true
	}
	re, err := compile(m.Expression)
	return err == nil && whole(re, layer)
}

// namedGroup is Python's spelling of a group with a name.
var namedGroup = regexp.MustCompile(`\(\?P<`)

// compile compiles an expression of Python that is to match a whole text.
func compile(expression string) (*onig.Regex, error) {
	re, err := onig.Compile(`\A(?:` + namedGroup.ReplaceAllString(expression, "(?<") + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("the expression %q is not understood: %w", expression, err)
	}
	return re, nil
}

// whole tells whether a compiled expression matches a text.
func whole(re *onig.Regex, text string) bool { return len(re.FindAll([]byte(text))) > 0 }

// expressions calls fault with each expression of c that is not understood, and its key.
func (c Config) expressions(fault func(key string, err error)) {
	try := func(key, expression string) {
		if _, err := compile(expression); err != nil {
			fault(key, err)
		}
	}
	of := func(key string, m Modules) {
		if m.Expression != "" && !strings.EqualFold(m.Expression, allLinear) {
			try(key, m.Expression)
		}
	}
	of("target_modules", c.Targets)
	of("exclude_modules", c.Exclude)
	for _, name := range c.IndexNames {
		try("layers_pattern", name)
	}
}

// blockIndex is the first number in the name of a layer, as peft finds it.
var blockIndex = regexp.MustCompile(`^.*?\.[^.]*\.(\d+)\.`)

// targets tells whether peft puts the adapter into a layer (check_target_module_exists);
// a configuration without targets leaves it to the weights.
func (c Config) targets(layer string) bool {
	switch {
	case c.Exclude.matches(layer):
		return false
	case c.Targets.empty():
		return true
	case !c.Targets.matches(layer):
		return false
	case len(c.Indices) == 0 || c.Targets.Expression != "" || slices.Contains(c.Targets.Names, layer):
		return true
	}
	index, ok := c.index(layer)
	return ok && slices.Contains(c.Indices, index)
}

// index is the number of the block that a layer is in.
func (c Config) index(layer string) (int, bool) {
	if len(c.IndexNames) == 0 {
		m := blockIndex.FindStringSubmatch(layer)
		if m == nil {
			return 0, false
		}
		n, err := strconv.Atoi(m[1])
		return n, err == nil
	}
	parts := strings.Split(layer, ".")
	for _, name := range c.IndexNames {
		re, err := compile(`(?:.*?\.)?` + "(?:" + name + ")")
		for i := 1; i < len(parts)-1 && err == nil; i++ {
			if n, e := strconv.Atoi(parts[i]); e == nil && whole(re, strings.Join(parts[:i], ".")) {
				return n, true
			}
		}
	}
	return 0, false
}
