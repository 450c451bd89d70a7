package train

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/eval"
)

// rewardModel trains a small reward model, which has another tokenizer than the bases of
// tinyConfig, and returns its checkpoint.
func rewardModel(t *testing.T) string {
	t.Helper()
	r := mustTrain(t, preferConfig(t, "recipe.kind=reward", "train.steps=3", "train.save_every=0", "train.eval_every=0"), deps(t, 2))
	return r.Checkpoint
}

// scored is a text of samples.jsonl.
type scored struct {
	Prompt, Answer string
	Reward         float64
	Ended          bool
	Tokens         []int32
	First          int `json:"prompt_tokens"`
}

func scoredOf(t *testing.T, dir string) (all []scored) {
	t.Helper()
	for line := range strings.Lines(string(samplesOf(t, dir))) {
		var s scored
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestRewardModelAsReward: a reward model judges answers as gotrain score does, beside rules and
// with its weight, and one that has diverged is named.
func TestRewardModelAsReward(t *testing.T) {
	dir := rewardModel(t)
	cfg := rolloutConfig(t, "kind: grpo, samples: 4, rewards: [{kind: model, model: "+dir+", weight: -3}, {kind: length, most: 4, weight: 0.5}]")
	cfg.Train.Steps = 2
	mustTrain(t, cfg, deps(t, 2))

	m, err := hub.Load(dir, "", backend(t, 1), vfs.OS{}, zoo.Families())
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse("template", m.Roles.ChatTemplate)
	if err != nil {
		t.Fatal(err)
	}
	model, ok := m.Model.(*nn.Scored)
	if !ok {
		t.Fatalf("%s is a %T", dir, m.Model)
	}
	r := eval.Rewarder{Model: model, Store: m.Store, Encoder: instruct.NewEncoder(m.Tokenizer, template, instruct.Variables(m.Roles, time.Now()))}
	words, err := tokenizers.Open(cfg.Base)
	if err != nil {
		t.Fatal(err)
	}
	texts := scoredOf(t, cfg.Run.Dir)
	if len(texts) != 16 {
		t.Fatalf("%d texts", len(texts))
	}
	different := map[float64]bool{}
	for _, s := range texts {
		answer := s.Tokens[s.First:]
		if s.Ended {
			answer = answer[:len(answer)-1]
		}
		s.Answer = string(words.Tokenizer.AppendDecode(nil, answer)) // JSON does not hold all bytes
		judged, err := r.Reward(eval.Question{Prompt: s.Prompt, Completion: s.Answer})
		if err != nil {
			t.Fatal(err)
		}
		want := -3 * judged.Reward
		if utf8.RuneCountInString(s.Answer) <= 4 {
			want += 0.5
		}
		if math.Abs(s.Reward-want) > 1e-5 {
			t.Errorf("%q after %q has the reward %g, want %g", s.Answer, s.Prompt, s.Reward, want)
		}
		different[judged.Reward] = true
	}
	if len(different) < 8 {
		t.Errorf("%d different rewards of %d texts", len(different), len(texts))
	}

	// The score's weights are made NaN in the file.
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(broken, "model.safetensors")
	content, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	score := string(tensors(t, weights)["score.weight"])
	at := strings.Index(string(content), score)
	for i := at; i < at+len(score); i++ {
		content[i] = 0xff
	}
	if err := os.WriteFile(weights, content, 0o666); err != nil {
		t.Fatal(err)
	}
	cfg.Run.Dir += "-broken"
	for i, want := range []string{"use another checkpoint", "the reward is NaN, says the reward model " + broken} {
		cfg := rolloutFrom(t, cfg.Base, "kind: grpo, samples: 4, rewards: [{kind: model, model: "+broken+"}]")
		if _, err := Train(context.Background(), cfg, deps(t, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a reward model that is damaged, %d: %v, want %q", i, err, want)
		}
		if err := os.Remove(filepath.Join(broken, "manifest.json")); err != nil && i == 0 {
			t.Fatal(err)
		}
	}
	for named, want := range map[string]string{cfg.Base: "is no reward model", t.TempDir(): "model"} {
		cfg := rolloutFrom(t, cfg.Base, "kind: grpo, samples: 4, rewards: [{kind: model, model: "+named+"}]")
		if _, err := Train(context.Background(), cfg, deps(t, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s as a reward model: %v, want %q", named, err, want)
		}
	}
}
