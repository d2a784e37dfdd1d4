package initializers_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
)

// testdata/initializers.json says what PyTorch does; testdata/initializers.py wrote it.
type golden struct {
	Gains map[string]float64
	Dirac []struct {
		Groups int
		Shape  []int
		Ones   []int // where they lie, row-major
	}
	Scaled []struct {
		Name  string
		Shape []int
		Scale float64 // standard deviation, or bound of a uniform distribution
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/initializers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Gains) != 7 || len(g.Dirac) != 4 || len(g.Scaled) != 55 {
		t.Fatalf("%d gains, %d diracs, %d scales", len(g.Gains), len(g.Dirac), len(g.Scaled))
	}
	return g
}

func TestGainsArePyTorchs(t *testing.T) {
	ours := map[string]float64{
		"linear": initializers.GainLinear, "sigmoid": initializers.GainSigmoid, "tanh": initializers.GainTanh,
		"relu": initializers.GainReLU, "selu": initializers.GainSELU,
		"leaky_relu 0.01": initializers.GainLeakyReLU(0.01), "leaky_relu 0.2": initializers.GainLeakyReLU(0.2),
	}
	for name, want := range readGolden(t).Gains {
		if got, ok := ours[name]; !ok || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// The random numbers are the same as those of a plain distribution from the same seed, but for a factor: PyTorch's standard deviation or bound.
func TestScalesArePyTorchs(t *testing.T) {
	ours := map[string]graph.Init{
		"xavier": initializers.Xavier(), "xavier_uniform": initializers.XavierUniform(),
		"he": initializers.He(), "he_uniform": initializers.HeUniform(),
		"lecun": initializers.LeCun(), "lecun_uniform": initializers.LeCunUniform(),
		"xavier tanh":         initializers.ScaledNormal(initializers.GainTanh, initializers.FanAverage),
		"xavier_uniform selu": initializers.ScaledUniform(initializers.GainSELU, initializers.FanAverage),
		"he fan_out":          initializers.ScaledNormal(initializers.GainReLU, initializers.FanOut),
		"he_uniform fan_out":  initializers.ScaledUniform(initializers.GainReLU, initializers.FanOut),
		"he leaky":            initializers.ScaledNormal(initializers.GainLeakyReLU(0.2), initializers.FanIn),
	}
	const n = 20
	gaussian, uniform := fill(initializers.Normal(1), n), fill(initializers.Uniform(-1, 1), n)
	for _, c := range readGolden(t).Scaled {
		plain := gaussian
		if strings.Contains(c.Name, "uniform") {
			plain = uniform
		}
		for i, got := range fill(ours[c.Name], n, c.Shape...) {
			if want := c.Scale * plain[i]; math.Abs(got-want) > 1e-14*math.Abs(c.Scale) {
				t.Errorf("%s of %v: draws %v, want %v: a scale of %v instead of %v", c.Name, c.Shape, got, want, got/plain[i], c.Scale)
				break
			}
		}
	}
}

func TestDiracIsPyTorchs(t *testing.T) {
	for _, c := range readGolden(t).Dirac {
		n := 1
		for _, s := range c.Shape {
			n *= s
		}
		want := make([]float64, n)
		for _, at := range c.Ones {
			want[at] = 1
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = math.NaN()
		}
		initializers.Dirac(c.Groups).Fill(nil, c.Shape, x)
		if fmt.Sprint(x) != fmt.Sprint(want) {
			t.Errorf("%v in %d groups: %v, want %v", c.Shape, c.Groups, x, want)
		}
	}
}
