package diffusion

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is a case of scripts/golden/schedulers.py.
type golden struct {
	Schedule Schedule
	Config   Config
	Times    []float64
	Levels   [][2]float64
	X        []float64
	Sum      float64
}

// ramp is the sample of diffusers' own tests: i/768.
func ramp() []float32 {
	x := make([]float32, 768)
	for i := range x {
		x[i] = float32(i) / 768
	}
	return x
}

// told is what their network tells: x·t/(t+1).
func told(x []float32, time float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = v * float32(time/(time+1))
	}
	return out
}

func sampler(t *testing.T, c Config) *Sampler {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run draws from look first on.
func run(s *Sampler, first int, x []float32) {
	fresh := ramp()
	slices.Reverse(fresh)
	for i := first; i < len(s.Looks); i++ {
		s.Step(i, x, told(x, s.Looks[i].Time), fresh)
	}
}

func sum(x []float32) (total float64) {
	for _, v := range x {
		total += math.Abs(float64(v))
	}
	return total
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// TestGolden compares all samplers with diffusers' schedulers.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/schedulers.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, want := range cases {
		want.Config.Schedule = want.Schedule
		t.Run(fmt.Sprintf("%+v", want.Config), func(t *testing.T) {
			s := sampler(t, want.Config)
			var times []float64
			for _, l := range s.Looks {
				times = append(times, l.Time)
			}
			if !slices.EqualFunc(times, want.Times, func(a, b float64) bool { return near(a, b, 1e-5) }) {
				t.Fatalf("times %v, want %v", times, want.Times)
			}
			levels := want.Schedule.Levels()
			for i, l := range want.Levels {
				if got := levels[100*i]; !near(got.Alpha, l[0], 1e-5) || !near(got.Sigma, l[1], 1e-5) {
					t.Errorf("level %d is %v, want %v", 100*i, got, l)
				}
			}
			x := make([]float32, 768)
			s.Begin(ramp(), x)
			run(s, 0, x)
			for i, w := range want.X {
				if !near(float64(x[700+i]), w, 1e-4) {
					t.Errorf("element %d is %g, want %g", 700+i, x[700+i], w)
				}
			}
			if !near(sum(x), want.Sum, 1e-4) {
				t.Errorf("sum %g, want %g", sum(x), want.Sum)
			}
		})
	}
}

// TestPublished compares DDIM with the figures that diffusers publishes, to 1e-2.
func TestPublished(t *testing.T) {
	base := Config{Schedule: Schedule{Shape: Linear, Steps: 1000, Start: 1e-4, End: 0.02}, Prediction: Epsilon, Method: DDIM, Steps: 10, Spacing: Leading, Clip: 1}
	v, late, first := base, base, base
	v.Prediction = V
	late.Schedule.Start = 0.01
	first.Schedule.Start, first.FirstLevel = 0.01, true
	for want, c := range map[float64]Config{172.0067: base, 52.5302: v, 149.8295: late, 149.0784: first} {
		x := ramp()
		run(sampler(t, c), 0, x)
		if got := sum(x); math.Abs(got-want) > 1e-2 {
			t.Errorf("%g, want %g", got, want)
		}
	}
	s := sampler(t, base)
	x := make([]float32, 768)
	s.Noised(8, ramp(), ramp(), x)
	run(s, 8, x)
	if got := sum(x); math.Abs(got-354.5418) > 1e-2 {
		t.Errorf("with noise from index 8: %g", got)
	}
}

// TestStart counts the looks that a strength leaves out: N - min(⌊N·strength⌋, N).
func TestStart(t *testing.T) {
	c := Config{Schedule: StableDiffusion(), Prediction: Epsilon, Method: DDIM, Steps: 10, Spacing: Leading, Offset: 1}
	h := c
	h.Method = Heun
	for strength, want := range map[float64][2]int{0: {10, 19}, 0.25: {8, 16}, 0.8: {2, 4}, 1: {0, 0}} {
		if got := [2]int{sampler(t, c).Start(strength), sampler(t, h).Start(strength)}; got != want {
			t.Errorf("strength %g begins at %v, want %v", strength, got, want)
		}
	}
}

