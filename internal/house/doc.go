// Package house holds the rules of the house as tests: which package may import which, what the exported API must avoid so
// that a notebook can import it, and what no file may say. It holds nothing else; nobody imports it.
//
// The one idea: a rule that only a page states is forgotten, so each rule is a test over what the go command and the compiler
// say about the code as it is, and each rule has a test of its own that breaks it on purpose.
//
//   - imports_test.go: the floors of the house, and what a notebook must not link
//   - notebook_test.go: the exported API as a notebook's wrapper generator reads it
//   - words_test.go: no path of somebody's machine in a tracked file
package house
