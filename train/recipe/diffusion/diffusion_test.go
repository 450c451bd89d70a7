package diffusion

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

func table() recipe.Table {
	return recipe.Table{Families: nn.Families{unet.Family()}, Recipes: []recipe.Recipe{Recipe()}}
}

func assemble(t *testing.T, set ...string) (config.Config, error) {
	t.Helper()
	base := []string{"recipe.kind=diffusion", "recipe.text={layers: 1, heads: 2, width: 8}", "model={family: unet, widths: [4, 8], layers: 1, heads: [2]}",
		"data={format: pictures, shapes: 40, size: 8, validation: 0.2}", "run.dir=x", "train.batch=4"}
	return config.Assemble(table().Config(), append(base, set...)...)
}

func open4(t *testing.T, set ...string) *recipe.Job {
	t.Helper()
	cfg, err := assemble(t, set...)
	if err != nil {
		t.Fatal(err)
	}
	j, err := table().Open(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestRefusals(t *testing.T) {
	for want, set := range map[string]string{
		"recipe.schedule.shape": "recipe.schedule.shape=sigmoid",
		"recipe.prediction is":  "recipe.prediction=sample",
		"belong together":       "recipe.prediction=velocity",
		"recipe.min_snr":        "recipe.min_snr=-1",
		"recipe.offset":         "recipe.offset=1",
		"recipe.dropout":        "recipe.dropout=1.5",
		"recipe.vocab":          "recipe.vocab=100",
		"recipe.shown":          "recipe.shown=-1",
		"recipe.text.width":     "recipe.text.heads=3",
		"recipe.sampler":        "recipe.sampler=plms",
		"recipe.steps":          "recipe.steps=0",
		"data.size":             "data.size=9",
		"data.captions":         "data={shapes: 0, train: [x.png]}",
		"exclude each other":    "recipe.vae=somewhere",
	} {
		sets := []string{set}
		if want == "exclude each other" {
			sets = append(sets, "data.flip=true")
		}
		cfg, err := assemble(t, sets...)
		if err == nil {
			err = cfg.Validate(table().Config())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestLoader: rows are a function of the number of a sample, whatever shares the batch; captions
// are left out as often as is asked, and times are of all of the schedule.
func TestLoader(t *testing.T) {
	j := open4(t, "recipe.dropout=0.25")
	l := j.Train.(*loader)
	whole, part := l.NewBatch(), l.NewBatch()
	if err := l.Fill(whole, 8); err != nil {
		t.Fatal(err)
	}
	if err := l.Fill(part, 9); err != nil {
		t.Fatal(err)
	}
	size := l.Loader.Config.Bytes()
	width := len(l.without)
	if !slices.Equal(whole.Raw[picture.Field][size:], part.Raw[picture.Field][:3*size]) ||
		!slices.Equal(whole.Ints[captionField][width:], part.Ints[captionField][:3*width]) ||
		!slices.Equal(whole.Floats[timesField][l.timeWidth:], part.Floats[timesField][:3*l.timeWidth]) ||
		!slices.Equal(whole.Floats[levelsField][levelWidth:], part.Floats[levelsField][:3*levelWidth]) {
		t.Error("a row depends on its place in the batch")
	}
	dropped, early := 0, 0
	for sample := range uint64(4000) {
		time, without := l.draw(sample)
		if without {
			dropped++
		}
		if time < 500 {
			early++
		}
	}
	if math.Abs(float64(dropped)-1000) > 120 || math.Abs(float64(early)-2000) > 150 {
		t.Errorf("%d captions are left out, %d times are early", dropped, early)
	}
	held := j.Eval.(*loader)
	var times []int
	for sample := range uint64(10) {
		time, without := held.draw(sample)
		if times = append(times, time/100); without {
			t.Error("a held-out picture has no caption")
		}
	}
	if slices.Sort(times); len(slices.Compact(times)) < 7 {
		t.Errorf("held-out pictures are at %v", times)
	}
}

// TestLoss compares the loss with its definition: α·x + σ·ε is shown, what the prediction asks for
// is told, and the square of the difference has the weight of the time. The last row does not count.
func TestLoss(t *testing.T) {
	for _, set := range [][]string{
		{"recipe.prediction=epsilon", "recipe.offset=0.3"},
		{"recipe.prediction=v_prediction"},
		{"recipe.prediction=velocity", "recipe.schedule.shape=flow"},
	} {
		j := open4(t, append(set, "recipe.shown=0")...)
		l := j.Train.(*loader)
		b := l.NewBatch()
		if err := l.Fill(b, 0); err != nil {
			t.Fatal(err)
		}
		b.Floats[picture.Counts][3] = 0
		store := nntest.Open(t)
		g := autograd.NewGraph()
		loss := j.Phases[0].Loss(g, 4)
		s := nntest.Bind(t, store, g, nil, loss.Value.Named("value"), loss.Metrics[0].Sum.Named("loss"), loss.Metrics[1].Sum.Named("mse"))
		if err := nn.Initialize(j.Params(), 5, store.WriteAt); err != nil {
			t.Fatal(err)
		}
		in, _ := s.Input(picture.Field)
		if err := in.SetBytes(b.Raw[picture.Field]); err != nil {
			t.Fatal(err)
		}
		for name, x := range map[string][]int32{captionField: b.Ints[captionField], "rng": {1, 2, 3, 0}} {
			if err := s.SetInts(name, x); err != nil {
				t.Fatal(err)
			}
		}
		got := nntest.Run(t, s, map[string][]float32{picture.Counts: b.Floats[picture.Counts], "loss_weight": {0.5}, timesField: b.Floats[timesField], levelsField: b.Floats[levelsField]})
		p := diffusion.Prediction(l.config.Prediction)
		sum := float32(0)
		for row := range 4 {
			time, _ := l.draw(uint64(row))
			if w := float32(p.MinSNR(l.levels[time], 5)); math.Abs(float64(got[1][row]-w*got[2][row])) > 1e-5*float64(got[1][row]) {
				t.Errorf("row %d: loss %g of square %g, weight %g", row, got[1][row], got[2][row], w)
			}
			sum += got[1][row]
		}
		if got[2][3] != 0 || got[2][0] == 0 || math.Abs(float64(got[0][0]-sum/2)) > 1e-5*float64(sum) {
			t.Errorf("%v: squares %v, value %g of %g", set, got[2], got[0][0], sum)
		}
		// A network that tells nothing is off by the power of the target: of ε that is 1.
		if mean := got[2][0]; set[0] == "recipe.prediction=epsilon" && (mean < 0.5 || mean > 3) {
			t.Errorf("the square of noise is %g", mean)
		}
	}
}

// TestAverages: with averages evaluations read those, else the parameters.
func TestAverages(t *testing.T) {
	for ema, prefix := range map[string]string{"optimizer.ema=0.9": "ema.unet.", "optimizer.ema=0": "unet."} {
		j := open4(t, ema)
		g := autograd.NewGraph()
		j.Score(g, 2)
		if !slices.ContainsFunc(g.Params(), func(n *autograd.Node) bool { return strings.HasPrefix(n.Name(), prefix) }) {
			t.Errorf("%s: evaluations read no %s…", ema, prefix)
		}
	}
}

// TestShows: colour and form have to be those of the prompt.
func TestShows(t *testing.T) {
	c := picture.Default()
	s := picture.Shape{Colour: 0, Form: 0, X: 0.4, Y: 0.5, Radius: 0.25}
	if p := s.Draw(c); !shows(c, p, "red circle at the left") || shows(c, p, "red square") || shows(c, p, "blue circle") || shows(c, p, "heart") {
		t.Error("a red circle is not one")
	}
	if n := len(shapePrompts()); n != 36 || len(batches(shapePrompts(), 8)) != 5 {
		t.Errorf("%d prompts", n)
	}
}
