package ops_test

import (
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Every operator of the catalogue has samples, and at each of them its first and second derivatives agree with finite differences.
func TestCatalogueGradients(t *testing.T) {
	for _, d := range ops.Catalogue() {
		t.Run(d.Name, func(t *testing.T) {
			if err := gradcheck.Def(d); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnOperatorWithoutSamplesFails(t *testing.T) {
	bare := *ops.ExpDef
	bare.Samples = nil
	if err := gradcheck.Def(&bare); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("got %v", err)
	}
}

func TestAWrongGradientFails(t *testing.T) {
	wrong := *ops.ExpDef
	wrong.VJP = func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Mul(dy, ops.Scale(n, 1.01))} }
	if err := gradcheck.Def(&wrong); err == nil || !strings.Contains(err.Error(), "order 1") {
		t.Errorf("a gradient off by 1%%: got %v", err)
	}
	// Right first derivative, wrong second: the first comes from an operator whose own gradient is cut off.
	cut := *ops.ExpDef
	cut.VJP = func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Mul(dy, ops.StopGradient(n))} }
	if err := gradcheck.Def(&cut); err == nil || !strings.Contains(err.Error(), "order 2") {
		t.Errorf("a second derivative that is cut off: got %v", err)
	}
}
