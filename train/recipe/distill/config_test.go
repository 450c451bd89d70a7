package distill

import (
	"strings"
	"testing"
)

// TestValidate: every fault is told at once.
func TestValidate(t *testing.T) {
	if err := Recipe().Config().(*Config).Validate(); err == nil || !strings.Contains(err.Error(), "recipe.teacher is empty") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the defaults lack a teacher alone: %v", err)
	}
	err := (&Config{Divergence: "sideways", Beta: 1, Temperature: -1, Weight: 2, TopK: 2000}).Validate()
	for _, want := range []string{"teacher is empty", `divergence is "sideways"`, "beta is 1", "temperature is -1", "weight is 2", "top_k is 2000; use 1 to 1024"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
