package convert

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/nn/hub/gguf"
)

// ropeFactors is the tensor in which GGUF keeps the scaling of Llama 3: what the
// wavelength of each rotated pair is multiplied by.
const ropeFactors = "rope_freqs.weight"

// rope is rope_parameters (transformers 5) or rope_scaling (before).
type rope struct {
	Type         string  `json:"rope_type,omitempty"`
	OldType      string  `json:"type,omitempty"`
	Theta        float64 `json:"rope_theta,omitempty"`
	Factor       float64 `json:"factor,omitempty"`
	LowFrequency float64 `json:"low_freq_factor,omitempty"`
	HighFreq     float64 `json:"high_freq_factor,omitempty"`
	Original     int     `json:"original_max_position_embeddings,omitempty"`
	BetaFast     float64 `json:"beta_fast,omitempty"`
	BetaSlow     float64 `json:"beta_slow,omitempty"`
	Attention    float64 `json:"attention_factor,omitempty"`
	Truncate     *bool   `json:"truncate,omitempty"`
}

// kind is the name of the scaling, "" for none.
func (r rope) kind() string {
	for _, t := range []string{r.Type, r.OldType} {
		if t != "" && t != "default" {
			return t
		}
	}
	return ""
}

// metadata are the scaling's keys of GGUF, where it is not in ropeFactors.
func (r rope) metadata(prefix string) (gguf.Metadata, error) {
	m := gguf.Metadata{
		{Key: prefix + "rope.scaling.type", Value: r.kind()},
		{Key: prefix + "rope.scaling.factor", Value: float32(r.Factor)},
	}
	switch r.kind() {
	case "", "llama3", "dynamic": // dynamic scaling begins beyond the context
		return nil, nil
	case "linear":
		return m, nil
	case "yarn":
		if r.Truncate != nil && !*r.Truncate {
			return nil, errors.New("llama.cpp's yarn has bounds of whole pairs, this model has rope_scaling.truncate false: it cannot be written as GGUF")
		}
		if usual := 0.1*math.Log(r.Factor) + 1; r.Attention != 0 && math.Abs(r.Attention-usual) > 1e-6 {
			return nil, fmt.Errorf("llama.cpp's yarn scales attention by 0.1·ln(factor) + 1 = %g, this model by %g: it cannot be written as GGUF", usual, r.Attention)
		}
		m = append(m, gguf.KV{Key: prefix + "rope.scaling.original_context_length", Value: uint32(r.Original)})
		for key, beta := range map[string]float64{"fast": r.BetaFast, "slow": r.BetaSlow} {
			if beta != 0 {
				m = append(m, gguf.KV{Key: prefix + "rope.scaling.yarn_beta_" + key, Value: float32(beta)})
			}
		}
		slices.SortFunc(m, func(a, b gguf.KV) int { return cmp.Compare(a.Key, b.Key) })
		return m, nil
	}
	return nil, fmt.Errorf("GGUF has no scaling of rotary positions of type %q", r.kind())
}

// factors are ropeFactors of heads of width d: 1 for short wavelengths, r.Factor
// for long ones, between them 1 / ((1−s)/factor + s) with s running from 0 to 1
// (transformers' _compute_llama3_parameters).
func (r rope) factors(d int, theta float64) []float32 {
	out := make([]float32, d/2)
	original := float64(r.Original)
	for i := range out {
		wavelength := 2 * math.Pi * math.Pow(theta, float64(2*i)/float64(d))
		switch {
		case wavelength < original/r.HighFreq:
			out[i] = 1
		case wavelength > original/r.LowFrequency:
			out[i] = float32(r.Factor)
		default:
			s := (original/wavelength - r.LowFrequency) / (r.HighFreq - r.LowFrequency)
			out[i] = float32(1 / ((1-s)/r.Factor + s))
		}
	}
	return out
}

// factorTensor is ropeFactors as GGUF stores it.
func (r rope) factorTensor(d int, theta float64) gguf.Tensor {
	var data []byte
	for _, x := range r.factors(d, theta) {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return gguf.Tensor{Name: ropeFactors, Type: gguf.F32, Shape: []int{d / 2}, Data: data}
}

// recoverLlama3 finds the parameters behind ropeFactors. GGUF does not keep them;
// those of Llama 3 differ in the factor alone, which is the largest.
func recoverLlama3(t gguf.Tensor, theta float64) (rope, error) {
	if len(t.Shape) != 1 {
		return rope{}, fmt.Errorf("tensor %q has shape %v, want a vector", t.Name, t.Shape)
	}
	got := make([]float32, t.Shape[0])
	if err := t.CopyFloat32(got); err != nil {
		return rope{}, err
	}
	r := rope{Type: "llama3", LowFrequency: 1, HighFreq: 4, Original: 8192}
	for _, x := range got {
		r.Factor = max(r.Factor, float64(x))
	}
	for i, want := range r.factors(2*len(got), theta) {
		if math.Abs(float64(got[i]-want)) > 1e-3*float64(want) {
			return rope{}, errors.New("tensor \"" + t.Name + "\" holds a scaling of rotary positions other than Llama 3's, which is not supported: import the model from its Hugging Face directory")
		}
	}
	return r, nil
}
