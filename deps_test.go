package gotrain_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed lists what each package of the project imports from the project, in
// the manner of go/build/deps_test.go: the arrows of ARCHITECTURE.md. This is policy: a part that
// does not fit is a reason to change the design, not this table alone.
var allowed = map[string][]string{
	"autograd":            {"autograd/ir", "autograd/plan"},
	"autograd/bench":      {"autograd/exec", "autograd/ir", "autograd/plan"},
	"autograd/cpu":        {"autograd/cpu/kernel", "autograd/cpu/vec", "autograd/exec", "autograd/ir", "autograd/plan", "autograd/quant"},
	"autograd/cpu/kernel": {},
	"autograd/cpu/vec":    {},
	"autograd/exec":       {"autograd/ir", "autograd/plan", "autograd/quant"},
	"autograd/ir":         {},
	"autograd/mesh":       {},
	"autograd/optest":     {},
	"autograd/plan":       {"autograd/ir", "autograd/mesh"},
	"autograd/quant":      {"autograd/ir"},

	"cuda":                {},
	"cuda/backend":        {"autograd/exec", "autograd/ir", "autograd/plan", "autograd/quant", "cuda", "cuda/kernels"},
	"cuda/kernels":        {},
	"cuda/kernels/source": {},
	"cuda/sim/simtest":    {},

	"optim": {"autograd", "autograd/ir"},

	"configs":              {},
	"data":                 {"autograd/mesh", "data/hf", "data/mmap"},
	"data/bpe":             {"data/hf"},
	"data/chat":            {"data/chat/jinja"},
	"data/chat/jinja":      {},
	"data/denoise":         {"data"},
	"data/hf":              {"data/onig"},
	"data/instruct":        {"data", "data/chat", "data/chat/jinja", "data/hf"},
	"data/labelled":        {"data"},
	"data/mmap":            {},
	"data/onig":            {},
	"data/pairs":           {"data", "data/instruct", "data/synth"},
	"data/picture":         {"data"},
	"data/prefer":          {"data", "data/chat", "data/instruct"},
	"data/prompts":         {"data"},
	"data/similar":         {},
	"data/spm":             {"data/hf"},
	"data/synth":           {"data/chat"},
	"data/synth/bootstrap": {"data", "data/chat", "data/instruct", "data/similar", "data/vfs"},
	"data/synth/endpoint":  {"data/synth/bootstrap"},
	"data/tokenizers":      {"data", "data/bpe", "data/hf", "data/spm", "data/vfs", "data/wordpiece"},
	"data/vfs":             {},
	"data/vfs/vfstest":     {"data/vfs"},
	"data/wordpiece":       {"data/bpe", "data/hf"},

	"nn":                       {"autograd", "autograd/ir"},
	"nn/bert":                  {"autograd", "nn"},
	"nn/clip":                  {"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "nn"},
	"nn/diffusion":             {},
	"nn/encode":                {"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data", "data/hf", "data/tokenizers", "nn"},
	"nn/gan":                   {"autograd", "autograd/ir", "nn"},
	"nn/gemma3":                {"autograd", "nn"},
	"nn/generate":              {"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "nn"},
	"nn/generate/generatetest": {"autograd", "autograd/cpu", "autograd/exec", "nn"},
	"nn/gpt2":                  {"autograd", "nn"},
	"nn/hub": {
		"autograd", "autograd/exec", "autograd/ir", "data", "data/hf", "data/mmap", "data/tokenizers", "data/vfs", "nn", "nn/hub/bits16",
		"nn/hub/manifest", "nn/hub/peft", "nn/hub/safetensors",
	},
	"nn/hub/bits16": {},
	"nn/hub/convert": {
		"autograd/exec", "autograd/ir", "data", "data/bpe", "data/hf", "data/spm", "data/tokenizers", "data/vfs", "nn", "nn/generate", "nn/hub",
		"nn/hub/gguf", "nn/hub/peft", "nn/hub/safetensors",
	},
	"nn/hub/gguf":        {"data/mmap", "data/vfs", "nn/hub/bits16"},
	"nn/hub/manifest":    {"data/vfs"},
	"nn/hub/peft":        {"data/onig", "data/vfs", "nn", "nn/hub/safetensors"},
	"nn/hub/safetensors": {"data/mmap", "data/vfs", "nn/hub/bits16"},
	"nn/llama":           {"autograd", "autograd/ir", "nn"},
	"nn/lstm":            {"autograd", "autograd/ir", "nn"},
	"nn/nntest":          {"autograd", "autograd/cpu", "autograd/exec", "autograd/ir", "autograd/plan", "nn"},
	"nn/perceiver":       {"autograd", "nn"},
	"nn/pipeline": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data", "data/hf", "data/picture", "data/tokenizers", "data/vfs", "nn",
		"nn/clip", "nn/diffusion", "nn/hub", "nn/hub/manifest", "nn/hub/peft", "nn/hub/safetensors", "nn/unet", "nn/vae", "optim",
	},
	"nn/seq2seq": {"autograd", "autograd/ir", "nn"},
	"nn/talk":    {"data", "data/chat", "data/hf", "data/instruct", "data/synth/bootstrap", "data/tokenizers", "nn/generate"},
	"nn/unet":    {"autograd", "nn"},
	"nn/vae":     {"autograd", "nn"},
	"nn/xl":      {"autograd", "nn"},
	"nn/zoo": {
		"nn", "nn/bert", "nn/clip", "nn/gan", "nn/gemma3", "nn/gpt2", "nn/llama", "nn/lstm", "nn/perceiver", "nn/seq2seq", "nn/unet", "nn/vae",
		"nn/xl",
	},

	"train": {
		"autograd/exec", "autograd/plan", "data", "data/vfs", "nn/hub", "train/checkpoint", "train/config", "train/engine", "train/events",
		"train/metrics", "train/ranks", "train/recipe", "train/save", "train/ways",
	},
	"train/bench": {
		"autograd/bench", "autograd/exec", "autograd/plan", "data", "data/vfs", "nn", "nn/generate", "nn/gpt2", "nn/zoo", "train/config",
		"train/device", "train/engine", "train/events", "train/forecast", "train/ranks", "train/recipe/text", "train/save", "train/ways",
	},
	"train/checkpoint": {"data/vfs", "nn/hub/manifest"},
	"train/config":     {"autograd/ir", "autograd/mesh", "configs", "data", "data/bpe", "data/vfs", "nn", "nn/hub", "optim", "train/shell"},
	"train/console": {
		"data", "data/vfs", "train/checkpoint", "train/config", "train/device", "train/engine", "train/events", "train/forecast",
		"train/metrics", "train/ranks", "train/recipe", "train/save", "train/units",
	},
	"train/device": {"autograd/cpu", "autograd/cpu/kernel", "autograd/exec", "autograd/plan", "cuda", "cuda/backend", "train/units", "train/ways"},
	"train/engine": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/mesh", "autograd/plan", "data", "data/vfs", "nn", "nn/hub/safetensors", "optim",
		"train/config", "train/metrics", "train/ranks", "train/recipe", "train/save", "train/scale",
	},
	"train/eval": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data", "data/chat", "data/denoise", "data/hf", "data/instruct",
		"data/labelled", "data/pairs", "data/tokenizers", "nn", "nn/encode", "nn/generate", "nn/talk", "train/config", "train/engine",
		"train/recipe", "train/recipe/text", "train/units",
	},
	"train/eval/bleu": {},
	"train/events": {
		"autograd/exec", "data", "train/checkpoint", "train/config", "train/engine", "train/metrics", "train/ranks", "train/recipe",
		"train/save",
	},
	"train/forecast": {
		"autograd", "autograd/ir", "autograd/plan", "data/vfs", "nn", "optim", "train/config", "train/device", "train/engine", "train/metrics",
		"train/recipe", "train/runs", "train/scale", "train/ways",
	},
	"train/ladder":          {"data/vfs", "train/config", "train/forecast", "train/metrics", "train/recipe", "train/runs", "train/scale"},
	"train/leaf":            {},
	"train/metrics":         {"data/vfs"},
	"train/ranks":           {"autograd/mesh"},
	"train/ranks/gloo":      {"train/ranks"},
	"train/ranks/join":      {"autograd/exec", "train/device", "train/ranks", "train/ranks/gloo", "train/ranks/mpi", "train/ranks/nccl", "train/ranks/store"},
	"train/ranks/mpi":       {"train/ranks"},
	"train/ranks/nccl":      {"cuda", "train/ranks"},
	"train/ranks/probe":     {"train/device", "train/ranks", "train/ranks/nccl", "train/ranks/store"},
	"train/ranks/rankstest": {"train/ranks"},
	"train/ranks/store":     {"train/ranks"},
	"train/recipe": {
		"autograd", "autograd/exec", "autograd/mesh", "autograd/plan", "data", "data/vfs", "nn", "optim", "train/checkpoint", "train/config",
		"train/ranks",
	},
	"train/recipe/all": {
		"nn/zoo", "train/recipe", "train/recipe/classify", "train/recipe/contrast", "train/recipe/denoise", "train/recipe/diffusion",
		"train/recipe/distill", "train/recipe/gan", "train/recipe/grpo", "train/recipe/instruct", "train/recipe/lm", "train/recipe/mlm",
		"train/recipe/ppo", "train/recipe/prefer", "train/recipe/seq2seq", "train/recipe/vae",
	},
	"train/recipe/classify": {
		"autograd", "data", "data/labelled", "data/tokenizers", "nn", "nn/encode", "nn/hub", "train/config", "train/ranks", "train/recipe",
		"train/recipe/text", "train/shell",
	},
	"train/recipe/contrast": {
		"autograd", "data", "data/hf", "data/picture", "data/tokenizers", "data/vfs", "nn/clip", "train/checkpoint", "train/config",
		"train/ranks", "train/recipe", "train/recipe/pictures",
	},
	"train/recipe/denoise": {
		"data", "data/denoise", "data/pairs", "data/tokenizers", "nn", "nn/generate", "nn/hub", "train/config", "train/recipe",
		"train/recipe/text", "train/shell",
	},
	"train/recipe/diffusion": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data", "data/picture", "data/tokenizers", "nn", "nn/clip", "nn/diffusion",
		"nn/hub", "nn/pipeline", "nn/unet", "nn/vae", "optim", "train/checkpoint", "train/config", "train/ranks", "train/recipe",
		"train/recipe/pictures",
	},
	"train/recipe/distill": {
		"autograd", "autograd/exec", "autograd/plan", "data", "data/instruct", "data/tokenizers", "data/vfs", "nn", "nn/hub", "train/config",
		"train/recipe", "train/recipe/text", "train/shell", "train/units",
	},
	"train/recipe/gan": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data/picture", "nn", "train/config", "train/recipe",
		"train/recipe/pictures",
	},
	"train/recipe/grpo":     {"autograd", "data", "nn", "train/config", "train/recipe", "train/recipe/rollout", "train/recipe/text"},
	"train/recipe/instruct": {"data", "data/instruct", "train/config", "train/recipe", "train/recipe/text", "train/shell"},
	"train/recipe/lm":       {"data", "data/tokenizers", "nn", "train/config", "train/recipe", "train/recipe/text", "train/shell"},
	"train/recipe/mlm": {
		"autograd", "data", "data/tokenizers", "nn", "nn/encode", "nn/hub", "train/config", "train/recipe", "train/recipe/text", "train/shell",
	},
	"train/recipe/pictures": {"autograd", "data", "data/picture", "data/vfs", "nn", "train/checkpoint", "train/config", "train/ranks", "train/recipe"},
	"train/recipe/ppo": {
		"autograd", "data", "nn", "nn/generate", "nn/hub", "train/checkpoint", "train/config", "train/recipe", "train/recipe/rollout",
		"train/recipe/text", "train/shell",
	},
	"train/recipe/prefer": {
		"autograd", "autograd/exec", "autograd/plan", "data", "data/chat", "data/instruct", "data/prefer", "data/vfs", "nn", "nn/hub",
		"train/config", "train/ranks", "train/recipe", "train/recipe/text", "train/shell",
	},
	"train/recipe/rollout": {
		"autograd", "autograd/exec", "autograd/plan", "data", "data/chat", "data/instruct", "data/prompts", "data/tokenizers", "data/vfs", "nn",
		"nn/generate", "nn/hub", "train/config", "train/ranks", "train/recipe", "train/recipe/text", "train/reward", "train/shell",
	},
	"train/recipe/seq2seq": {
		"data", "data/pairs", "nn", "nn/generate", "nn/hub", "train/checkpoint", "train/config", "train/eval/bleu", "train/ranks",
		"train/recipe", "train/recipe/text", "train/shell",
	},
	"train/recipe/text": {
		"autograd", "data", "data/bpe", "data/chat", "data/instruct", "data/pairs", "data/tokenizers", "data/vfs", "data/wordpiece", "nn",
		"nn/generate", "nn/hub", "train/checkpoint", "train/config", "train/ranks", "train/recipe", "train/save",
	},
	"train/recipe/vae": {
		"autograd", "autograd/exec", "autograd/ir", "autograd/plan", "data/picture", "nn", "train/config", "train/recipe",
		"train/recipe/pictures",
	},
	"train/reward": {},
	"train/runs":   {"data/vfs", "train/checkpoint", "train/config", "train/metrics", "train/scale"},
	"train/save": {
		"autograd/exec", "autograd/ir", "autograd/mesh", "autograd/plan", "data/vfs", "nn", "nn/hub", "nn/hub/manifest", "nn/hub/peft",
		"nn/hub/safetensors", "optim", "train/checkpoint", "train/config", "train/metrics", "train/ranks",
	},
	"train/scale": {"data/vfs"},
	"train/shell": {},
	"train/units": {},
	"train/ways":  {"autograd/exec", "data/vfs"},

	"cmd/gotrain": {
		"autograd/bench", "autograd/exec", "autograd/mesh", "data", "data/bpe", "data/chat", "data/instruct", "data/labelled", "data/pairs",
		"data/picture", "data/synth", "data/synth/bootstrap", "data/synth/endpoint", "data/tokenizers", "data/vfs", "nn", "nn/clip",
		"nn/diffusion", "nn/encode", "nn/generate", "nn/hub", "nn/hub/convert", "nn/hub/gguf", "nn/hub/safetensors", "nn/pipeline", "nn/talk",
		"nn/zoo", "train", "train/bench", "train/checkpoint", "train/config", "train/console", "train/device", "train/engine", "train/eval",
		"train/eval/bleu", "train/forecast", "train/ladder", "train/metrics", "train/ranks", "train/ranks/join", "train/ranks/probe",
		"train/ranks/store", "train/recipe", "train/recipe/all", "train/recipe/text", "train/runs", "train/save", "train/scale", "train/shell",
		"train/units", "train/ways",
	},
}

