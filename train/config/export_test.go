package config

// Counterparts are the keys of other trainers with ours.
func Counterparts() map[string]string {
	all := map[string]string{}
	for theirs, c := range counterparts {
		all[theirs] = c.ours
	}
	return all
}
