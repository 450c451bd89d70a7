package zoo

import (
	"testing"

	"example.com/gotrain/nn"
)

// TestScored: a language model of every family may have a score in place of its head, and
// its config.json gives the same model back.
func TestScored(t *testing.T) {
	found := 0
	for _, f := range Families() {
		c := f.Config()
		text, ok := c.(nn.TextConfig)
		if !ok {
			continue
		}
		size := text.Text()
		size.Vocab = 300
		text.SetText(size)
		m, err := f.New(c, nn.Tuning{Role: "reward"})
		if err != nil {
			t.Fatal(err)
		}
		lm, ok := m.(nn.LanguageModel)
		if !ok {
			continue
		}
		found++
		scored, err := nn.NewScored(lm)
		if err != nil {
			t.Fatal(err)
		}
		head, _, tied := lm.Config().(nn.HeadConfig).Head()
		names := map[string]bool{}
		for _, p := range scored.Params() {
			names[p.State()] = true
		}
		if lost := len(lm.Params()) + 1 - len(scored.Params()); !names["reward.score.weight"] || !tied && (names["reward."+head] || lost != 1) || tied && lost != 0 {
			t.Errorf("%s: %d of %d parameters, tied %t", f.Name, len(scored.Params()), len(lm.Params()), tied)
		}
		json, err := nn.ConfigJSON(scored, nn.SpecialTokens{PAD: -1})
		if err != nil {
			t.Fatal(err)
		}
		spec, err := Families().Parse(json)
		if err != nil || !spec.Scored || spec.Family != f.Name {
			t.Errorf("%s: %+v, %v", f.Name, spec, err)
			continue
		}
		again, err := Families().New(spec, nn.Tuning{})
		if _, ok := again.(*nn.Scored); err != nil || !ok {
			t.Errorf("%s: %T, %v", f.Name, again, err)
		}
		own, err := nn.ConfigJSON(lm, nn.SpecialTokens{PAD: -1})
		if err != nil {
			t.Fatal(err)
		}
		if spec, err := Families().Parse(own); err != nil || spec.Scored {
			t.Errorf("%s: a language model is taken for a scored one, %v", f.Name, err)
		}
	}
	if found < 4 {
		t.Errorf("%d families", found)
	}
}
