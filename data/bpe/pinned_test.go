package bpe

import "testing"

// TestFingerprintsStay: shards that were made of these tokenizers are found again.
func TestFingerprintsStay(t *testing.T) {
	for name, want := range map[string]string{
		"gpt2":  "e0e79065cc07c0dda554b608f6db74bc1968ca1f0f392ccf12594f8e0a2800a0",
		"gpt4":  "88f97a48da859c2254f5d6181290409381230ab5cf5e5b6500b53959ed40ea7a",
		"o200k": "c88653abec003780deeba395d5a1eea0c2be917565b1e026cc60dc84ddf1c0f0",
	} {
		tok, err := Load("testdata/hf_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Fingerprint(); got != want {
			t.Errorf("%s has the fingerprint %s, want %s", name, got, want)
		}
	}
}
