package contrast

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

func table() recipe.Table {
	return recipe.Table{Families: nn.Families{clip.PairFamily()}, Recipes: []recipe.Recipe{Recipe()}}
}

func assemble(t *testing.T, set ...string) (config.Config, error) {
	t.Helper()
	base := []string{"recipe.kind=clip", "model={family: clip, text: {layers: 1, heads: 1, width: 8, context: 12}, picture: {layers: 1, heads: 1, width: 8, patch: 4}, projection: 4}",
		"data={format: pictures, shapes: 40, size: 8, validation: 0.2}", "train.batch=4", "run.dir=x"}
	return config.Assemble(table().Config(), append(base, set...)...)
}

func TestRefusals(t *testing.T) {
	for want, set := range map[string]string{
		"recipe.vocab":           "recipe.vocab=1",
		"data.size":              "data.size=9",
		"model.picture.channels": "model.picture.channels=1",
		"model.picture.size":     "model.picture.size=16",
		"train.batch":            "train.batch=1",
		"document_mask":          "train.document_mask=true",
		"data.captions":          "data={format: pictures, shapes: 0, train: [x.png], size: 8}",
	} {
		cfg, err := assemble(t, set)
		if err == nil {
			err = cfg.Validate(table().Config())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// opened is a job with its embedder and first weights in a store.
func opened(t *testing.T, set ...string) (*recipe.Job, *exec.Store) {
	t.Helper()
	cfg, err := assemble(t, set...)
	if err != nil {
		t.Fatal(err)
	}
	j, err := table().Open(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	store := nntest.Open(t)
	if err := j.Makers[0].(*clip.Embedder).Ready(store); err != nil {
		t.Fatal(err)
	}
	if err := nn.Initialize(j.Params(), 5, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	return j, store
}

// TestPrepare: a step of one micro-batch and of two has the same loss and the same gradients by the
// places, which are those of all of its pictures.
func TestPrepare(t *testing.T) {
	var prepared []*data.Batch
	for _, set := range [][]string{{"train.batch=4"}, {"train.batch=2", "train.accumulate=2"}} {
		j, _ := opened(t, set...)
		b := j.Train.NewBatch()
		if err := j.Train.Fill(b, 0); err != nil {
			t.Fatal(err)
		}
		if err := j.Prepare(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		prepared = append(prepared, b)
	}
	a, b := prepared[0], prepared[1]
	for _, field := range []string{pictureSlopesField, captionSlopesField, slopesField, lossField, rightField} {
		for i, v := range a.Floats[field] {
			if math.Abs(float64(v-b.Floats[field][i])) > 1e-5 {
				t.Errorf("%s %d is %g, of two micro-batches %g", field, i, v, b.Floats[field][i])
			}
		}
	}
	if norm := slices.Max(a.Floats[pictureSlopesField]); norm == 0 {
		t.Error("there is no gradient")
	}
	for row := range 4 { // four alike would lose ln 4 each
		if loss := a.Floats[lossField][row]; loss < 0 || loss > 20 {
			t.Errorf("row %d loses %g", row, loss)
		}
	}
}

// TestScore: the loss of held-out pictures is that of training among as many, and rows without a
// picture are no captions to choose from.
func TestScore(t *testing.T) {
	j, store := opened(t)
	b := j.Eval.NewBatch()
	if err := j.Eval.Fill(b, 0); err != nil {
		t.Fatal(err)
	}
	const there = 3
	b.Floats[picture.Counts][there] = 0
	g := autograd.NewGraph()
	s := nntest.Bind(t, store, g, nil, j.Score(g, 4).Metrics[0].Sum.Named("loss"))
	in, _ := s.Input(picture.Field)
	if err := in.SetBytes(b.Raw[picture.Field]); err != nil {
		t.Fatal(err)
	}
	if err := s.SetInts(captionField, b.Ints[captionField]); err != nil {
		t.Fatal(err)
	}
	got := nntest.Run(t, s, map[string][]float32{picture.Counts: b.Floats[picture.Counts], endsField: b.Floats[endsField]})[0]
	e := j.Makers[0].(*clip.Embedder)
	l := j.Eval.(*loader)
	pictured, _, err := e.Pictures(b.Raw[picture.Field][:there*8*8*3])
	if err != nil {
		t.Fatal(err)
	}
	captioned, scale, err := e.Captions(b.Ints[captionField][:there*l.length], l.end)
	if err != nil {
		t.Fatal(err)
	}
	want := clip.NewContrast(pictured, captioned, there, scale).Loss
	for i := range there {
		if math.Abs(float64(got[i])-want[i]) > 1e-4 {
			t.Errorf("picture %d loses %g, want %g", i, got[i], want[i])
		}
	}
	if got[there] != 0 {
		t.Errorf("a row without a picture loses %g", got[there])
	}
}

// TestMeasure: of all held-out pictures a share is found, and captions of one shape agree.
func TestMeasure(t *testing.T) {
	j, _ := opened(t)
	m, err := j.Measure(t.Context())
	if err != nil || m.Values[0].Name != "retrieved" || m.Values[0].Value < 0 || m.Values[0].Value > 1 || !strings.Contains(m.Notes[0].Text, "chance") {
		t.Errorf("%+v, %v", m, err)
	}
	if !agree("red circle", "red circle at the top") || !agree("red circle at the top", "red circle") || agree("red circle at the left", "red circle at the top") || agree("red square", "red circle") {
		t.Error("captions of the same shape do not agree, or others do")
	}
}

// TestFiles are those of transformers' CLIPModel.
func TestFiles(t *testing.T) {
	j, _ := opened(t)
	files, err := j.Parts[0].Files()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if want := []string{"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}
