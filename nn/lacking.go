package nn

// What the families of lacking have that no family here computes.
const (
	lacksExperts  = "experts and the router that chooses among them are missing"
	lacksPictures = "the tower that reads pictures is missing"
	lacksState    = "layers with a recurrent state are missing"
	lacksBoth     = "a recurrent state beside attention is missing"
	lacksLatent   = "attention over a latent vector and experts are missing"
)

// lacking tells, of values of model_type that are in wide use and that no family has,
// what of it is missing here.
var lacking = map[string]string{
	"gemma":   "Gemma 1 is missing; gemma3_text is there",
	"gemma2":  "the caps of attention's scores and of the logits are missing; gemma3_text is there",
	"gemma3":  lacksPictures + ": save its text model with transformers' Gemma3ForCausalLM.from_pretrained(…).save_pretrained(DIR), whose model_type is gemma3_text",
	"gemma3n": "embeddings of each layer and its choice of activations are missing", "gemma3n_text": "embeddings of each layer and its choice of activations are missing",
	"gemma4": "keys and values that layers share and embeddings of each layer are missing", "gemma4_text": "keys and values that layers share and embeddings of each layer are missing",

	"qwen2_moe": lacksExperts, "qwen3_moe": lacksExperts + "; the dense Qwen 3, of model_type qwen3, is there", "mixtral": lacksExperts, "olmoe": lacksExperts, "phimoe": lacksExperts,
	"granitemoe": lacksExperts, "dbrx": lacksExperts, "glm4_moe": lacksExperts, "ernie4_5_moe": lacksExperts, "minimax": lacksExperts,
	"gpt_oss":  lacksExperts + ", and so are attention's sinks",
	"llama4":   lacksExperts + ", and so are layers without positions and pictures",
	"deepseek": lacksExperts, "deepseek_v2": lacksLatent, "deepseek_v3": lacksLatent, "kimi_k2": lacksLatent, "glm_moe_dsa": lacksLatent,

	"qwen2_vl": lacksPictures, "qwen2_5_vl": lacksPictures, "qwen3_vl": lacksPictures, "mllama": lacksPictures, "llava": lacksPictures, "llava_next": lacksPictures, "idefics3": lacksPictures,
	"smolvlm": lacksPictures, "mistral3": lacksPictures, "internvl": lacksPictures, "paligemma": lacksPictures, "pixtral": lacksPictures,

	"transfo-xl": "its adaptive softmax is missing; family xl is there",

	"mamba": lacksState, "mamba2": lacksState, "falcon_mamba": lacksState, "rwkv": lacksState, "recurrent_gemma": lacksBoth, "jamba": lacksBoth, "bamba": lacksBoth, "zamba2": lacksBoth,
	"granitemoehybrid": lacksBoth, "falcon_h1": lacksBoth, "lfm2": lacksBoth, "nemotron_h": lacksBoth,
	"qwen3_next": lacksBoth + ", and so are experts", "qwen3_5": lacksBoth, "qwen3_5_text": lacksBoth,

	"phi":      "attention and feed-forward layer side by side, and rotary positions of a part of each head, are missing",
	"phi3":     "its packed projections qkv_proj and gate_up_proj are missing: split them under Llama's names, with model_type llama",
	"gpt_neox": "attention and feed-forward layer side by side, and rotary positions of a part of each head, are missing",
	"gptj":     "attention and feed-forward layer side by side are missing", "falcon": "attention and feed-forward layer side by side are missing",
	"stablelm": "LayerNorm beside rotary positions of a part of each head is missing", "starcoder2": "LayerNorm beside rotary positions is missing",
	"olmo": "a LayerNorm without weights is missing", "olmo2": "norms behind attention and feed-forward layer, without those before, are missing", "olmo3": "norms behind attention and feed-forward layer, without those before, are missing",
	"cohere": "attention and feed-forward layer side by side are missing", "cohere2": "attention and feed-forward layer side by side are missing",
	"granite": "its multipliers of embeddings, residuals, scores and logits are missing", "smollm3": "layers without positions are missing",
	"bloom": "its norm of the embeddings and its packed projection by heads are missing; mpt, which has ALiBi too, is there", "opt": "its learned positions with an offset are missing", "gpt_bigcode": "one key head for all is missing in GPT-2",
	"glm": "rotary positions of a part of each head are missing", "glm4": "rotary positions of a part of each head are missing", "nemotron": "a LayerNorm of 1 + weight and rotary positions of a part of each head are missing",

	"roberta": lacksMasked, "distilbert": lacksMasked, "xlm-roberta": lacksMasked, "deberta-v2": lacksMasked, "modernbert": lacksMasked, "electra": lacksMasked, "albert": lacksMasked,
	"mt5": "its configuration is that of t5: save it with model_type t5", "umt5": lacksRelative, "mbart": lacksDecoder, "pegasus": lacksDecoder, "whisper": "the encoder of sound is missing", "m2m_100": lacksDecoder,
	"vit": lacksPictures, "clip": lacksPictures, "siglip": lacksPictures,
}

const (
	lacksMasked   = "of the models that read a text from both sides bert is there; what this one has otherwise is missing"
	lacksDecoder  = "encoders and decoders with norms before their branches are missing; marian and bart are there"
	lacksRelative = "biases of attention that each layer has for itself are missing; t5 is there"
)
