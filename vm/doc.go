// Package vm compiles graphs to tapes and runs them.
//
//	graph ── Compile ──► Program (immutable, data only) ──► Machine (memory, workers) ── Run(ctx)
//	                                      State (parameters, variables) ◄──┘
//
// The one idea: everything is decided before it runs. Compile copies what is asked for, rewrites it, and lowers it to a tape: a
// list of instructions over slots. A Machine binds the symbols to the sizes of what is fed, places every slot in one arena, and
// runs the tape. Once the largest sizes have been seen a run allocates nothing.
//
// A tape has two phases. Compute holds everything that can fail or be cancelled and writes only to the machine's arena. Commit
// copies the new values into the State and cannot fail. So a step happens as a whole or not at all.
package vm
