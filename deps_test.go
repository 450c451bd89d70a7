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
// the manner of go/build/deps_test.go: the arrows of ARCHITECTURE.md. This is policy: a part that does
// not fit is a reason to change the design, not this table alone.
var allowed = map[string][]string{
	"autograd/mesh":       {},
	"autograd/ir":         {},
	"autograd/plan":       {"autograd/ir", "autograd/mesh"},
	"autograd/exec":       {"autograd/ir", "autograd/plan"},
	"autograd":            {"autograd/ir", "autograd/plan", "autograd/exec"},
	"autograd/cpu/kernel": {},
	"autograd/cpu/vec":    {},
	"autograd/cpu":        {"autograd/ir", "autograd/plan", "autograd/exec", "autograd/cpu/kernel", "autograd/cpu/vec"},
	"autograd/optest":     {"autograd", "autograd/ir", "autograd/plan", "autograd/exec", "autograd/cpu", "cuda/backend"},

	"cuda":                {},
	"cuda/kernels":        {},
	"cuda/kernels/source": {},
	"cuda/sim/simtest":    {},
	"cuda/backend":        {"cuda", "cuda/kernels", "autograd/ir", "autograd/plan", "autograd/exec"},

	"train/ranks":           {},
	"train/ranks/store":     {"train/ranks"},
	"train/ranks/rankstest": {"train/ranks"},
	"train/ranks/gloo":      {"train/ranks"},
	"train/ranks/mpi":       {"train/ranks"},
	"train/ranks/nccl":      {"train/ranks", "cuda"},

	"data/onig": {},
	"data/hf":   {"data/onig"},
	"data/bpe":  {"data/hf"},
	"data/spm":  {"data/hf"},
	"data":      {"data/hf", "data/bpe", "autograd/mesh"},

	"data/tokenizers": {"data", "data/bpe", "data/hf", "data/spm", "data/vfs"},

	"data/chat":       {"data/chat/jinja"},
	"data/chat/jinja": {},
	"data/instruct":   {"data", "data/chat", "data/chat/jinja"},

	"nn":          {"autograd", "autograd/ir"},
	"nn/gpt2":     {"nn", "autograd", "autograd/ir"},
	"nn/llama":    {"nn", "autograd", "autograd/ir"},
	"nn/zoo":      {"nn", "nn/gpt2", "nn/llama"},
	"nn/generate": {"nn", "autograd", "autograd/ir", "autograd/plan", "autograd/exec"},

	"optim": {"autograd", "autograd/ir"},

	"data/vfs":           {},
	"data/vfs/vfstest":   {"data/vfs"},
	"data/mmap":          {},
	"nn/hub/safetensors": {"data/mmap", "data/vfs"},
	"nn/hub/gguf":        {"data/mmap", "data/vfs"},
	"nn/hub/peft":        {"nn", "nn/hub/safetensors", "data/vfs"},
	"nn/hub/manifest":    {"data/vfs"},
	"nn/hub": {"nn", "nn/hub/manifest", "nn/hub/peft", "nn/hub/safetensors", "autograd", "autograd/exec", "autograd/ir",
		"data", "data/hf", "data/tokenizers", "data/vfs"},
	"train/checkpoint": {"data/vfs", "nn/hub/manifest"},
	"train/metrics":    {"data/vfs"},
	"train/config":     {},
	"nn/hub/convert": {"nn", "nn/generate", "autograd/exec", "autograd/ir", "data", "data/bpe", "data/hf", "data/spm", "data/tokenizers",
		"nn/hub", "nn/hub/gguf", "nn/hub/peft", "nn/hub/safetensors", "data/vfs"},
	"train": {"train/ranks", "nn", "nn/generate", "nn/hub", "nn/hub/manifest", "optim", "data", "data/bpe", "data/chat", "data/instruct", "data/tokenizers", "autograd", "autograd/ir", "autograd/plan", "autograd/exec",
		"data/vfs", "nn/hub/safetensors", "nn/hub/peft", "train/checkpoint", "train/metrics", "train/config", "autograd/mesh"},

	"autograd/bench":    {"autograd/exec", "autograd/ir", "autograd/plan"},
	"train/bench":       {"autograd/bench", "autograd/exec", "autograd/ir", "data", "nn", "nn/generate", "nn/gpt2", "nn/zoo", "train", "train/device", "train/forecast"},
	"data/synth":        {"data/chat"},
	"nn/talk":           {"data", "data/chat", "data/hf", "data/instruct", "nn/generate"},
	"train/eval":        {"data/tokenizers", "train", "train/config", "nn", "nn/generate", "nn/talk", "data", "data/chat", "autograd/exec", "autograd/ir"},
	"train/units":       {},
	"train/device":      {"autograd/bench", "autograd/cpu", "autograd/cpu/kernel", "autograd/exec", "autograd/plan", "cuda", "cuda/backend", "train/units"},
	"train/forecast":    {"data/tokenizers", "train", "train/device", "autograd/plan", "nn", "optim"},
	"train/console":     {"train", "train/checkpoint", "train/device", "train/forecast", "train/metrics", "train/units", "data"},
	"train/ranks/join":  {"train", "train/device", "train/ranks", "train/ranks/gloo", "train/ranks/mpi", "train/ranks/nccl", "train/ranks/store", "autograd/exec"},
	"train/ranks/probe": {"train/device", "train/ranks", "train/ranks/nccl", "train/ranks/store"},

	"cmd/gotrain": {"train", "train/bench", "train/checkpoint", "train/config", "train/console", "train/device", "train/eval", "train/forecast", "train/units",
		"train/ranks", "train/ranks/join", "train/ranks/probe", "train/ranks/store",
		"nn", "nn/generate", "nn/talk", "nn/zoo", "nn/hub", "nn/hub/convert", "nn/hub/gguf", "nn/hub/safetensors",
		"data", "data/bpe", "data/chat", "data/instruct", "data/synth", "data/tokenizers", "data/vfs",
		"autograd/bench", "autograd/exec", "autograd/mesh"},
}

// soleImporter lists libraries that one package alone may import.
var soleImporter = map[string]string{
	"gorgonia.org/gorgonia": "autograd",
	"gorgonia.org/tensor":   "autograd",
	"gorgonia.org/cu":       "cuda",
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
		from := strings.TrimPrefix(p.ImportPath, "gotrain/")
		if strings.HasPrefix(from, "scripts/") || from == "cmd/gpucheck" || from == "gotrain" {
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
			if local, ok := strings.CutPrefix(to, "gotrain/"); ok && !slices.Contains(rules, local) {
				t.Errorf("%s → %s is not an allowed arrow", from, local)
			}
		}
	}
	if packages < 10 {
		t.Errorf("go list found only %d packages", packages)
	}
}
