package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
)

// Through the same two numbers it restores more than the best linear map does, and digits lie beside their like without labels.
func TestRestoresMoreThanPrincipalComponents(t *testing.T) {
	result := regexp.MustCompile(`(?s)never seen: (\S+), after.*best that is linear: (\d\.\d+)\..*same digit for (\d+) %`)
	for _, seed := range []string{"1", "2"} {
		out := t.TempDir()
		var stdout, stderr bytes.Buffer
		if code := newProgram().Command(context.Background(), []string{"-seed", seed, "-out", out}, &stdout, &stderr); code != program.Succeeded {
			t.Fatalf("exit %d, %s", code, stderr.String())
		}
		found := result.FindStringSubmatch(stdout.String())
		if found == nil {
			t.Fatalf("no result in\n%s", stdout.String())
		}
		var v [3]float64
		for i := range v {
			var err error
			if v[i], err = strconv.ParseFloat(found[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		if v[0] > 0.65*v[1] || v[1] > 0.06 || v[2] < 75 {
			t.Errorf("seed %s: error %v, by principal components %v; %v %% of the neighbours alike", seed, v[0], v[1], v[2])
		}
		for _, name := range []string{"restored.png", "plane.png", "atlas.png"} {
			f, err := os.Open(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := png.Decode(f); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			f.Close()
		}
	}
}

// The decoder that draws points of the plane is the one that restores images: it has no weights of its own.
func TestDecodersShareTheirWeights(t *testing.T) {
	_, test, err := images(1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(1, 100)
	if err != nil {
		t.Fatal(err)
	}
	codes, restored, _, err := n.encode(context.Background(), test)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := n.decode(context.Background(), codes)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range restored {
		if d := drawn[i] - v; d > 1e-5 || d < -1e-5 {
			t.Fatalf("pixel %d is restored as %v and drawn as %v", i, v, drawn[i])
		}
	}
}
