package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/shell"
)

// LoadFinetune is LoadConfig for a run that begins from a base: base, a
// checkpoint or a run, or the configuration's own if base is empty. The model
// section is the base's config.json and the tokenizer the base's, and where an
// adapter is named the lora section is the adapter's; a file that says otherwise is
// an error, apart from model.dropout and lora.dropout, which are no part of what
// was trained, and from keys that the family lets differ (nn.Extending), such as the
// context. An adapter to a model that differs from its base is saved merged, since who
// loads one alone takes the base as it is. Errors about the base wrap hub.ErrNoModel.
func LoadFinetune(file string, assignments []string, base string, t Tables) (Config, error) {
	asWritten := Default(t)
	asWritten.Model = Section{} // of which family is not known yet
	if err := asWritten.read(file, assignments, t); err != nil {
		return asWritten, err
	}
	if base == "" {
		base = asWritten.Base
	}
	if base == "" {
		return asWritten, fmt.Errorf("%s: %w: name the model to begin from with --base DIR, or in the configuration as base", file, hub.ErrNoModel)
	}
	cfg := Default(t)
	dir, model, err := openBase(base, asWritten.Recipe.Name(), t)
	if err != nil {
		return cfg, err
	}
	if err := cfg.Model.Set(model.Family, model.Config); err != nil {
		return cfg, err
	}
	was := cfg.Model
	cfg.Tokenizer = TokenizerConfig{Path: dir}
	var params []nn.Param
	if asWritten.Adapter != "" {
		if asWritten.Adapter, cfg.LoRA, params, err = readAdapter(asWritten.Adapter, dir, model, t.Families); err != nil {
			return cfg, err
		}
	}
	lora := cfg.LoRA
	if err := cfg.read(file, assignments, t); err != nil {
		return cfg, err
	}
	cfg.Base, cfg.Adapter = dir, asWritten.Adapter
	faults := []error{conflicts(was, &cfg.Model, cfg.Tokenizer.Grows()), tokenizerConflict(cfg.Tokenizer, dir)}
	if cfg.Adapter != "" {
		faults = append(faults, adapterConflicts(lora, cfg.LoRA, params))
	}
	if err := errors.Join(faults...); err != nil {
		return cfg, fmt.Errorf("%s:\n%w", file, err)
	}
	if cfg.LoRA.Rank > 0 && len(cfg.Extends(model)) > 0 {
		cfg.LoRA.Merge = true
	}
	return cfg, cfg.check(file, t)
}

// FindBase returns the checkpoint that path names as the base of a run with a recipe, an
// absolute path.
func FindBase(path, recipe string, t Tables) (string, error) {
	dir, _, err := openBase(path, recipe, t)
	return dir, err
}

// openBase finds the checkpoint that path names for a recipe and reads its model section.
func openBase(path, recipe string, t Tables) (dir string, model nn.Spec, err error) {
	for _, r := range t.Recipes {
		if r.Name == recipe && r.Base != nil {
			if dir, model, err = r.Base(path); err != nil {
				return "", model, fmt.Errorf("base: %w", err)
			}
			dir, err = filepath.Abs(dir)
			return dir, model, err
		}
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return "", model, fmt.Errorf("base: %w: %s is a file; turn it into a checkpoint with %s DIR and name DIR", hub.ErrNoModel, path, shell.Command("gotrain", "import", path))
	}
	if dir, err = hub.FindCheckpoint(path); err != nil {
		return "", model, fmt.Errorf("base: %w; gotrain import turns a Hugging Face directory or a GGUF file into a checkpoint", err)
	}
	if hub.IsAdapter(dir) {
		return "", model, fmt.Errorf("base: %w: %s is an adapter: name the model that it was trained on, and the adapter with --adapter, to go on with it; or merge both with %s DIR and name DIR",
			hub.ErrNoModel, path, shell.Command("gotrain", "export", path))
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", model, err
	}
	d, err := hub.Describe(dir, t.Families)
	if err != nil {
		return "", model, fmt.Errorf("base: %w", err)
	}
	return dir, d.Spec, nil
}

// readAdapter finds the adapter that path names and reads its lora section.
func readAdapter(path, base string, model nn.Spec, families nn.Families) (dir string, lora nn.Adapter, params []nn.Param, err error) {
	if dir, err = hub.FindAdapter(path); err != nil {
		return "", lora, nil, fmt.Errorf("adapter: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", lora, nil, err
	}
	m, err := families.New(model, nn.Tuning{})
	if err != nil {
		return "", lora, nil, fmt.Errorf("base: %s: %w", base, err)
	}
	a, lora, err := hub.OpenAdapter(vfs.OS{}, dir, base, m.Params())
	if err != nil {
		return "", lora, nil, fmt.Errorf("adapter: %w", err)
	}
	return dir, lora, m.Params(), a.Close()
}

// adapterConflicts names the keys of a lora section that differ from the adapter's.
func adapterConflicts(adapter, now nn.Adapter, params []nn.Param) error {
	var errs []error
	check := func(same bool, key string, is, was any) {
		if !same {
			errs = append(errs, fmt.Errorf("lora.%s is %v, but the adapter has %v: leave it out, or use --set %s", key, is, was, shell.Quote(fmt.Sprintf("lora.%s=%v", key, was))))
		}
	}
	now = now.WithDefaults()
	check(now.Rank == adapter.Rank, "rank", now.Rank, adapter.Rank)
	if now.Rank == 0 {
		return errors.Join(errs...)
	}
	check(now.Alpha == adapter.Alpha, "alpha", now.Alpha, adapter.Alpha)
	check(now.RSLoRA == adapter.RSLoRA, "rslora", now.RSLoRA, adapter.RSLoRA)
	check(now.DoRA == adapter.DoRA, "dora", now.DoRA, adapter.DoRA)
	if now.Rank == adapter.Rank && now.Alpha == adapter.Alpha {
		linears := nn.Linears(params)
		check(!slices.ContainsFunc(linears, func(p nn.Param) bool { return now.RankOf(p.Layer()) != adapter.RankOf(p.Layer()) }), "ranks", listText(now.Ranks), listText(adapter.Ranks))
		check(!slices.ContainsFunc(linears, func(p nn.Param) bool { return now.AlphaOf(p.Layer()) != adapter.AlphaOf(p.Layer()) }), "alphas", listText(now.Alphas), listText(adapter.Alphas))
	}
	targets := nn.TargetsOf(now.Adapted(params), params)
	check(slices.Equal(targets, adapter.Targets), "targets", listText(now.Targets), listText(adapter.Targets))
	return errors.Join(errs...)
}

// listText writes names as a configuration does.
func listText(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

func tokenizerConflict(now TokenizerConfig, dir string) error {
	now.AddSpecialTokens, now.PadToMultipleOf = nil, 0
	if reflect.DeepEqual(now, TokenizerConfig{Path: dir}) {
		return nil
	}
	return errors.New("tokenizer: fine-tuning keeps the tokenizer of the base: leave all keys out but add_special_tokens and pad_to_multiple_of")
}
