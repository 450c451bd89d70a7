// Package diffusion is the arithmetic of diffusion models, without a model: how a picture
// becomes noise ([Schedule]), what a network tells of it ([Prediction]), and how noise becomes a
// picture again ([Sampler]; DDPM, DDIM, Euler, Heun, DPM-Solver++ 2M).
//
// At time t a picture x₀ with noise ε ~ N(0, 1) is x = α·x₀ + σ·ε. Schedules keep α² + σ² = 1
// (Ho et al. 2020); flow matching goes in a straight line, α = 1 - σ (Lipman et al. 2023).
// Samplers keep x so all along, whatever space their papers compute in: a network gets x as it
// is. All is a function of its arguments; noise is the caller's.
package diffusion

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Shapes of schedules.
const (
	Linear = "linear"        // β goes in a straight line
	Scaled = "scaled_linear" // √β does: Stable Diffusion's
	Cosine = "cosine"        // ᾱ is cos² (Nichol & Dhariwal 2021)
	Flow   = "flow"          // α = 1 - t/Steps, σ = t/Steps
)

// Shapes are all of them.
var Shapes = []string{Linear, Scaled, Cosine, Flow}

// Schedule says how much noise there is at each of Steps times, 0 to Steps-1.
type Schedule struct {
	Shape   string  `yaml:"shape"`    // linear, scaled_linear, cosine or flow
	Steps   int     `yaml:"steps"`    // times
	Start   float64 `yaml:"start"`    // first β of linear and scaled_linear
	End     float64 `yaml:"end"`      // last β of them
	ZeroSNR bool    `yaml:"zero_snr"` // nothing of the picture is left at the last time (Lin et al. 2024)
}

// StableDiffusion is the schedule of Stable Diffusion, versions 1 and 2.
func StableDiffusion() Schedule {
	return Schedule{Shape: Scaled, Steps: 1000, Start: 0.00085, End: 0.012}
}

// Validate returns all faults.
func (s Schedule) Validate() error {
	var errs []error
	if !slices.Contains(Shapes, s.Shape) {
		errs = append(errs, fmt.Errorf("schedule.shape is %q; use %s", s.Shape, strings.Join(Shapes, ", ")))
	}
	if s.Steps < 2 || s.Steps > 1e6 {
		errs = append(errs, fmt.Errorf("schedule.steps is %d; use 2 to 1000000, such as 1000", s.Steps))
	}
	if (s.Shape == Linear || s.Shape == Scaled) && !(s.Start > 0 && s.End >= s.Start && s.End < 1) {
		errs = append(errs, fmt.Errorf("schedule.start and end are %g and %g; use 0 < start ≤ end < 1, such as 0.00085 and 0.012", s.Start, s.End))
	}
	if s.ZeroSNR && s.Shape == Flow {
		errs = append(errs, errors.New("schedule.zero_snr: a flow ends in noise alone already: leave it out"))
	}
	return errors.Join(errs...)
}

// betas are those of each time, of a schedule that is no flow.
func (s Schedule) betas() []float64 {
	b := make([]float64, s.Steps)
	between := func(from, to float64, i int) float64 { return from + (to-from)*float64(i)/float64(s.Steps-1) }
	left := func(share float64) float64 {
		c := math.Cos((share + 0.008) / 1.008 * math.Pi / 2)
		return c * c
	}
	for i := range b {
		switch s.Shape {
		case Scaled:
			root := between(math.Sqrt(s.Start), math.Sqrt(s.End), i)
			b[i] = root * root
		case Cosine:
			b[i] = min(1-left(float64(i+1)/float64(s.Steps))/left(float64(i)/float64(s.Steps)), 0.999)
		default:
			b[i] = between(s.Start, s.End, i)
		}
	}
	return b
}

// Level is how much of the picture and of noise there is.
type Level struct{ Alpha, Sigma float64 }

// clean is a picture without noise.
var clean = Level{Alpha: 1}

