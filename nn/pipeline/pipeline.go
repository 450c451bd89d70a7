// Package pipeline is what draws pictures of captions: a text encoder, a denoiser, an autoencoder
// where it denoises latents, a tokenizer, and the schedule of noise. [Open] reads one, of a
// checkpoint of recipe diffusion or a directory of diffusers, [Export] writes the latter, [Drawer]
// draws.
//
// A checkpoint has a folder for each model, with its config.json as diffusers and transformers
// have it: text_encoder, which has the tokenizer too, unet, which has the schedule, vae and controlnet.
package pipeline

import (
	"encoding/json"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/nn/vae"
)

// Roles of the models, which are diffusers' folders.
const (
	Text        = "text_encoder"
	Denoiser    = "unet"
	Autoencoder = "vae"
	Control     = "controlnet"
)

// Pipeline is what draws. It is read-only.
type Pipeline struct {
	Text        *clip.Model
	Denoiser    *unet.Model
	Autoencoder *vae.Model    // nil where pictures themselves are denoised
	Control     *unet.Control // nil where nothing but captions is heeded
	Tokens      data.Tokenizer
	Pad         int32   // token behind captions
	Scale       float64 // what latents are multiplied by before they get noise
	Side        int     // of a picture, in pixels
	Process     Process
}

// Process is how pictures get noise, and which times samplers take.
type Process struct {
	Schedule   diffusion.Schedule
	Prediction diffusion.Prediction
	Spacing    string
	Offset     int
	FirstLevel bool
	Clip       float64
}

// Trained are the times and the end of samplers of a model that is trained here.
func Trained(s diffusion.Schedule, p diffusion.Prediction, latents bool) Process {
	process := Process{Schedule: s, Prediction: p, Spacing: diffusion.Trailing}
	if !latents {
		process.Clip = 1
	}
	if s.Shape == diffusion.Flow {
		process.Spacing = diffusion.Linspace
	}
	return process
}

// Sampler is that of a method and a number of steps.
func (p Process) Sampler(method string, steps int, eta float64) (*diffusion.Sampler, error) {
	return diffusion.New(diffusion.Config{Schedule: p.Schedule, Prediction: p.Prediction, Method: method, Steps: steps, Spacing: p.Spacing,
		Offset: p.Offset, FirstLevel: p.FirstLevel, Clip: p.Clip, Eta: eta})
}

// Latents are the channels and the side of what is denoised, and the pixels of a side of a picture
// for each of its.
func (p *Pipeline) Latents() (channels, side, factor int) {
	channels, factor = p.Denoiser.Config().(*unet.Config).Channels, 1
	if p.Autoencoder != nil {
		_, _, factor = p.Autoencoder.Config().(*vae.Config).Picture()
	}
	return channels, p.Side / factor, factor
}

// Channels are those of a picture.
func (p *Pipeline) Channels() int {
	if p.Autoencoder != nil {
		return p.Autoencoder.Config().(*vae.Config).Channels
	}
	return p.Denoiser.Config().(*unet.Config).Channels
}

// logits tells whether the autoencoder gives logits of pixels.
func (p *Pipeline) logits() bool {
	return p.Autoencoder != nil && p.Autoencoder.Config().(*vae.Config).Output == vae.Logits
}

// Caption are the tokens of a caption.
func (p *Pipeline) Caption(text string) []int32 {
	return tokenizers.Caption(p.Tokens, text, p.Text.Context(), p.Pad)
}

// Condition is the input of a condition: bytes (Side, Side, 3) of each picture.
const Condition = "condition"

// ConditionChannels are those of a condition.
const ConditionChannels = unet.ConditionChannels

// Denoise is what a denoiser tells of x, times and captions, as nn.Denoiser has them; where there is
// a control under the input Condition, by strength.
func Denoise(g *autograd.Graph, d *unet.Model, c *unet.Control, strength float64, x nn.Pictures, times, captions *autograd.Node) nn.Pictures {
	if c == nil {
		return d.Denoise(g, x, times, captions)
	}
	height, width := x.Height*c.Config().(*unet.ControlConfig).Factor(), x.Width*c.Config().(*unet.ControlConfig).Factor()
	pixels := autograd.Pixels(g, Condition, x.Batch, height*width*unet.ConditionChannels)(1./255, 0)
	shown := nn.Pictures{X: autograd.Reshape(pixels, x.Batch*height*width, unet.ConditionChannels), Batch: x.Batch, Height: height, Width: width}
	added := c.Tell(g, x, times, captions, shown)
	if strength != 1 {
		added = added.Scale(strength)
	}
	return d.DenoiseUnder(g, x, times, captions, added)
}

