package unet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// levels is a key that is one number for all levels, or one for each.
type levels []int

// UnmarshalJSON reads either; null changes nothing.
func (l *levels) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	if strings.HasPrefix(string(text), "[") {
		return json.Unmarshal(text, (*[]int)(l))
	}
	*l = make(levels, 1)
	return json.Unmarshal(text, &(*l)[0])
}

// Names of diffusers' classes, and of its blocks with attention and without.
const (
	modelClass, controlClass = "UNet2DConditionModel", "ControlNetModel"

	downAttends, down = "CrossAttnDownBlock2D", "DownBlock2D"
	upAttends, up     = "CrossAttnUpBlock2D", "UpBlock2D"
	middle            = "UNetMidBlock2DCrossAttn"
)

// Diffusers returns the keys of the config.json of a UNet2DConditionModel for pictures, or latents,
// of size pixels a side.
func (m *Model) Diffusers(size int) map[string]any {
	keys := m.config.shared(modelClass)
	c := m.config
	ups := make([]string, len(c.Widths))
	for i, attends := range c.Attention {
		ups[len(ups)-1-i] = up
		if attends {
			ups[len(ups)-1-i] = upAttends
		}
	}
	maps.Copy(keys, map[string]any{
		"sample_size": size, "out_channels": c.Channels, "center_input_sample": false, "up_block_types": ups, "dual_cross_attention": false,
	})
	return keys
}

// Diffusers returns the keys of the config.json of a ControlNetModel.
func (m *Control) Diffusers() map[string]any {
	keys := m.config.shared(controlClass)
	maps.Copy(keys, map[string]any{
		"conditioning_channels": ConditionChannels, "conditioning_embedding_out_channels": m.config.Condition,
		"controlnet_conditioning_channel_order": "rgb", "global_pool_conditions": false,
	})
	return keys
}

// shared are the keys that the two classes have in common.
func (c Config) shared(class string) map[string]any {
	downs := make([]string, len(c.Widths))
	for i, attends := range c.Attention {
		downs[i] = down
		if attends {
			downs[i] = downAttends
		}
	}
	return map[string]any{
		"_class_name": class, "in_channels": c.Channels, "flip_sin_to_cos": true, "freq_shift": 0, "down_block_types": downs, "mid_block_type": middle,
		"only_cross_attention": false, "block_out_channels": c.Widths, "layers_per_block": c.Layers, "downsample_padding": 1, "mid_block_scale_factor": 1,
		"act_fn": "silu", "norm_num_groups": c.Groups, "norm_eps": blockEps, "cross_attention_dim": c.Context, "transformer_layers_per_block": c.Transforms,
		// diffusers calls the number of heads so.
		"attention_head_dim": c.Heads, "use_linear_projection": c.Linear, "upcast_attention": false,
	}
}

// Parse reads the config.json of a UNet2DConditionModel, and the size of its pictures. What would
// be computed otherwise than here is an error.
func Parse(text []byte) (Config, int, error) {
	h, err := read(text, modelClass)
	if err != nil {
		return Config{}, 0, err
	}
	c, err := h.config()
	if err != nil {
		return c, 0, err
	}
	for i, attends := range c.Attention {
		mirror := map[bool]string{true: upAttends, false: up}[attends]
		if len(h.Up) != len(c.Widths) || h.Up[len(h.Up)-1-i] != mirror {
			return c, 0, fmt.Errorf("down_block_types %v and up_block_types %v: known are %s and %s, and the same on the way up", h.Down, h.Up, downAttends, down)
		}
	}
	return c, h.Size, c.Validate()
}

// ParseControl is Parse of a ControlNetModel.
func ParseControl(text []byte) (ControlConfig, error) {
	h, err := read(text, controlClass)
	if err != nil {
		return ControlConfig{}, err
	}
	c, err := h.config()
	if err != nil {
		return ControlConfig{}, err
	}
	control := ControlConfig{Config: c, Condition: h.Condition}
	return control, control.Validate()
}

