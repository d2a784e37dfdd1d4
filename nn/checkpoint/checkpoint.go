// Package checkpoint keeps values of a State in files: in safetensors format, which PyTorch, JAX and others read and write.
//
// The one idea: a file is a map from dotted names to tensors, with a few strings beside it. It is written whole or not at all
// (a temporary file, synced, renamed), and carries a checksum, so that a damaged one is never taken for a good one.
//
//	err := checkpoint.Save("model.safetensors", state)
//	…
//	report, err := checkpoint.Load("model.safetensors", state)
//
// Series keeps the numbered checkpoints of a run, and finds the last good one again.
package checkpoint

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// File is what a safetensors file holds.
type File struct {
	Tensors  map[string]*tensor.Dense
	Metadata map[string]string // the key "checksum" is for Write's own

	Verified bool // it was read, and has a checksum that fits
}

// Of returns a copy of all values of a state, as they are at one moment: parameters, and variables such as an optimiser's moments.
func Of(s *vm.State) *File { return &File{Tensors: s.Snapshot()} }

// Save writes all values of a state to a file, atomically.
func Save(path string, s *vm.State) error { return Of(s).WriteFile(path) }

// Load reads a file and gives its values to a state, as File.Restore does.
func Load(path string, s *vm.State) (*Report, error) {
	f, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return f.Restore(s)
}

// Report says how a file's tensors went with a state's values. All lists are sorted.
type Report struct {
	Matched    []string // in both, of the same shape; element types are converted
	Missing    []string // the state has them, the file does not
	Unexpected []string // the file has them, the state does not
	Mismatched []string // in both, but of different shapes: "0.weight: (784, 128) in the file, (784, 64) in the state"
}

// String is one line for each list that is not empty.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d values match", len(r.Matched))
	for _, list := range []struct {
		what  string
		names []string
	}{{"of another shape", r.Mismatched}, {"missing in the file", r.Missing}, {"unknown to the state", r.Unexpected}} {
		if len(list.names) > 0 {
			fmt.Fprintf(&b, "\n%d %s: %s", len(list.names), list.what, few(list.names))
		}
	}
	return b.String()
}

func few(names []string) string {
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// Restore gives the file's tensors to the values of the same names. If one of the state's is missing in the file or of another
// shape it fails, and the state is as before. What the file has besides is only reported: a model that is to predict can be read
// from the checkpoint of a training.
func (f *File) Restore(s *vm.State) (*Report, error) {
	r, values := f.compare(s)
	if len(r.Missing)+len(r.Mismatched) > 0 {
		return r, graph.Errorf(graph.ErrName, "the file does not fit the state, which is left as it was; RestorePartly takes what matches: %s", r)
	}
	return r, s.SetAll(values)
}

// RestorePartly gives the file's tensors to those values that have the same name and shape, and leaves the others as they are.
func (f *File) RestorePartly(s *vm.State) (*Report, error) {
	r, values := f.compare(s)
	return r, s.SetAll(values)
}

func (f *File) compare(s *vm.State) (*Report, map[string]any) {
	r, values, has := &Report{}, map[string]any{}, s.Snapshot()
	for name, v := range has {
		switch t := f.Tensors[name]; {
		case t == nil:
			r.Missing = append(r.Missing, name)
		case !slices.Equal(t.Shape(), v.Shape()):
			r.Mismatched = append(r.Mismatched, fmt.Sprintf("%s: %v in the file, %v in the state", name, t.Shape(), v.Shape()))
		default:
			r.Matched = append(r.Matched, name)
			values[name] = t
		}
	}
	for name := range f.Tensors {
		if has[name] == nil {
			r.Unexpected = append(r.Unexpected, name)
		}
	}
	for _, list := range [][]string{r.Matched, r.Missing, r.Unexpected, r.Mismatched} {
		sort.Strings(list)
	}
	return r, values
}