// Files are those beside the weights of a role, in a checkpoint.
func (p *Pipeline) Files(role string) ([]vfs.Content, error) {
	config := func(keys map[string]any, err error) ([]vfs.Content, error) {
		if err != nil {
			return nil, err
		}
		text, err := marshal(keys)
		return []vfs.Content{vfs.Bytes(configFile, text)}, err
	}
	_, side, _ := p.Latents()
	switch role {
	case Text:
		files, err := config(p.textConfig())
		if err != nil {
			return nil, err
		}
		tokens, err := tokenizers.Files(p.Tokens, p.roles())
		return append(files, tokens...), err
	case Control:
		return config(p.Control.Diffusers(), nil)
	case Autoencoder:
		return config(p.Autoencoder.Diffusers(p.Side, p.Scale), nil)
	}
	files, err := config(p.Denoiser.Diffusers(side), nil)
	if err != nil {
		return nil, err
	}
	schedule, err := marshal(p.Process.keys())
	return append(files, vfs.Bytes(scheduleFile, schedule)), err
}

func marshal(keys any) ([]byte, error) {
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}

// betaShapes are diffusers' names of schedules.
var betaShapes = map[string]string{diffusion.Linear: "linear", diffusion.Scaled: "scaled_linear", diffusion.Cosine: "squaredcos_cap_v2"}

// flowClass is diffusers' scheduler of flow matching.
const flowClass = "FlowMatchEulerDiscreteScheduler"

// keys are the scheduler_config.json.
func (p Process) keys() map[string]any {
	s := p.Schedule
	if s.Shape == diffusion.Flow {
		return map[string]any{"_class_name": flowClass, "num_train_timesteps": s.Steps, "shift": 1.0}
	}
	keys := map[string]any{
		"_class_name": "DDIMScheduler", "num_train_timesteps": s.Steps, "beta_schedule": betaShapes[s.Shape], "beta_start": s.Start, "beta_end": s.End,
		"prediction_type": string(p.Prediction), "timestep_spacing": p.Spacing, "steps_offset": p.Offset, "set_alpha_to_one": !p.FirstLevel,
		"clip_sample": p.Clip > 0, "clip_sample_range": max(p.Clip, 1), "rescale_betas_zero_snr": s.ZeroSNR, "trained_betas": nil,
	}
	return keys
}

// parseProcess reads a scheduler_config.json of any class that has these keys.
func parseProcess(text []byte) (Process, error) {
	h := struct {
		Class      string  `json:"_class_name"`
		Steps      int     `json:"num_train_timesteps"`
		Shape      string  `json:"beta_schedule"`
		Start      float64 `json:"beta_start"`
		End        float64 `json:"beta_end"`
		Prediction string  `json:"prediction_type"`
		Spacing    string  `json:"timestep_spacing"`
		Offset     int     `json:"steps_offset"`
		ToOne      bool    `json:"set_alpha_to_one"`
		Clips      bool    `json:"clip_sample"`
		Range      float64 `json:"clip_sample_range"`
		ZeroSNR    bool    `json:"rescale_betas_zero_snr"`
		Betas      any     `json:"trained_betas"`
		Shift      float64 `json:"shift"`
	}{Steps: 1000, Shape: "linear", Start: 1e-4, End: 0.02, Prediction: string(diffusion.Epsilon), Spacing: diffusion.Leading, ToOne: true, Range: 1, Shift: 1}
	if err := json.Unmarshal(text, &h); err != nil {
		return Process{}, err
	}
	p := Process{Prediction: diffusion.Prediction(h.Prediction), Spacing: h.Spacing, Offset: h.Offset, FirstLevel: !h.ToOne}
	if h.Class == flowClass {
		if h.Shift != 1 {
			return p, fmt.Errorf("shift %g is not known here: a flow has shift 1", h.Shift)
		}
		p.Schedule, p.Prediction, p.Spacing = diffusion.Schedule{Shape: diffusion.Flow, Steps: h.Steps}, diffusion.Velocity, diffusion.Linspace
		return p, p.Schedule.Validate()
	}
	for own, name := range betaShapes {
		if name == h.Shape {
			p.Schedule = diffusion.Schedule{Shape: own, Steps: h.Steps, Start: h.Start, End: h.End, ZeroSNR: h.ZeroSNR}
		}
	}
	if h.Clips {
		p.Clip = h.Range
	}
	if p.Schedule.Shape == "" || h.Betas != nil {
		return p, fmt.Errorf("beta_schedule %q is not known here, or there are trained_betas", h.Shape)
	}
	_, err := p.Sampler(diffusion.DDIM, min(10, h.Steps), 0)
	return p, err
}
