//go:build !goexperiment.simd

package main

const how = "plain"