// keys are those of a config.json that are looked at.
type keys struct {
	Class      string   `json:"_class_name"`
	Size       int      `json:"sample_size"`
	In         int      `json:"in_channels"`
	Out        int      `json:"out_channels"`
	Down       []string `json:"down_block_types"`
	Mid        string   `json:"mid_block_type"`
	Up         []string `json:"up_block_types"`
	Widths     []int    `json:"block_out_channels"`
	Layers     int      `json:"layers_per_block"`
	Groups     int      `json:"norm_num_groups"`
	Context    int      `json:"cross_attention_dim"`
	Transforms int      `json:"transformer_layers_per_block"`
	HeadDim    levels   `json:"attention_head_dim"`
	Heads      levels   `json:"num_attention_heads"`
	Linear     bool     `json:"use_linear_projection"`
	Act        string   `json:"act_fn"`
	Class2     any      `json:"class_embed_type"`
	Classes    any      `json:"num_class_embeds"`
	Extra      any      `json:"addition_embed_type"`
	ShiftScale string   `json:"resnet_time_scale_shift"`
	Eps        float64  `json:"norm_eps"`
	Flip       bool     `json:"flip_sin_to_cos"`
	Shift      float64  `json:"freq_shift"`
	Centre     bool     `json:"center_input_sample"`
	OnlyCross  bool     `json:"only_cross_attention"`
	// Of a ControlNetModel.
	Channels  int    `json:"conditioning_channels"`
	Condition []int  `json:"conditioning_embedding_out_channels"`
	Order     string `json:"controlnet_conditioning_channel_order"`
	Pooled    bool   `json:"global_pool_conditions"`
}

// read reads the keys of a class, all of which are to be computed as here.
func read(text []byte, class string) (keys, error) {
	h := keys{
		In: 4, Out: 4, Mid: middle, Widths: []int{320, 640, 1280, 1280}, Layers: 2, Groups: 32, Context: 1280, Transforms: 1, HeadDim: levels{8}, Act: "silu", ShiftScale: "default", Eps: blockEps, Flip: true,
		Down: []string{downAttends, downAttends, downAttends, down}, Up: []string{up, upAttends, upAttends, upAttends},
		Channels: ConditionChannels, Condition: []int{16, 32, 96, 256}, Order: "rgb",
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, err
	}
	var wrong []string
	want := func(ok bool, key string, value any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s %v", key, value))
		}
	}
	want(h.Class == class, "_class_name", h.Class)
	want(h.In == h.Out || class == controlClass, "in_channels other than out_channels,", h.In)
	want(h.Mid == middle, "mid_block_type", h.Mid)
	want(h.Act == "silu", "act_fn", h.Act)
	want(h.Class2 == nil && h.Classes == nil, "class embeddings", "")
	want(h.Extra == nil, "addition_embed_type", h.Extra)
	want(h.ShiftScale == "default", "resnet_time_scale_shift", h.ShiftScale)
	want(h.Eps == blockEps, "norm_eps", h.Eps)
	want(h.Flip && h.Shift == 0, "flip_sin_to_cos and freq_shift", h.Shift)
	want(!h.Centre, "center_input_sample", h.Centre)
	want(!h.OnlyCross, "only_cross_attention", h.OnlyCross)
	want(len(h.Down) == len(h.Widths), "block types", h.Down)
	want(h.Channels == ConditionChannels && h.Order == "rgb", "conditions of channels in another order or number,", h.Channels)
	want(!h.Pooled, "global_pool_conditions", h.Pooled)
	if len(wrong) > 0 {
		return h, fmt.Errorf("a U-Net here has no %s", strings.Join(wrong, ", no "))
	}
	return h, nil
}

// config is the configuration that the keys tell.
func (h keys) config() (Config, error) {
	c := Config{Channels: h.In, Context: h.Context, Widths: h.Widths, Layers: h.Layers, Groups: h.Groups, Heads: h.HeadDim, Linear: h.Linear, Transforms: h.Transforms}
	if h.Heads != nil {
		c.Heads = h.Heads
	}
	for _, name := range h.Down {
		if !slices.Contains([]string{down, downAttends}, name) {
			return c, fmt.Errorf("down_block_types %v: known are %s and %s", h.Down, downAttends, down)
		}
		c.Attention = append(c.Attention, name == downAttends)
	}
	return c, nil
}
