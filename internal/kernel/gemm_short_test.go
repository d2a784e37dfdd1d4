//go:build !long

package kernel

// A sample of testEverySize's sizes, spread so that every remainder of every tile size is met; the build tag long has all.
var depths = []int{1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 67}

const step = 5
