package diffusion

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Methods of samplers.
const (
	DDPM  = "ddpm"          // Ho et al. 2020: noise is added again at each step
	DDIM  = "ddim"          // Song et al. 2021
	Euler = "euler"         // of the ordinary differential equation, in the space of Karras et al. 2022
	Heun  = "heun"          // of second order, two looks a step (Karras et al. 2022)
	DPM2M = "dpmsolver++2m" // Lu et al. 2022: of second order, with the look before
)

// Methods are all of them.
var Methods = []string{DDPM, DDIM, Euler, Heun, DPM2M}

// Spacings of the times of a sampler.
const (
	Leading  = "leading"  // each Steps/n-th, from the Offset on: Stable Diffusion's
	Trailing = "trailing" // each Steps/n-th, from the last back
	Linspace = "linspace" // from the last to the first in equal parts
)

// Spacings are all of them.
var Spacings = []string{Leading, Trailing, Linspace}

// Config is what a Sampler goes by.
type Config struct {
	Schedule   Schedule
	Prediction Prediction
	Method     string
	Steps      int
	Spacing    string
	Offset     int     // of leading times
	Eta        float64 // of ddim: the share of ddpm's noise
	Clip       float64 // of ddpm and ddim: x₀ is held within ±Clip; 0 is nowhere
	// FirstLevel ends at the schedule's first level in place of at no noise, as Stable Diffusion's
	// ddim does.
	FirstLevel bool
}

// Validate returns the first fault.
func (c Config) Validate() error {
	if err := c.Schedule.Validate(); err != nil {
		return err
	}
	one := func(what, got string, of []string) error {
		if slices.Contains(of, got) {
			return nil
		}
		return fmt.Errorf("%s is %q; use %s", what, got, strings.Join(of, ", "))
	}
	if err := one("sampler", c.Method, Methods); err != nil {
		return err
	}
	if err := one("spacing", c.Spacing, Spacings); err != nil {
		return err
	}
	if !slices.Contains(Predictions, c.Prediction) {
		return fmt.Errorf("prediction is %q; use %q", c.Prediction, Predictions)
	}
	if (c.Prediction == Velocity) != (c.Schedule.Shape == Flow) {
		return fmt.Errorf("prediction %s does not go with schedule %s: velocity and flow belong together", c.Prediction, c.Schedule.Shape)
	}
	if c.Prediction == Epsilon && c.Schedule.ZeroSNR {
		return fmt.Errorf("prediction epsilon tells nothing of a picture that is noise alone: with zero_snr use v_prediction")
	}
	if c.Method == DDPM && c.Schedule.Shape == Flow {
		return fmt.Errorf("sampler ddpm is of schedules with α² + σ² = 1: a flow takes ddim, euler, heun or dpmsolver++2m")
	}
	if c.Steps < 1 || c.Steps > c.Schedule.Steps {
		return fmt.Errorf("steps are %d; use 1 to the schedule's %d", c.Steps, c.Schedule.Steps)
	}
	if !(c.Eta >= 0 && c.Eta <= 1) || c.Clip < 0 || c.Offset < 0 || c.Offset >= c.Schedule.Steps {
		return fmt.Errorf("eta %g, clip %g or offset %d is outside of its range", c.Eta, c.Clip, c.Offset)
	}
	return nil
}

// Look is a run of the network, and how x goes on behind it:
//
//	x ← X·x + Picture·x₀ + Noise·ε + LastPicture·x₀' + LastNoise·ε' + Fresh·z
//
// with x₀ and ε as the network tells them, x₀' and ε' of the look before, z ~ N(0, 1).
type Look struct {
	Time  float64 // that the network is told
	Level Level   // of x

	X, Picture, Noise, LastPicture, LastNoise, Fresh float64
}

// Sampler is a list of looks. It holds what is kept between them, so one serves one batch at a
// time.
type Sampler struct {
	Looks []Look

	config         Config
	levels         []Level
	picture, noise []float32 // of the look before
}