// TestReadTurnsTargetRound holds for all predictions and levels.
func TestReadTurnsTargetRound(t *testing.T) {
	flow := Schedule{Shape: Flow, Steps: 1000}
	for _, p := range Predictions {
		schedule := StableDiffusion()
		if p == Velocity {
			schedule = flow
		}
		for _, l := range schedule.Levels()[:999] {
			const picture, noise = 0.7, -1.3
			a, b := p.Target(l)
			gotPicture, gotNoise := p.Read(l, l.Alpha*picture+l.Sigma*noise, a*picture+b*noise)
			if !near(gotPicture, picture, 1e-9) || !near(gotNoise, noise, 1e-9) {
				t.Fatalf("%s at %v: %g, %g", p, l, gotPicture, gotNoise)
			}
		}
	}
}

// TestMinSNR compares the weights with the formulas of Hang et al. 2023 and of diffusers' training
// scripts.
func TestMinSNR(t *testing.T) {
	for _, l := range StableDiffusion().Levels() {
		snr := l.SNR()
		if got := Epsilon.MinSNR(l, 5); !near(got, min(snr, 5)/snr, 1e-9) {
			t.Fatalf("epsilon at %v: %g", l, got)
		}
		if got := V.MinSNR(l, 5); !near(got, min(snr, 5)/(snr+1), 1e-9) {
			t.Fatalf("v_prediction at %v: %g, want %g", l, got, min(snr, 5)/(snr+1))
		}
	}
	if got := V.MinSNR(Level{0, 1}, 5); got != 0 {
		t.Errorf("without a picture the weight is %g", got)
	}
}

// TestGuide: a weight of 1 is the conditional bit for bit, 0 the unconditional.
func TestGuide(t *testing.T) {
	with, without := []float32{0.1, 2, -3}, []float32{1e8, 0.3, 7}
	for weight, want := range map[float64][]float32{1: {0.1, 2, -3}, 0: {1e8, 0.3, 7}} {
		got := slices.Clone(with)
		if Guide(got, without, weight); !slices.Equal(got, want) {
			t.Errorf("weight %g gives %v", weight, got)
		}
	}
	got := slices.Clone(with)
	if Guide(got, without, 7.5); !near(float64(got[2]), 7+7.5*(-10), 1e-6) {
		t.Error(got)
	}
}

// TestRefusals: what does not go together has an error.
func TestRefusals(t *testing.T) {
	good := Config{Schedule: StableDiffusion(), Prediction: Epsilon, Method: DDIM, Steps: 10, Spacing: Leading}
	for name, spoil := range map[string]func(*Config){
		"method":     func(c *Config) { c.Method = "plms" },
		"spacing":    func(c *Config) { c.Spacing = "" },
		"prediction": func(c *Config) { c.Prediction = "sample" },
		"velocity":   func(c *Config) { c.Prediction = Velocity },
		"zero":       func(c *Config) { c.Schedule.ZeroSNR = true },
		"steps":      func(c *Config) { c.Steps = 1001 },
		"no steps":   func(c *Config) { c.Steps = 0 },
		"eta":        func(c *Config) { c.Eta = 2 },
		"offset":     func(c *Config) { c.Offset = 1000 },
		"shape":      func(c *Config) { c.Schedule.Shape = "sigmoid" },
		"start":      func(c *Config) { c.Schedule.Start = 0 },
		"times":      func(c *Config) { c.Schedule.Steps = 1 },
		"flow": func(c *Config) {
			c.Schedule, c.Prediction, c.Method = Schedule{Shape: Flow, Steps: 10}, Velocity, DDPM
		},
	} {
		c := good
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// TestEnd: with FirstLevel only ddim ends at the first level, the others without noise.
func TestEnd(t *testing.T) {
	for _, method := range Methods {
		s := sampler(t, Config{Schedule: StableDiffusion(), Prediction: Epsilon, Method: method, Steps: 5, Spacing: Leading, Offset: 1, FirstLevel: true})
		if end := s.After(len(s.Looks) - 1); (end != clean) != (method == DDIM) {
			t.Errorf("%s ends at %v", method, end)
		}
	}
}
