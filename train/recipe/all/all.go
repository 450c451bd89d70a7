// Package all is the table of what this program trains: its families of models and
// its recipes. It alone imports them.
package all

import (
	"slices"

	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/classify"
	"example.com/gotrain/train/recipe/contrast"
	"example.com/gotrain/train/recipe/denoise"
	"example.com/gotrain/train/recipe/diffusion"
	"example.com/gotrain/train/recipe/distill"
	"example.com/gotrain/train/recipe/gan"
	"example.com/gotrain/train/recipe/grpo"
	"example.com/gotrain/train/recipe/instruct"
	"example.com/gotrain/train/recipe/lm"
	"example.com/gotrain/train/recipe/mlm"
	"example.com/gotrain/train/recipe/ppo"
	"example.com/gotrain/train/recipe/prefer"
	"example.com/gotrain/train/recipe/seq2seq"
	"example.com/gotrain/train/recipe/vae"
)

// Table returns the table. Of the recipes that take a kind of data, the first is the
// one of configurations that name none.
func Table() recipe.Table {
	return recipe.Table{Families: zoo.Families(), Recipes: slices.Concat(
		[]recipe.Recipe{lm.Recipe(), instruct.Recipe(), mlm.Recipe(), denoise.Recipe(), seq2seq.Recipe(), classify.Recipe(), vae.Recipe(), diffusion.Recipe(), contrast.Recipe(), gan.Recipe(), distill.Recipe(), grpo.Recipe(), ppo.Recipe()}, prefer.Recipes(),
	)}
}