// New returns a sampler.
func New(c Config) (*Sampler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{config: c, levels: c.Schedule.Levels()}
	if last := &s.levels[len(s.levels)-1]; last.Alpha == 0 && !c.discrete() && c.Schedule.Shape != Flow {
		*last = levelOf(math.Exp2(-24)) // ratios have to be finite
	}
	times := c.times()
	at := make([]Level, len(times)+1)
	for i, t := range times {
		at[i] = s.level(t)
	}
	at[len(times)] = clean
	if c.endsFirst() {
		at[len(times)] = s.levels[0]
	}
	for i, t := range times {
		s.add(t, at, i, times)
	}
	return s, nil
}

// discrete tells whether a method knows the times of the schedule alone.
func (c Config) discrete() bool { return c.Method == DDPM || c.Method == DDIM }

// endsFirst tells whether the last step ends at the first level: of the methods ddim alone may.
func (c Config) endsFirst() bool { return c.FirstLevel && c.Method == DDIM }

// differential tells whether a method computes in the space in which noise is added to x₀.
func (c Config) differential() bool { return c.Method == Euler || c.Method == Heun }

// times are those of the steps, from noise to the picture.
func (c Config) times() []float64 {
	n, all := c.Steps, c.Schedule.Steps
	times := make([]float64, n)
	parts := n // of all times
	if c.Method == DPM2M && c.Spacing != Trailing {
		parts++ // the last of which is no step
	}
	for i := range times {
		switch c.Spacing {
		case Leading:
			times[i] = float64(min((parts-1-i)*(all/parts)+c.Offset, all-1))
		case Trailing:
			times[i] = math.RoundToEven(float64(all)-float64(i)*float64(all)/float64(n)) - 1
		default:
			if parts > 1 {
				times[i] = float64(all-1) * float64(parts-1-i) / float64(parts-1)
			}
			if !c.differential() {
				times[i] = math.RoundToEven(times[i])
			}
		}
	}
	return times
}

// level is that of a time, between two of the schedule by their ratios of noise.
func (s *Sampler) level(t float64) Level {
	i := int(t)
	if share := t - float64(i); share > 0 {
		if s.config.Schedule.Shape == Flow {
			sigma := s.config.Schedule.told(t) / float64(s.config.Schedule.Steps)
			return Level{1 - sigma, sigma}
		}
		ratio := s.levels[i].ratio()*(1-share) + s.levels[i+1].ratio()*share
		alpha := 1 / math.Sqrt(ratio*ratio+1)
		return Level{alpha, ratio * alpha}
	}
	return s.levels[i]
}

// add appends the looks of step i, which goes from level at[i] to the next.
func (s *Sampler) add(t float64, at []Level, i int, times []float64) {
	from, to := at[i], at[i+1]
	look := Look{Time: s.config.Schedule.told(t), Level: from, Picture: to.Alpha, Noise: to.Sigma}
	switch s.config.Method {
	case DDPM:
		s.ancestral(&look, from, to)
	case DDIM:
		if eta := s.config.Eta; eta > 0 && to.Sigma > 0 {
			kept := from.Alpha / to.Alpha
			look.Fresh = eta * to.Sigma / from.Sigma * math.Sqrt(1-kept*kept)
			look.Noise = math.Sqrt(max(to.Sigma*to.Sigma-look.Fresh*look.Fresh, 0))
		}
	case Heun:
		s.Looks = append(s.Looks, look)
		if to.Sigma == 0 {
			return
		}
		// The second look is at where the first step ends, and takes half of the way back.
		look = Look{Time: s.config.Schedule.told(times[min(i+1, len(times)-1)]), Level: to, X: 1}
		look.Noise = s.slope(from, to) / 2
		look.LastNoise = -look.Noise
		if s.config.Schedule.Shape == Flow {
			look.Picture, look.LastPicture = -look.Noise, -look.LastNoise
		}
	case DPM2M:
		// x = σ'/σ·x - α'·(e⁻ʰ - 1)·D, h = λ' - λ, D = x₀ or a line through this look and the last.
		if to.Sigma == 0 {
			break
		}
		h := to.lambda() - from.lambda()
		d := -to.Alpha * math.Expm1(-h)
		look.X, look.Noise, look.Picture = to.Sigma/from.Sigma, 0, d
		if i > 0 {
			r := (from.lambda() - at[i-1].lambda()) / h
			look.Picture, look.LastPicture = d*(1+1/(2*r)), -d/(2*r)
		}
	}
	s.Looks = append(s.Looks, look)
}

