// Package kernel holds the loops that do Tapir's arithmetic: matrix products with a fused epilogue, vector mathematics,
// reductions and random numbers over flat []float32 and []float64. It knows nothing of graphs, tensors or tapes.
//
// Every kernel has a portable Go form; where the processor offers more, an assembly form of the same contract takes its place at start-up.
package kernel

// Float is the element type of every kernel.
type Float interface{ float32 | float64 }