// soleImporter lists libraries that one package alone may import.
var soleImporter = map[string]string{
	"gorgonia.org/gorgonia": "autograd",
	"gorgonia.org/tensor":   "autograd",
	"gorgonia.org/cu":       "cuda",
}

// barred are arrows that the table must never get: a name that ends in /* stands for
// the packages below it. An arrow from a package to itself is none.
var barred = []struct{ from, to, why string }{
	{"train", "train/recipe/*", "the loop runs any job and knows no recipe"},
	{"train/save", "train/recipe/*", "a checkpoint is the same whatever is learnt"},
	{"train/config", "train/recipe/*", "sections are decoded by tables"},
	{"cmd/*", "train/recipe/lm", "only the table knows recipes"},
	{"cmd/*", "train/recipe/instruct", "only the table knows recipes"},
	{"train/recipe/lm", "train/recipe/instruct", "recipes never import each other"},
	{"train/recipe/instruct", "train/recipe/lm", "recipes never import each other"},
	{"nn/gpt2", "nn/llama", "families never import each other"},
	{"nn/llama", "nn/gpt2", "families never import each other"},
	{"optim", "train/*", "an optimizer knows no ranks"},
	{"optim", "autograd/mesh", "an optimizer knows no ranks"},
	{"train/*", "train", "no arrow runs back up inside train"},
	{"nn", "train", "inference does not import the trainer"},
	{"nn/*", "train/*", "inference does not import the trainer"},
	{"nn/*", "train", "inference does not import the trainer"},
	{"data/*", "nn/*", "data knows no models"},
}

