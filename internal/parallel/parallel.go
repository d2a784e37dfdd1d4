// Package parallel runs the parts of one problem on a small pool of persistent workers.
package parallel
