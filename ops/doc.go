// Package ops is the catalogue of operators.
//
// An operator is one graph.Def in one place: its legality rule, its kernel, its gradient, its samples for the gradient check;
// rewrite rules stand beside the operators they concern. The functions of this package build nodes and compute nothing: what
// does not fit gives a node that carries the error (see package graph).
//
// Elementwise operators follow NumPy's broadcasting: shapes are aligned at their last dimensions, and a dimension of the literal
// size 1 repeats. A symbolic dimension never repeats, even if it is bound to 1. Element types never mix: Cast says what is
// meant. Derivatives at kinks and ties have one convention each, stated with the operator; where several elements tie, they
// share the cotangent equally, but in pools, where the first gets it.
//
// The log-gamma function is not here, nor its derivatives, digamma and polygamma.
package ops
