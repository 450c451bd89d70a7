// Package zoo knows every family of models. A new family is a folder beside this
// one and a row here.
package zoo

import (
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/gan"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/perceiver"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/nn/vae"
	"example.com/gotrain/nn/xl"
)

// Families is the table.
func Families() nn.Families {
	return nn.Families{gpt2.Family(), llama.Family(), gemma3.Family(), bert.Family(), seq2seq.Family(), lstm.Family(), xl.Family(), perceiver.Family(),
		vae.Family(), unet.Family(), clip.PairFamily(), gan.DCGAN(), gan.Residual()}
}
