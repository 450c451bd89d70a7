package pipeline

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/nn/vae"
)

// small is a random pipeline, with an autoencoder or without, and its store.
func small(t *testing.T, latents bool) (*Pipeline, *exec.Store) {
	t.Helper()
	tokens, err := tokenizers.WordsCLIP([]string{"red circle", "blue square"}, 600)
	if err != nil {
		t.Fatal(err)
	}
	p := &Pipeline{Tokens: tokens, Pad: tokens.Frame().After[0], Scale: 1, Side: 8, Process: Trained(diffusion.StableDiffusion(), diffusion.V, latents)}
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.Text, err = clip.New(clip.Config{Layers: 1, Heads: 2, Width: 8, Context: 6, Vocab: tokens.Vocab()}, nn.Tuning{Role: Text})
	fatal(err)
	channels := 3
	if latents {
		p.Scale, channels = 0.5, 2
		p.Autoencoder, err = vae.New(vae.Config{Channels: 3, Latent: 2, Widths: []int{4, 4}, Output: vae.Pixels}, nn.Tuning{Role: Autoencoder})
		fatal(err)
	}
	p.Denoiser, err = unet.New(unet.Config{Channels: channels, Context: 8, Widths: []int{4, 8}, Layers: 1, Heads: []int{2}}, nn.Tuning{Role: Denoiser})
	fatal(err)
	store := nntest.Open(t)
	for _, m := range p.models() {
		for _, param := range m.Params() {
			_, err := store.Ensure(param.State(), param.DType, param.Shape)
			fatal(err)
		}
		fatal(nn.Initialize(m.Params(), 3, store.WriteAt))
	}
	return p, store
}

func drawer(t *testing.T, p *Pipeline, store *exec.Store, rows int) *Drawer {
	t.Helper()
	d := NewDrawer(p, rows, ir.F32, nil)
	if err := d.Ready(store); err != nil {
		t.Fatal(err)
	}
	return d
}

