//go:build long

package main

import (
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
)

// The mean over 5 seeds that is promised for MNIST's own 10,000 test images, 8,500 to train with and 1,500 to test with.
func TestRealImagesOverSeeds(t *testing.T) {
	images, labels := realImages(t)
	code, stdout, stderr := command("-images", images, "-labels", labels, "-seeds", "5", "-out", t.TempDir())
	if got := accuracies(t, stdout); code != program.Succeeded || len(got) != 6 || got[5] < 0.94 || !strings.Contains(stdout, "over 5 seeds") {
		t.Errorf("exit code %d, %s\n%s", code, stderr, stdout)
	}
	t.Log(stdout)
}
