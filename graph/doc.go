// Package graph builds symbolic expressions: the form in which Tapir holds models, their gradients and their optimisers.
//
// The one idea: a node is (operator, attributes, operands), and equal nodes are one node. A graph only grows, and a node's
// operands come before it, so every pass over a graph is a loop over a slice.
//
// Shapes may hold symbols, so that one graph serves every batch size. Building never panics and needs no error handling at
// each step: an expression that does not fit gives a node which carries the error, with the line that wrote it, and
// compiling it (or Node.Err, or Graph.Err) reports that.
//
// This package knows no operators: see package ops for the catalogue and Def for how to add one's own.
package graph
