package nn

import "example.com/gotrain/autograd"

// Parts of a generative adversarial network.
const (
	GeneratorPart     = "generator"
	DiscriminatorPart = "discriminator"
)

// AdversarialConfig is the configuration of a family that has both parts.
type AdversarialConfig interface {
	Configuration
	// ForPart is the configuration of a part, for pictures of the data where it leaves
	// them open.
	ForPart(part string, channels, size int) AdversarialConfig
	// Picture are the channels and the side of pictures, 0 where they are left open.
	Picture() (channels, size int)
}

// PictureGenerator is a model that makes pictures of random numbers.
type PictureGenerator interface {
	Model
	// Latent is how many normal numbers a picture is made of.
	Latent() int
	// Draw makes a picture in [-1, 1] of each row of z (rows, Latent).
	Draw(g *autograd.Graph, z *autograd.Node, s Statistics) Pictures
}

// Discriminator is a model that tells true pictures from drawn ones.
type Discriminator interface {
	Model
	// Judge gives (rows, 1), above 0 what it takes for true: the logit of its probability.
	Judge(g *autograd.Graph, x Pictures, s Statistics) *autograd.Node
}
