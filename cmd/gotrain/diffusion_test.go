package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDiffusion trains an autoencoder and a denoiser of its latents, draws, goes on from a
// checkpoint to the same bits, and exports what diffusers loads, which draws the same.
func TestDiffusion(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	vae := write(t, in("vae.yaml"), strings.ReplaceAll(`
run: {dir: DIR/vae}
recipe: {kind: vae, shown: 0}
model: {family: vae, widths: [4, 8], latent: 2}
data: {format: pictures, shapes: 40, size: 8, validation: 0.2}
train: {steps: 1, batch: 2}
`, "DIR", dir))
	config := write(t, in("c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
recipe: {kind: diffusion, vae: DIR/vae, text: {layers: 1, heads: 2, width: 8}, shown: 3, steps: 2, offset: 0.1}
model: {family: unet, widths: [4, 8], layers: 1, heads: [2]}
data: {format: pictures, shapes: 40, size: 8, validation: 0.2}
train: {steps: 4, batch: 2, accumulate: 2, eval_every: 2, save_every: 2}
optimizer: {ema: 0.5}
`, "DIR", dir))
	must(t, "pretrain", "--config", vae, "--device", "cpu")
	if o := gotrain(t, "", "pretrain", "--config", config, "--device", "cpu"); o.code != 0 || !strings.Contains(o.out+o.errOut, "drawn-00000004.png") || !strings.Contains(o.out+o.errOut, "shapes_right") {
		t.Fatal(o.out, o.errOut)
	}
	last := in("run/checkpoints/step-00000004")
	weights := func() string {
		t.Helper()
		var all []string
		for _, name := range []string{"unet/model.safetensors", "text_encoder/model.safetensors", "vae/model.safetensors", "optimizer.safetensors"} {
			all = append(all, string(read(t, filepath.Join(last, name))))
		}
		return strings.Join(all, "")
	}
	want := weights()
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if o := gotrain(t, "", "resume", in("run"), "--device", "cpu"); o.code != 0 || weights() != want {
		t.Errorf("from step 2 on the weights are others: %s", o.errOut)
	}
	draw := func(model, out string, args ...string) image.Image {
		t.Helper()
		must(t, append([]string{"sample", "--model", model, "--prompt", "red circle", "--out", in(out), "--steps", "3", "--device", "cpu"}, args...)...)
		p, err := png.Decode(bytes.NewReader(read(t, in(out))))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if b := draw(in("run"), "a.png").Bounds(); b.Dx() != 8 || b.Dy() != 8 {
		t.Error(b)
	}
	must(t, "export", in("run"), in("exported"))
	draw(in("exported"), "b.png")
	if !bytes.Equal(read(t, in("a.png")), read(t, in("b.png"))) {
		t.Error("what is exported draws another picture")
	}
	if draw(in("run"), "c.png", "--average=false"); bytes.Equal(read(t, in("a.png")), read(t, in("c.png"))) {
		t.Error("the parameters draw what their averages do")
	}
	if b := draw(in("run"), "d.png", "--count", "2", "--strip", "--image", in("a.png"), "--mask", in("c.png"), "--strength", "0.7", "--sampler", "heun", "--negative", "blue").Bounds(); b.Dx() != 3*9-1 || b.Dy() != 17 {
		t.Errorf("the strip has %v", b)
	}
	for _, c := range []struct {
		args  []string
		fault string
	}{
		{[]string{"sample", "--prompt", "a"}, "--out is missing"},
		{[]string{"sample", "--prompt", "a", "--out", in("x.png"), "--top-k", "3"}, "--top-k is for models that write texts"},
		{[]string{"sample", "--prompt", "a", "--out", in("x.png"), "--strength", "0.5"}, "go with --image"},
		{[]string{"sample", "--prompt", "a", "--out", in("x.png"), "--sampler", "plms"}, "sampler is"},
		{[]string{"sample", "--prompt", "a", "--out", in("x.png"), "--image", in("none.png")}, "none.png"},
	} {
		if o := gotrain(t, "", append(c.args, "--model", in("run"), "--device", "cpu")...); o.code != 2 || !strings.Contains(o.errOut, c.fault) {
			t.Errorf("%v: status %d, %s", c.args, o.code, o.errOut)
		}
	}
	testControl(t, dir)
	testLoRA(t, dir)
	testJudged(t, dir)
	if o := gotrain(t, "", "data", "inspect", "--config", config, "--out", in("sheet.png")); o.code != 0 || !strings.Contains(o.out, "held out, 0 damaged files") {
		t.Errorf("inspect: %d %s %s", o.code, o.out, o.errOut)
	}
	bernoulli(t, dir, vae, config)
	if o := gotrain(t, "", "export", in("run"), in("x"), "--format", "gguf"); o.code != 2 {
		t.Errorf("it is exported as gguf: %s", o.errOut)
	}
	if o := gotrain(t, "", "sample", "--model", in("vae"), "--prompt", "a", "--out", "x.png"); o.code != 2 || !strings.Contains(o.errOut, "--prompt is for models that take a prompt") {
		t.Errorf("status %d, %s", o.code, o.errOut)
	}
}

// bernoulli trains the same with an autoencoder that gives logits: the checkpoint says so, and
// no program of diffusers would read them.
func bernoulli(t *testing.T, dir, vae, config string) {
	t.Helper()
	run := filepath.Join(dir, "logits")
	must(t, "pretrain", "--config", vae, "--device", "cpu", "--set", "recipe.likelihood=bernoulli", "--run", run+"-vae")
	must(t, "pretrain", "--config", config, "--device", "cpu", "--set", "recipe.vae="+run+"-vae", "--set", "recipe.shown=0", "--set", "train.steps=2", "--run", run)
	for _, name := range []string{"-vae/checkpoints/latest/config.json", "/checkpoints/latest/vae/config.json"} {
		if text := read(t, run+name); !bytes.Contains(text, []byte(`output": "logits"`)) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if o := gotrain(t, "", "export", run, run+"-exported"); o.code == 0 || !strings.Contains(o.errOut, "gives logits") {
		t.Errorf("status %d, %s", o.code, o.errOut)
	}
}

// testControl has a ControlNet learn beside what TestDiffusion has exported: the base keeps its
// bits, the run goes on to the same bits, and draws under a condition alone.
func testControl(t *testing.T, dir string) {
	in := func(name string) string { return filepath.Join(dir, name) }
	o := gotrain(t, "", "finetune", "--config", "finetune-control", "--base", in("exported"), "--run", in("control"), "--device", "cpu", "--set", "data.shapes=40", "--set", "data.size=8",
		"--set", "data.validation=0.2", "--set", "train.steps=2", "--set", "train.batch=2", "--set", "train.save_every=1", "--set", "recipe.steps=2", "--set", "recipe.shown=4", "--set", "recipe.control.widths=[4, 4]")
	if o.code != 0 || !strings.Contains(o.out+o.errOut, "contour_iou_shuffled") {
		t.Fatal(o.out, o.errOut)
	}
	last := in("control/checkpoints/step-00000002")
	learnt := func() string {
		return string(read(t, last+"/controlnet/model.safetensors")) + string(read(t, last+"/optimizer.safetensors"))
	}
	want := learnt()
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if o := gotrain(t, "", "resume", in("control"), "--device", "cpu"); o.code != 0 || learnt() != want {
		t.Errorf("from step 1 on the weights are others: %s", o.errOut)
	}
	must(t, "export", in("control"), in("controlled"))
	for _, role := range []string{"unet", "vae"} {
		if weights := "/" + role + "/diffusion_pytorch_model.safetensors"; !bytes.Equal(read(t, in("exported")+weights), read(t, in("controlled")+weights)) {
			t.Errorf("the %s of the base has changed", role)
		}
	}
	if index := string(read(t, in("controlled/model_index.json"))); !strings.Contains(index, "StableDiffusionControlNetPipeline") {
		t.Error(index)
	}
	draw := []string{"sample", "--model", in("controlled"), "--prompt", "red circle", "--steps", "2", "--device", "cpu", "--out", in("under.png")}
	must(t, append(draw, "--control", in("a.png"), "--contours", "--control-strength", "0.5", "--count", "2")...)
	if o := gotrain(t, "", draw...); o.code != 2 || !strings.Contains(o.errOut, "--control is missing") {
		t.Errorf("without a condition: status %d, %s", o.code, o.errOut)
	}
	if o := gotrain(t, "", append(draw, "--contours")...); o.code != 2 || !strings.Contains(o.errOut, "go with --control") {
		t.Errorf("status %d, %s", o.code, o.errOut)
	}
	if o := gotrain(t, "", append(draw, "--model", in("run"), "--control", in("a.png"))...); o.code != 2 || !strings.Contains(o.errOut, "a ControlNet, which gotrain finetune trains") {
		t.Errorf("status %d, %s", o.code, o.errOut)
	}
}

// testLoRA trains adapters to what TestDiffusion has exported, beside pictures of a prior: the run
// goes on to the same bits, and they draw the same from a checkpoint, diffusers' and kohya's files.
func testLoRA(t *testing.T, dir string) {
	in := func(name string) string { return filepath.Join(dir, name) }
	finetune := []string{"finetune", "--config", "finetune-picture-lora", "--base", in("exported"), "--run", in("lora"), "--device", "cpu"}
	for _, set := range []string{"recipe.shown=0", "recipe.prior={train: [" + in("a.png") + ", " + in("c.png") + "], caption: a circle, weight: 0.5}", "data.shapes=10", "data.size=8", "data.validation=0.2",
		"lora={rank: 2, alpha: 3}", "train.steps=2", "train.batch=2", "train.save_every=1", "optimizer.lr=0.05", "optimizer.warmup=0"} {
		finetune = append(finetune, "--set", set)
	}
	must(t, finetune...)
	last := in("lora/checkpoints/step-00000002")
	learnt := func() (all string) {
		for _, name := range []string{"unet/adapter_model.safetensors", "text_encoder/adapter_model.safetensors", "optimizer.safetensors"} {
			all += string(read(t, filepath.Join(last, name)))
		}
		return all
	}
	want := learnt()
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if o := gotrain(t, "", "resume", in("lora"), "--device", "cpu"); o.code != 0 || learnt() != want {
		t.Errorf("from step 1 on the weights are others: %s", o.errOut)
	}
	if exists(filepath.Join(last, "unet/model.safetensors")) {
		t.Error("a checkpoint of adapters has the weights of the base")
	}
	must(t, "export", in("lora"), in("alone"), "--format", "lora")
	must(t, "export", in("lora"), in("kohya.safetensors"), "--format", "kohya")
	must(t, "export", in("lora"), in("merged"))
	drawn := func(args ...string) string {
		t.Helper()
		must(t, append([]string{"sample", "--prompt", "red circle", "--steps", "2", "--device", "cpu", "--out", in("l.png")}, args...)...)
		return string(read(t, in("l.png")))
	}
	picture := drawn("--model", in("lora"))
	if drawn("--model", in("exported")) == picture {
		t.Error("adapters change nothing")
	}
	for _, file := range []string{"alone", "kohya.safetensors"} {
		if drawn("--model", in("exported"), "--adapter", in(file)) != picture {
			t.Errorf("%s draws another picture", file)
		}
	}
	if drawn("--model", in("merged")) == drawn("--model", in("exported")) {
		t.Error("what is merged draws as the base does")
	}
	for fault, args := range map[string][]string{
		"there is no adapter":    {"export", in("exported"), in("x"), "--format", "lora"},
		"has an adapter already": {"export", in("lora"), in("x"), "--adapter", in("alone")},
		"neither the denoiser":   append(slices.Clone(finetune), "--run", in("y"), "--set", "lora.targets=[q_proj, c_attn]"),
		"recipe.prior.weight":    append(slices.Clone(finetune), "--run", in("y"), "--set", "recipe.prior.weight=0"),
		"optimizer.ema":          append(slices.Clone(finetune), "--run", in("y"), "--set", "optimizer.ema=0.9"),
	} {
		if o := gotrain(t, "", args...); o.code == 0 || !strings.Contains(o.errOut, fault) {
			t.Errorf("%s: status %d, %s", fault, o.code, o.errOut)
		}
	}
}

// read is the content of a file.
func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
