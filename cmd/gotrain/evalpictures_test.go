package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testJudged trains a judge of pictures and captions, which goes on to the same bits, and has it judge
// what a model draws of captions, and one of random numbers.
func testJudged(t *testing.T, dir string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	config := write(t, in("clip.yaml"), strings.ReplaceAll(`
run: {dir: DIR/clip}
recipe: {kind: clip}
model: {family: clip, text: {layers: 1, heads: 1, width: 8, context: 8}, picture: {layers: 1, heads: 1, width: 8, patch: 4}, projection: 4}
data: {format: pictures, shapes: 40, size: 8, validation: 0.2}
train: {steps: 2, batch: 4, eval_every: 1, save_every: 1}
`, "DIR", dir))
	var planned struct {
		FLOPs float64 `json:"flops_per_token"`
	}
	// The gradient by the scale does not read it, but the loss does.
	if mustJSON(t, &planned, "plan", "--config", config); planned.FLOPs <= 0 {
		t.Errorf("the plan counts %v FLOPs", planned.FLOPs)
	}
	must(t, "pretrain", "--config", config, "--device", "cpu")
	last := in("clip/checkpoints/step-00000002")
	want := string(read(t, last+"/model.safetensors"))
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if o := gotrain(t, "", "resume", in("clip"), "--device", "cpu"); o.code != 0 || string(read(t, last+"/model.safetensors")) != want {
		t.Errorf("from step 1 on the weights are others: %s", o.errOut)
	}
	for i := range 5 {
		name := in("real" + strconv.Itoa(i))
		p := image.NewGray(image.Rect(0, 0, 9, 8))
		p.SetGray(i, i, color.Gray{200})
		f, err := os.Create(name + ".png")
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, p); err != nil {
			t.Fatal(err)
		}
		f.Close()
		write(t, name+".txt", []string{"red", "green", "blue", "yellow", "purple"}[i]+" circle")
	}
	bare := write(t, in("bare.png"), string(read(t, in("real0.png")))) // has no caption
	var told picturesScored
	if mustJSON(t, &told, "eval", "--model", in("run"), "--judge", in("clip"), "--data", in("real*.png"), "--data", bare, "--device", "cpu"); told.Pictures != 5 {
		t.Errorf("a picture without a caption is drawn: %+v", told)
	}
	for model, retrieved := range map[string]bool{"run": true, "vae": false} {
		var told picturesScored
		mustJSON(t, &told, "eval", "--model", in(model), "--judge", in("clip"), "--data", in("real*.png"), "--device", "cpu", "--json")
		if told.Pictures != 5 || told.FID <= 0 || told.Precision < 0 || told.Precision > 1 || retrieved && told.Chance != 0.2 {
			t.Errorf("%s: %+v", model, told)
		}
		if o := gotrain(t, "", "eval", "--model", in(model), "--judge", in("clip"), "--data", in("real*.png"), "--device", "cpu"); o.code != 0 || strings.Contains(o.out, "retrieved") != retrieved || !strings.Contains(o.out, "FID") {
			t.Errorf("%s: %d %s %s", model, o.code, o.out, o.errOut)
		}
	}
	for fault, args := range map[string][]string{
		"knows no pictures":  {"--judge", in("vae"), "--data", in("real*.png")},
		"is for models that": {"--model", in("clip"), "--judge", in("clip"), "--data", in("real*.png")},
		"four drawn":         {"--judge", in("clip"), "--data", in("real*.png"), "--limit", "3"},
		"--data":             {"--judge", in("clip"), "--data", in("none*.png")},
		"has a caption":      {"--model", in("run"), "--judge", in("clip"), "--data", bare},
		"needs --data":       {"--judge", in("clip")},
	} {
		if o := gotrain(t, "", append([]string{"eval", "--model", in("vae"), "--device", "cpu"}, args...)...); o.code != 2 || !strings.Contains(o.errOut, fault) {
			t.Errorf("%q: status %d, %s", fault, o.code, o.errOut)
		}
	}
}
