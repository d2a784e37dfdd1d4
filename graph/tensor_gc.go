package graph

// gorgonia.org/tensor refuses to start (it panics at import) under a Go release newer than the ones that this module knows, and
// the old version that tensor asks for knows none of today's. Naming the module here keeps it in go.mod at a version that
// has ended that check, so that every program that imports Tapir inherits it.
import _ "go4.org/unsafe/assume-no-moving-gc"
