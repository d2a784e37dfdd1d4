package main

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// The error falls as the layer widens: a unit alone approximates none of the functions, 32 do to better than a hundredth, also between the
// places that they were fitted to.
func TestWiderIsNearer(t *testing.T) {
	for _, to := range targets {
		var rms []float64
		for _, width := range widths {
			f, err := fit(context.Background(), to, width, 4, 1000, 1)
			if err != nil {
				t.Fatal(err)
			}
			if f.parameters != 3*width+1 || len(f.values) != len(f.places) || f.largest < f.rms {
				t.Errorf("%s: %d units: %d parameters, %d values at %d places, errors %v and %v", to.name, width, f.parameters, len(f.values), len(f.places), f.rms, f.largest)
			}
			rms = append(rms, f.rms)
			if width == 32 && (f.rms > 0.01 || f.largest > 0.1) {
				t.Errorf("%s: 32 units are %v away, and %v at the worst place", to.name, f.rms, f.largest)
			}
		}
		if rms[0] < 0.2 {
			t.Errorf("%s: one unit is but %v away", to.name, rms[0])
		}
		for i := 2; i < len(rms); i++ {
			if rms[i] > rms[i-2]/1.2 {
				t.Errorf("%s: %d units are no nearer than %d: errors %v", to.name, widths[i], widths[i-2], rms)
			}
		}
	}
}

// A function that is itself one unit is found again.
func TestExactFit(t *testing.T) {
	one := target{"unit", "2·tanh(x − 1) + 0.5", func(x float64) float64 { return 2*math.Tanh(x-1) + 0.5 }}
	f, err := fit(context.Background(), one, 1, 4, 3000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.largest > 1e-5 {
		t.Errorf("%v away from itself", f.largest)
	}
}

func TestDistance(t *testing.T) {
	rms, largest := distance([]float64{1, 2, 3, 0}, []float64{1, 2, 3, 4}, func(x float64) float64 { return x })
	if rms != 2 || largest != 4 {
		t.Errorf("%v, %v", rms, largest)
	}
	if g := grid(3); g[0] != -far || g[1] != 0 || g[2] != far {
		t.Error(g)
	}
}

func TestProgram(t *testing.T) {
	folder := t.TempDir()
	code, stdout, stderr := command("-out", folder, "-function", "bell", "-starts", "1", "-steps", "200")
	if code != program.Succeeded || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if !strings.Contains(stdout, "exp(−4x²)·cos(9x) from -3 to 3") || !strings.Contains(stdout, "\n32     97 ") {
		t.Error(stdout)
	}
	for _, name := range []string{"series.png", "error.png"} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() < 800 {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-function", "square", "-out", t.TempDir()}, program.Failed, "-function square: want one of wave, corner, bell"},
		{[]string{"-starts", "0"}, program.WrongUsage, "-starts"},
	} {
		if code, _, stderr := command(c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, stderr)
		}
	}
	if code, stdout, _ := command("-h"); code != program.Succeeded || !strings.Contains(stdout, targets[0].formula) {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