func draw(t *testing.T, d *Drawer, r Request) [][]byte {
	t.Helper()
	if r.Method == "" {
		r.Method, r.Steps = diffusion.DDIM, 3
	}
	pictures, err := d.Draw(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return pictures
}

// TestDraw: a picture is a function of prompt, seed, negative and guidance, and of nothing that is
// drawn beside it.
func TestDraw(t *testing.T) {
	for _, latents := range []bool{false, true} {
		p, store := small(t, latents)
		d := drawer(t, p, store, 2)
		r := Request{Prompts: []string{"red circle", "blue square"}, Guidance: 3, Seed: 4}
		both := draw(t, d, r)
		if len(both) != 2 || len(both[0]) != 8*8*3 || bytes.Equal(both[0], both[1]) {
			t.Fatalf("%d pictures", len(both))
		}
		if again := draw(t, d, r); !reflect.DeepEqual(again, both) {
			t.Error("the same request draws other pictures")
		}
		alone := r
		alone.Prompts = r.Prompts[:1]
		if got := draw(t, d, alone); len(got) != 1 || !bytes.Equal(got[0], both[0]) {
			t.Error("a picture depends on that beside it")
		}
		for name, change := range map[string]func(*Request){
			"seed":     func(r *Request) { r.Seed++ },
			"negative": func(r *Request) { r.Negative = "blue" },
			"guidance": func(r *Request) { r.Guidance = 1 },
			"prompt":   func(r *Request) { r.Prompts = []string{"blue circle"} },
		} {
			other := alone
			if change(&other); bytes.Equal(draw(t, d, other)[0], both[0]) {
				t.Errorf("the %s changes nothing (latents %t)", name, latents)
			}
		}
		// Without guidance the negative prompt is not read.
		plain := alone
		plain.Guidance = 1
		want := draw(t, d, plain)
		if plain.Negative = "blue"; !reflect.DeepEqual(draw(t, d, plain), want) {
			t.Error("a guidance of 1 reads the negative prompt")
		}
		for _, method := range diffusion.Methods {
			m := alone
			m.Method, m.Steps = method, 2
			draw(t, d, m)
		}
	}
}

// TestEach: pictures on the way are told at every look, the last like the picture itself.
func TestEach(t *testing.T) {
	p, store := small(t, true)
	d := drawer(t, p, store, 1)
	var looks []int
	var last [][]byte
	r := Request{Prompts: []string{"red circle"}, Guidance: 1, Each: func(look, of int, pictures func() ([][]byte, error)) (err error) {
		looks = append(looks, look, of)
		last, err = pictures()
		return err
	}}
	if got := draw(t, d, r); !slices.Equal(looks, []int{1, 3, 2, 3, 3, 3}) || !reflect.DeepEqual(got, last) {
		t.Errorf("looks %v", looks)
	}
	if _, err := d.Draw(t.Context(), Request{Prompts: []string{"a", "b"}, Method: diffusion.DDIM, Steps: 2}); err == nil {
		t.Error("two prompts are taken where one is drawn")
	}
}

// TestAnew draws a picture anew: little strength changes little, and a mask keeps what is black.
func TestAnew(t *testing.T) {
	p, store := small(t, false)
	d := drawer(t, p, store, 1)
	picture, mask := make([]byte, 8*8*3), make([]byte, 8*8)
	for i := range picture {
		picture[i] = byte(i * 37)
	}
	for i := range mask[:32] {
		mask[i] = 255 // the upper half may change
	}
	r := Request{Prompts: []string{"red circle"}, Guidance: 1, Picture: picture, Method: diffusion.DDIM, Steps: 10}
	far := func(a, b []byte) (sum int) {
		for i := range a {
			d := int(a[i]) - int(b[i])
			sum += d * d
		}
		return sum
	}
	r.Strength = 0.1
	little := draw(t, d, r)[0]
	r.Strength = 1
	much := draw(t, d, r)[0]
	if far(little, picture) >= far(much, picture) {
		t.Errorf("a strength of 0.1 changes by %d, 1 by %d", far(little, picture), far(much, picture))
	}
	r.Mask = mask
	kept := draw(t, d, r)[0]
	if lower := kept[8*4*3:]; far(lower, picture[8*4*3:]) > len(lower) {
		t.Errorf("what the mask keeps is off by %d", far(lower, picture[8*4*3:]))
	}
	if far(kept[:8*4*3], picture[:8*4*3]) == 0 {
		t.Error("nothing has changed where it may")
	}
	r.Strength = 0.01
	if _, err := d.Draw(t.Context(), r); err == nil {
		t.Error("a strength that leaves no step is taken")
	}
}

// TestExport writes a directory of diffusers and reads it again, with tokenizer.json and without:
// it draws the same.
func TestExport(t *testing.T) {
	p, store := small(t, true)
	r := Request{Prompts: []string{"red circle"}, Guidance: 3}
	want := draw(t, drawer(t, p, store, 1), r)
	dir := filepath.Join(t.TempDir(), "exported")
	if err := Export(vfs.OS{}, dir, p, store); err != nil {
		t.Fatal(err)
	}
	if err := Export(vfs.OS{}, dir, p, store); err == nil {
		t.Error("it is written over what is there")
	}
	for _, slow := range []bool{false, true} {
		if slow {
			if err := os.Remove(filepath.Join(dir, "tokenizer", "tokenizer.json")); err != nil {
				t.Fatal(err)
			}
		}
		found, ok := Locate(dir)
		if !ok {
			t.Fatal("it is not found")
		}
		again := nntest.Open(t)
		read, averaged, err := Open(vfs.OS{}, found, again, Options{Average: true})
		if err != nil || averaged {
			t.Fatal(err, averaged)
		}
		if read.Side != p.Side || read.Scale != p.Scale || read.Pad != p.Pad || read.Process != p.Process {
			t.Errorf("read is %+v, written %+v", read, p)
		}
		if got := draw(t, drawer(t, read, again, 1), r); !reflect.DeepEqual(got, want) {
			t.Errorf("what is read draws another picture (slow %t)", slow)
		}
	}
	var index map[string]any
	text, err := os.ReadFile(filepath.Join(dir, "model_index.json"))
	if err != nil || json.Unmarshal(text, &index) != nil || index["_class_name"] != "StableDiffusionPipeline" {
		t.Error(err, index)
	}
	pixels, store := small(t, false)
	if err := Export(vfs.OS{}, dir+"2", pixels, store); err == nil {
		t.Error("a pipeline without an autoencoder is exported")
	}
	if _, ok := Locate(t.TempDir()); ok {
		t.Error("an empty directory is a pipeline")
	}
}

// TestLogits: what an autoencoder gives is read as its configuration says, which is saved; a
// pipeline that leaves it open is one of diffusers, which has pixels, or is refused.
func TestLogits(t *testing.T) {
	p, store := small(t, true)
	c := *p.Autoencoder.Config().(*vae.Config)
	c.Output = vae.Logits
	logits := *p
	var err error
	if logits.Autoencoder, err = vae.New(c, nn.Tuning{Role: Autoencoder}); err != nil {
		t.Fatal(err)
	}
	z := make([]float32, 4*4*2)
	for i := range z {
		z[i] = float32(i%7)/2 - 1
	}
	for _, of := range []*Pipeline{p, &logits} {
		d := drawer(t, of, store, 1)
		got, err := d.pictures(z, 1)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]float32, len(got[0]))
		if err := d.sessions[decodes].Output(0, y); err != nil {
			t.Fatal(err)
		}
		for i, v := range y {
			want := 255 * (float64(v) + 1) / 2
			if of == &logits {
				want = 255 / (1 + math.Exp(-float64(v)))
			}
			if want = min(max(want, 0), 255); math.Abs(float64(got[0][i])-want) > 0.51 {
				t.Fatalf("logits %t: byte %d of %g is %d, want %g", of == &logits, i, v, got[0][i], want)
			}
		}
	}
	if err := Export(vfs.OS{}, filepath.Join(t.TempDir(), "x"), &logits, store); err == nil || !strings.Contains(err.Error(), "gives logits") {
		t.Errorf("logits are exported: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "exported")
	if err := Export(vfs.OS{}, dir, p, store); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, Autoencoder, configFile)
	for _, step := range []struct{ output, want, removed string }{
		{`"gotrain_output": "logits"`, vae.Logits, ""}, {`"act_fn": "silu"`, vae.Pixels, ""}, {`"act_fn": "silu"`, "", indexFile},
	} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, regexp.MustCompile(`"gotrain_output": "\w*"`).ReplaceAll(text, []byte(step.output)), 0o644)
		}
		if err == nil && step.removed != "" {
			err = os.Remove(filepath.Join(dir, step.removed))
		}
		if err != nil {
			t.Fatal(err)
		}
		read, _, err := Open(vfs.OS{}, dir, nntest.Open(t), Options{})
		if step.want == "" {
			if err == nil || !strings.Contains(err.Error(), "train it again") {
				t.Errorf("what it gives is not known: %v", err)
			}
		} else if err != nil || read.Autoencoder.Config().(*vae.Config).Output != step.want {
			t.Errorf("%s: %v", step.output, err)
		}
	}
}

// TestProcess writes schedules as diffusers has them and reads them again.
func TestProcess(t *testing.T) {
	flow := Trained(diffusion.Schedule{Shape: diffusion.Flow, Steps: 500}, diffusion.Velocity, true)
	for _, want := range []Process{
		Trained(diffusion.StableDiffusion(), diffusion.Epsilon, true), flow,
		{Schedule: diffusion.Schedule{Shape: diffusion.Linear, Steps: 100, Start: 1e-4, End: 0.02, ZeroSNR: true}, Prediction: diffusion.V, Spacing: diffusion.Leading, Offset: 1, FirstLevel: true, Clip: 1},
	} {
		text, err := json.Marshal(want.keys())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseProcess(text); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	for _, text := range []string{`{`, `{"beta_schedule": "sigmoid"}`, `{"trained_betas": [1]}`, `{"prediction_type": "sample"}`, `{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3}`} {
		if _, err := parseProcess([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
