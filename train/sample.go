package train

type sampler struct{}

func (r *run) sample() error { return nil }