// slope is how far x goes by ε from a level to another in a step of Euler's.
func (s *Sampler) slope(from, to Level) float64 {
	if s.config.Schedule.Shape == Flow {
		return to.Sigma - from.Sigma
	}
	return to.Alpha * (to.ratio() - from.ratio())
}

// ancestral is a step of DDPM, with the variance of the posterior.
func (s *Sampler) ancestral(look *Look, from, to Level) {
	kept := from.Alpha / to.Alpha // √α of the step
	power := from.Sigma * from.Sigma
	added := 1 - kept*kept
	look.Picture = to.Alpha * added / power
	look.X = kept * to.Sigma * to.Sigma / power
	look.Noise = 0
	if to.Sigma > 0 {
		look.Fresh = math.Sqrt(max(added*to.Sigma*to.Sigma/power, 1e-20))
	}
}

// Start is the look from which a picture is drawn anew by a strength, 0 for the first at 1,
// len(Looks) for a strength that changes nothing.
func (s *Sampler) Start(strength float64) int {
	steps := s.config.Steps
	first := steps - min(int(float64(steps)*strength), steps)
	if s.config.Method == Heun {
		return min(2*first, len(s.Looks))
	}
	return first
}

// Noised makes x of a picture and noise at the level of a look: x = α·x₀ + σ·ε.
func (s *Sampler) Noised(look int, picture, noise, x []float32) {
	l := s.Looks[look].Level
	for i := range x {
		x[i] = float32(l.Alpha*float64(picture[i]) + l.Sigma*float64(noise[i]))
	}
}

// After is the level that x has behind a look.
func (s *Sampler) After(look int) Level {
	if look+1 < len(s.Looks) {
		return s.Looks[look+1].Level
	}
	if s.config.endsFirst() {
		return s.levels[0]
	}
	return clean
}

// Begin makes x of noise alone, before the first look. Euler's and Heun's have noise of the
// first level, unless times are leading, as diffusers has it.
func (s *Sampler) Begin(noise, x []float32) {
	sigma := 1.0
	if s.config.differential() && s.config.Spacing != Leading {
		sigma = s.Looks[0].Level.Sigma
	}
	for i, z := range noise {
		x[i] = float32(sigma * float64(z))
	}
}

// Step goes on with x behind a look at which the network told out. fresh is noise, which is read
// where the look has Fresh; looks come in turn, from any on.
func (s *Sampler) Step(look int, x, out, fresh []float32) {
	l := s.Looks[look]
	if len(s.picture) != len(x) {
		s.picture, s.noise = make([]float32, len(x)), make([]float32, len(x))
	}
	clip := s.config.Clip
	if !s.config.discrete() {
		clip = 0
	}
	for i := range x {
		picture, noise := s.config.Prediction.Read(l.Level, float64(x[i]), float64(out[i]))
		if clip > 0 {
			picture = min(max(picture, -clip), clip)
		}
		y := l.X*float64(x[i]) + l.Picture*picture + l.Noise*noise + l.LastPicture*float64(s.picture[i]) + l.LastNoise*float64(s.noise[i])
		if l.Fresh > 0 {
			y += l.Fresh * float64(fresh[i])
		}
		x[i], s.picture[i], s.noise[i] = float32(y), float32(picture), float32(noise)
	}
}

// Picture are x₀ as the network told them at the look behind which Step was called last.
func (s *Sampler) Picture() []float32 { return s.picture }
