package text

// Colours of a terminal: of tokens in turn, of tokens that are no target, and of the
// end of a document.
const (
	EvenToken = "\x1b[48;5;24m\x1b[97m"
	OddToken  = "\x1b[48;5;239m\x1b[97m"
	Unscored  = "\x1b[2m"
	EndToken  = "\x1b[7m"
	Plain     = "\x1b[0m"
)
