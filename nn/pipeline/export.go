package pipeline

import (
	"encoding/json"
	"errors"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/hub"
)

// textConfig are the keys of the text encoder's config.json.
func (p *Pipeline) textConfig() (map[string]any, error) {
	keys, err := p.Text.HuggingFace()
	if err == nil {
		if frame := p.Tokens.Frame(); len(frame.Before) > 0 && len(frame.After) > 0 {
			keys["bos_token_id"], keys["eos_token_id"] = frame.Before[0], frame.After[0]
		}
		keys["pad_token_id"] = p.Pad
	}
	return keys, err
}

// roles are those of the tokens that a caption stands between, and of padding.
func (p *Pipeline) roles() hf.Roles {
	r := hf.Roles{MaxLength: p.Text.Context(), Pad: string(p.Tokens.TokenBytes(p.Pad))}
	if frame := p.Tokens.Frame(); len(frame.Before) > 0 && len(frame.After) > 0 {
		r.BOS, r.EOS = string(p.Tokens.TokenBytes(frame.Before[0])), string(p.Tokens.TokenBytes(frame.After[0]))
		r.Unknown = r.EOS
	}
	return r
}

// Export writes the pipeline as diffusers' StableDiffusionPipeline.from_pretrained reads it. dst
// must not exist; on failure nothing is left of it.
func Export(fsys vfs.FS, dst string, p *Pipeline, store *exec.Store) error {
	switch {
	case p.Autoencoder == nil:
		return errors.New("a StableDiffusionPipeline has an autoencoder, and this model denoises pictures themselves: train with recipe.vae")
	case p.logits():
		return errors.New("a StableDiffusionPipeline takes what its autoencoder gives for pixels, and this one gives logits: train it with recipe.likelihood gaussian")
	case p.Process.Schedule.Shape == diffusion.Flow:
		return errors.New("a StableDiffusionPipeline has no flow matching: train with another recipe.schedule")
	}
	files, err := p.exported(store)
	if err != nil {
		return err
	}
	return vfs.WriteDir(fsys, dst, files)
}

// exported are all files of a directory of diffusers.
func (p *Pipeline) exported(store *exec.Store) ([]vfs.Content, error) {
	keys := map[string]any{
		"_class_name": "StableDiffusionPipeline", Denoiser: []string{"diffusers", "UNet2DConditionModel"}, Autoencoder: []string{"diffusers", "AutoencoderKL"},
		Text: []string{"transformers", "CLIPTextModel"}, "tokenizer": []string{"transformers", "CLIPTokenizer"}, "scheduler": []string{"diffusers", "DDIMScheduler"},
		"safety_checker": []any{nil, nil}, "feature_extractor": []any{nil, nil}, "image_encoder": []any{nil, nil}, "requires_safety_checker": false,
	}
	if p.Control != nil {
		keys["_class_name"], keys[Control] = "StableDiffusionControlNetPipeline", []string{"diffusers", "ControlNetModel"}
	}
	index, err := marshal(keys)
	if err != nil {
		return nil, err
	}
	all := []vfs.Content{vfs.Bytes(indexFile, index)}
	for _, m := range p.models() {
		role := m.Tuning().Role
		files, err := p.Files(role)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			folder := role
			switch {
			case f.Name == scheduleFile:
				folder = "scheduler"
			case strings.HasPrefix(f.Name, "tokenizer"):
				folder = "tokenizer"
			}
			all = append(all, vfs.Content{Name: folder + "/" + f.Name, Write: f.Write})
		}
		name := role + "/" + weightsFile
		if role == Text {
			name = role + "/" + hub.ModelFile
		}
		all = append(all, hub.TensorsFile(name, hub.Contents(hub.ModelTensors(m), store), hub.ModelMetadata()))
	}
	slow, err := p.vocabulary()
	return append(all, slow...), err
}

// vocabulary are vocab.json and merges.txt, as older programs read the tokenizer.
func (p *Pipeline) vocabulary() ([]vfs.Content, error) {
	var t struct {
		Model struct {
			Vocab  map[string]int64 `json:"vocab"`
			Merges []hf.Merge       `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(p.Tokens.AppendJSON(nil), &t); err != nil {
		return nil, err
	}
	vocab, err := json.Marshal(t.Model.Vocab)
	if err != nil {
		return nil, err
	}
	lines := []string{"#version: 0.2"}
	for _, m := range t.Model.Merges {
		lines = append(lines, m.Left+" "+m.Right)
	}
	merges := strings.Join(append(lines, ""), "\n")
	return []vfs.Content{vfs.Bytes("tokenizer/vocab.json", vocab), vfs.Bytes("tokenizer/merges.txt", []byte(merges))}, nil
}
