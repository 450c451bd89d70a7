package convert

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// nameBase has an adapter name its base.
func nameBase(t *testing.T, adapter, base string) {
	t.Helper()
	file := filepath.Join(adapter, peft.ConfigFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	keys["base_model_name_or_path"] = base
	if text, err = json.Marshal(keys); err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
}

// toBF16 rounds to the nearest, ties to even.
func toBF16(x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}

// TestAdapterIsMergedIntoItsBase: the source is an adapter that names its base. What
// comes out are the sums in float32, rounded once to the type of the base; what the
// adapter does not change is the base's to the bit.
func TestAdapterIsMergedIntoItsBase(t *testing.T) {
	for _, name := range []string{"gpt2", "llama"} {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		m := newModel(t, models()[name])
		writeModel(t, at("wide"), m, randomTensors(m), testTokenizer(t, bpe.GPT4, true))
		bf16 := gguf.BF16
		if _, err := Convert(t.Context(), at("wide"), at("base"), Options{Format: HuggingFace, Type: &bf16}, testDeps()); err != nil {
			t.Fatal(err)
		}
		writeAdapter(t, at("adapter"), m)
		nameBase(t, at("adapter"), "../base") // of no working directory
		write(t, filepath.Join(at("adapter"), hub.GenerationFile), `{"eos_token_id": 7}`)

		_, want := values(t, at("base"))
		a, err := peft.Open(vfs.OS{}, at("adapter"))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if _, err := a.Fit(m.Params()); err != nil {
			t.Fatal(err)
		}
		changed := 0
		for _, p := range m.Params() {
			if d, err := a.Delta(p, nil); err != nil {
				t.Fatal(err)
			} else if d != nil {
				changed++
				d.Merge(want[p.Name], 0)
				for i, x := range want[p.Name] {
					want[p.Name][i] = toBF16(x)
				}
			}
		}
		for _, to := range []string{"merged", "merged.gguf"} {
			opt := Options{Format: HuggingFace, Verify: true}
			if strings.HasSuffix(to, ".gguf") {
				opt.Format = GGUF
			}
			r, err := Convert(t.Context(), at("adapter"), at(to), opt, testDeps())
			if err != nil {
				t.Fatal(err)
			}
			if r.Adapter != at("adapter") || r.Base == "" || r.Rank != 4 || r.Changed != changed || r.Types["BF16"] == 0 || r.Types["F32"] > 0 && opt.Format == HuggingFace {
				t.Errorf("%s: %+v", to, r)
			}
			if text := r.AdapterText(); !strings.HasPrefix(text, "with the adapter "+at("adapter")+" of rank 4 merged into ") {
				t.Error(text)
			}
			_, got := values(t, at(to))
			for _, p := range m.Params() {
				if !slices.Equal(got[p.Name], want[p.Name]) {
					t.Errorf("%s %s: %s is not the sum rounded once", name, to, p.Name)
				}
			}
		}
		if text, err := os.ReadFile(filepath.Join(at("merged"), hub.GenerationFile)); err != nil || !strings.Contains(string(text), "7") {
			t.Errorf("the tokens that end a text are not the adapter's: %s, %v", text, err)
		}
	}
}

// TestAdapterAsSourceRefuses: what makes no sense of an adapter, and a base that is not
// there or is another.
func TestAdapterAsSourceRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	m := newModel(t, models()["llama"])
	writeModel(t, at("base"), m, randomTensors(m), testTokenizer(t, bpe.GPT4, true))
	writeAdapter(t, at("adapter"), m)
	refused := func(opt Options, want string) {
		t.Helper()
		opt.Format = HuggingFace
		if _, err := Convert(t.Context(), at("adapter"), at("out"), opt, testDeps()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", opt, err, want)
		}
	}
	refused(Options{}, "does not tell to which model")
	nameBase(t, at("adapter"), at("gone"))
	refused(Options{}, "is an adapter to "+at("gone")+", and there is no such directory")
	writeAdapter(t, at("under"), m)
	nameBase(t, at("adapter"), at("under"))
	refused(Options{}, "is an adapter too: merge that first")
	nameBase(t, at("adapter"), at("base"))
	refused(Options{Unmerge: true}, "there is nothing to take out: the base is "+at("base"))
	refused(Options{Adapter: at("adapter")}, "is an adapter itself, to "+at("base"))

	// One that tells of which weights it is.
	f, err := safetensors.Open(filepath.Join(at("adapter"), peft.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Mkdir(at("traced"), 0o777); err != nil {
		t.Fatal(err)
	}
	trace := func(sum string, stored nn.Storage) {
		t.Helper()
		out, err := os.Create(filepath.Join(at("traced"), peft.WeightsFile))
		if err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile(filepath.Join(at("adapter"), peft.ConfigFile))
		if err := errors.Join(err, safetensors.Write(out, f.Tensors(), peft.Metadata(sum, stored)), out.Close()); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(at("traced"), peft.ConfigFile), string(config))
	}
	sum, err := hub.Fingerprint(at("base"))
	if err != nil {
		t.Fatal(err)
	}
	trace(sum.String(), nn.NF4)
	if r, err := Convert(t.Context(), at("traced"), at("merged"), Options{Format: HuggingFace}, testDeps()); err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "trained on weights in nf4") {
		t.Errorf("merged into other weights than it was trained on: %q, %v", r.Notes, err)
	}
	f32 := gguf.F32
	differences := map[nn.Storage]float64{}
	for _, stored := range []nn.Storage{nn.Float32, nn.BFloat16, nn.NF4} {
		trace(sum.String(), stored)
		r, err := Convert(t.Context(), at("traced"), at("certified-"+string(stored)), Options{Format: HuggingFace, Type: &f32, Verify: true}, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Parity.Trained; (c == nil) != (stored == nn.Float32) {
			t.Errorf("trained in %s: %+v", stored, c)
		} else if c != nil {
			differences[c.Base] = c.LargestDifference
		}
	}
	if few, many := differences[nn.NF4], differences[nn.BFloat16]; !(few > 4*many) || few > 10 {
		t.Errorf("the result is as far from what was trained in 4 bits as in 16: %g and %g", few, many)
	}
	trace(sum.String(), nn.NF4)
	if _, err := ExportAdapter(t.Context(), at("traced"), at("alone"), Options{}, testDeps()); err != nil {
		t.Fatal(err)
	}
	a, err := peft.Open(vfs.OS{}, at("alone"))
	if err != nil || a.Trained != sum.String() || a.Stored != nn.NF4 {
		t.Errorf("exported alone it is of %q in %q, %v, want %s in nf4", a.Trained, a.Stored, err, sum)
	}
	a.Close()
	trace("0123456789abcdef", "")
	if _, err := Convert(t.Context(), at("traced"), at("other"), Options{Format: HuggingFace}, testDeps()); !errors.Is(err, hub.ErrOtherBase) {
		t.Errorf("other weights: %v", err)
	}
	r, err := Convert(t.Context(), at("base"), at("named"), Options{Format: HuggingFace, Adapter: at("traced")}, testDeps())
	if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "has other weights than the adapter was trained on") {
		t.Errorf("other weights that are named: %q, %v", r.Notes, err)
	}
}