func TestBarredArrows(t *testing.T) {
	matches := func(pattern, name string) bool {
		folder, below := strings.CutSuffix(pattern, "/*")
		return below && strings.HasPrefix(name, folder+"/") || name == pattern
	}
	for from, arrows := range allowed {
		for _, to := range arrows {
			for _, b := range barred {
				if matches(b.from, from) && matches(b.to, to) {
					t.Errorf("%s → %s: %s", from, to, b.why)
				}
			}
		}
	}
	all, shared := "train/recipe/all", []string{"train/recipe/pictures", "train/recipe/rollout", "train/recipe/text"}
	for from, arrows := range allowed {
		for _, to := range arrows {
			recipe := strings.HasPrefix(to, "train/recipe/") && to != all && !slices.Contains(shared, to)
			if recipe && from != all {
				t.Errorf("%s imports the recipe %s, which only the table may", from, to)
			}
		}
	}
}

func TestArrows(t *testing.T) {
	for _, tags := range []string{"", "gpu"} {
		t.Run("tags="+tags, func(t *testing.T) { checkArrows(t, tags) })
	}
}

// checkArrows reads the imports of the files that a build with the tags has.
// With cgo switched on, go list reads the files that use it too; it compiles
// none, so neither a C compiler nor cuda.h is needed.
func checkArrows(t *testing.T, tags string) {
	list := exec.Command("go", "list", "-tags="+tags, "-json=ImportPath,Imports", "./...")
	list.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	path, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	module := strings.TrimSpace(string(path))
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for decoder.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages++
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		if strings.HasPrefix(from, "scripts/") || from == "cmd/gpucheck" || from == module {
			continue
		}
		rules, known := allowed[from]
		if !known {
			t.Errorf("package %s is not in the table of arrows", from)
			continue
		}
		for _, to := range p.Imports {
			if only, ok := soleImporter[to]; ok && only != from {
				t.Errorf("%s imports %s, which only %s may", from, to, only)
			}
			if local, ok := strings.CutPrefix(to, module+"/"); ok && !slices.Contains(rules, local) {
				t.Errorf("%s → %s is not an allowed arrow", from, local)
			}
		}
	}
	if packages < 10 {
		t.Errorf("go list found only %d packages", packages)
	}
}
