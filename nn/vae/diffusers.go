package vae

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/nn"
)

// Names of diffusers' blocks.
const down, up = "DownEncoderBlock2D", "UpDecoderBlock2D"

// outputKey is our own key of Config.Output; diffusers has pixels alone.
const outputKey = "gotrain_output"

// Diffusers returns the keys of the config.json of an AutoencoderKL for pictures of size pixels a
// side, whose latents are multiplied by scale before a denoiser sees them.
func (m *Model) Diffusers(size int, scale float64) map[string]any {
	c := m.config
	return map[string]any{
		"_class_name": "AutoencoderKL", "in_channels": c.Channels, "out_channels": c.Channels, "latent_channels": c.Latent, "block_out_channels": c.Widths,
		"layers_per_block": c.Layers, "norm_num_groups": c.Groups, "act_fn": "silu", "sample_size": size, "scaling_factor": scale, "force_upcast": false,
		"down_block_types": slices.Repeat([]string{down}, len(c.Widths)), "up_block_types": slices.Repeat([]string{up}, len(c.Widths)),
		"use_quant_conv": nn.IsSet(c.Quantized), "use_post_quant_conv": nn.IsSet(c.Quantized), "mid_block_add_attention": nn.IsSet(c.Attention),
		outputKey: c.Output,
	}
}

// Parse reads the config.json of an AutoencoderKL, and the scale of its latents. What would be
// computed otherwise than here is an error. Output is left open by what diffusers has written.
func Parse(text []byte) (Config, float64, error) {
	h := struct {
		Class   string   `json:"_class_name"`
		In      int      `json:"in_channels"`
		Out     int      `json:"out_channels"`
		Latent  int      `json:"latent_channels"`
		Widths  []int    `json:"block_out_channels"`
		Layers  int      `json:"layers_per_block"`
		Groups  int      `json:"norm_num_groups"`
		Act     string   `json:"act_fn"`
		Scale   float64  `json:"scaling_factor"`
		Shift   float64  `json:"shift_factor"`
		Down    []string `json:"down_block_types"`
		Up      []string `json:"up_block_types"`
		Quant   bool     `json:"use_quant_conv"`
		Post    bool     `json:"use_post_quant_conv"`
		Attends bool     `json:"mid_block_add_attention"`
		Output  string   `json:"gotrain_output"`
	}{In: 3, Out: 3, Latent: 4, Widths: []int{64}, Layers: 1, Groups: 32, Act: "silu", Scale: 0.18215, Quant: true, Post: true, Attends: true}
	if err := json.Unmarshal(text, &h); err != nil {
		return Config{}, 0, err
	}
	other := func(name string) bool { return name != down && name != up }
	if h.Class != "AutoencoderKL" || h.In != h.Out || h.Act != "silu" || h.Shift != 0 || h.Quant != h.Post || slices.ContainsFunc(append(h.Down, h.Up...), other) || !(h.Scale > 0) {
		return Config{}, 0, fmt.Errorf("an autoencoder here is an AutoencoderKL of blocks %s with as many channels in as out and act_fn silu; this is %s of %s", down+" and "+up, h.Class, strings.Join(h.Down, ", "))
	}
	c := Config{Channels: h.In, Latent: h.Latent, Widths: h.Widths, Layers: h.Layers, Groups: h.Groups, Attention: nn.Bool(h.Attends), Quantized: nn.Bool(h.Quant), Output: h.Output}
	return c, h.Scale, c.Validate()
}
