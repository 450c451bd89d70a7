package spm

import "testing"

// TestFingerprintsStay: shards that were made of these tokenizers are found again.
func TestFingerprintsStay(t *testing.T) {
	for name, want := range map[string]string{
		"bpe":             "6bb4fca2c2fb0e57e18a3a26173a3e87f7006947cbc6d4a354ccdbd63fbc1d6f",
		"unigram":         "81e44f7e94cb93cdbda9dd4a9aefb8db646f24394402d0513425fd2f74dcea05",
		"unigram_bytes":   "c93dd5dc544ead44aef23d6d857a5abafb2d099612a8cf6a5a15a10b4bb67e5e",
		"unigram_defined": "9c252a15350a1d42b2745aae61ea2309235ddce2c36570432fba550ea9bb4ed6",
	} {
		if got := load(t, name).Fingerprint(); got != want {
			t.Errorf("%s has the fingerprint %s, want %s", name, got, want)
		}
	}
}