// Levels are those of the times 0 to Steps-1.
func (s Schedule) Levels() []Level {
	levels := make([]Level, s.Steps)
	if s.Shape == Flow {
		for i := range levels {
			sigma := float64(i+1) / float64(s.Steps)
			levels[i] = Level{1 - sigma, sigma}
		}
		return levels
	}
	product := 1.0
	for i, beta := range s.betas() {
		product *= 1 - beta
		levels[i] = levelOf(product)
	}
	if s.ZeroSNR {
		// √ᾱ is shifted to end at 0 and scaled to begin where it did.
		first, last := levels[0].Alpha, levels[s.Steps-1].Alpha
		for i, l := range levels {
			alpha := (l.Alpha - last) * first / (first - last)
			levels[i] = levelOf(alpha * alpha)
		}
	}
	return levels
}

// levelOf is that of ᾱ = α².
func levelOf(product float64) Level { return Level{math.Sqrt(product), math.Sqrt(1 - product)} }

// Told is a time as a network learns it: that of a flow counts from 1, so that it is the share of
// noise of Steps.
func (s Schedule) Told(t int) float64 { return s.told(float64(t)) }

func (s Schedule) told(t float64) float64 {
	if s.Shape == Flow {
		return t + 1
	}
	return t
}

// SNR is the ratio of the picture's power to that of noise.
func (l Level) SNR() float64 { return l.Alpha * l.Alpha / (l.Sigma * l.Sigma) }

// ratio is noise against the picture, the σ of Karras et al. 2022.
func (l Level) ratio() float64 { return l.Sigma / l.Alpha }

// lambda is half of the logarithm of the SNR.
func (l Level) lambda() float64 { return math.Log(l.Alpha) - math.Log(l.Sigma) }

// Prediction is what a network tells of x = α·x₀ + σ·ε.
type Prediction string

// Predictions.
const (
	Epsilon  Prediction = "epsilon"      // ε
	V        Prediction = "v_prediction" // α·ε - σ·x₀ (Salimans & Ho 2022)
	Velocity Prediction = "velocity"     // ε - x₀, of flow matching
)

// Predictions are all of them.
var Predictions = []Prediction{Epsilon, V, Velocity}

// Target is how a network's answer at a level is made of picture and noise:
// picture·x₀ + noise·ε.
func (p Prediction) Target(l Level) (picture, noise float64) {
	switch p {
	case V:
		return -l.Sigma, l.Alpha
	case Velocity:
		return -1, 1
	}
	return 0, 1
}

// Read is Target turned round: x₀ and ε of x and of what the network tells.
func (p Prediction) Read(l Level, x, out float64) (picture, noise float64) {
	// x = α·x₀ + σ·ε and out = a·x₀ + b·ε.
	a, b := p.Target(l)
	d := l.Alpha*b - l.Sigma*a
	return (b*x - l.Sigma*out) / d, (l.Alpha*out - a*x) / d
}

// MinSNR is the weight of the squared error of a prediction at a level with which that of x₀
// counts min(SNR, gamma) (Hang et al. 2023). A gamma of 0 is 1 everywhere.
func (p Prediction) MinSNR(l Level, gamma float64) float64 {
	if gamma == 0 {
		return 1
	}
	snr := l.SNR()
	if p == Epsilon {
		return min(snr, gamma) / snr
	}
	a, b := p.Target(l)
	// An error of x₀ by 1 is one of the prediction by a - b·α/σ, whose square is that of x₀ / σ².
	scale := a - b*l.Alpha/l.Sigma
	return min(snr, gamma) / (scale * scale)
}

// Guide is classifier-free guidance (Ho & Salimans 2022): to is what is told with a caption,
// from without, and to becomes from + weight·(to - from). A weight of 1 leaves it as it is.
func Guide(to, from []float32, weight float64) {
	if weight == 1 {
		return
	}
	w := float32(weight)
	for i, v := range to {
		to[i] = from[i] + w*(v-from[i])
	}
}
