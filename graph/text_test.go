package graph_test

import (
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

func TestConstantsPrint(t *testing.T) {
	g := graph.New()
	for _, c := range []struct {
		value any
		want  string
	}{
		{int32(1000000), "1000000"},
		{int64(123456789012), "123456789012"},
		{7, "7"},
		{float32(0.1), "0.1"},
		{0.1, "0.1"},
		{1e21, "1e+21"},
		{true, "true"},
		{[]int32{1000000, -2}, "[1000000 -2]"},
		{[]float64{1, 2, 3, 4, 5}, "[1 2 3 4 …]"},
		{[]bool{}, "[]"},
	} {
		if got := g.Constant(c.value).Label(); got != c.want {
			t.Errorf("%T(%v) prints as %q, want %q", c.value, c.value, got, c.want)
		}
	}
}
