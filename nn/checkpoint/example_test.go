package checkpoint_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/checkpoint"
	"github.com/tapir-ml/tapir/vm"
)

// Weights go to a file, and from there to another state of the same model.
func Example() {
	g := graph.New()
	g.Param("0.weight", graph.Float32, graph.Full(0.5), 2, 2)
	trained, err := vm.NewState(g, 1)
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "model.safetensors")
	if err := checkpoint.Save(path, trained); err != nil {
		panic(err)
	}

	fresh, err := vm.NewState(g, 2)
	if err != nil {
		panic(err)
	}
	report, err := checkpoint.Load(path, fresh)
	fmt.Println(report, err)
	// Output: 1 values match <nil>
}
