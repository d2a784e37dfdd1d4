//go:build long

package vm_test

// randomGraphs is how many graphs each property over random graphs draws.
const randomGraphs = 1500
